"""The study that the documentation writes runs as it stands."""

import re
import sys
from pathlib import Path

from mconn import experiment

PAGE = Path(__file__).parents[2] / "docs" / "writing_a_study.md"


def test_the_documented_study_runs(tmp_path, monkeypatch):
    measure, study, config = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    module = tmp_path / "written_study.py"
    config = config.replace("experiments.lines.sureness", "written_study")
    module.write_text(measure + study)
    (tmp_path / "written_config.py").write_text(config)
    monkeypatch.syspath_prepend(tmp_path)
    import written_config  # pyright: ignore

    folder = experiment.run(written_config.smoke(), tmp_path / "results")
    assert [claim["id"] for claim in folder.record["claims"]] == [
        "less-sure/naive",
        "less-sure/weights",
    ]
    assert folder.table("sureness").num_rows == 2 * 9
    assert len(folder.table("headline")) == 2
    for name in ("written_study", "written_config"):
        sys.modules.pop(name, None)

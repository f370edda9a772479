"""The library's examples in the README, run one after the other on a tiny network."""

import re
from pathlib import Path

from tests import zoo

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_examples_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    examples = [block for block in blocks if not block.startswith("# configs/")]
    assert len(examples) == 3
    data = zoo.examples(150)
    names = {
        "apply": zoo.mlp,
        "a": zoo.draw(zoo.mlp, 0),
        "b": zoo.draw(zoo.mlp, 1),
        "inputs": data.inputs,
        "test_split": data,
        "train_split": (data.inputs, data.labels),
    }
    for example in examples:
        # The numbers of points and epochs say nothing about whether the calls fit.
        exec(example.replace("25", "3").replace("epochs=30", "epochs=2"), names)
    shown = capsys.readouterr().out
    assert "Dense_0" in shown
    assert "Estimate" in shown

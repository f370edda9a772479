"""The study of distances and the statistics of a corpus."""

import pytest

from configs import word_geometry
from experiments.words.geometry import Distances
from mconn import experiment
from mconn.errors import ConfigError


def test_bad_sizes_are_refused():
    with pytest.raises(ConfigError, match="name one or more of both"):
        Distances((0.3, 0.5), (), 2)
    with pytest.raises(ConfigError, match="with 0 seeds"):
        Distances((0.3, 0.5), (0.0,), 0)


def test_distances_errors_and_their_control(tmp_path):
    folder = experiment.run(word_geometry.smoke(), tmp_path)
    claims = {claim["statement"]: claim["holds"] for claim in folder.record["claims"]}
    for beginning in (
        "where words are equally frequent the conditions hold",
        "the three errors add up",
        "of a right analogy among words of independent attributes",
        "of an analogy with a random answer they do not vanish",
    ):
        held = [holds for statement, holds in claims.items() if statement.startswith(beginning)]
        assert held == [True], beginning

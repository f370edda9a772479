"""The study of analogies and dimension."""

from dataclasses import replace

import numpy as np
import pytest

from configs import word_dimension
from experiments.words.dimension_stages import ExactAccuracy, treated
from mconn import experiment, words
from mconn.errors import ConfigError


def test_clipping_and_shifting_change_what_is_factorised():
    joint = words.AttributeModel((0.3, 0.5)).joint
    plain, power = treated(joint, "PMI")
    assert power == 0.5
    np.testing.assert_allclose(treated(joint, "PMI - log 5")[0], plain - np.log(5), atol=1e-12)
    assert treated(joint, "PMI, p = 1")[1] == 1.0
    clipped = treated(joint, "positive PMI")[0]
    np.testing.assert_array_equal(clipped, np.maximum(plain, 0))
    assert (plain < 0).any()


def test_dimensions_beyond_the_words_are_refused():
    model = words.AttributeModel((0.3, 0.5))
    with pytest.raises(ConfigError, match="between 1 and the 4 words"):
        ExactAccuracy(model, (2, 5))


def test_known_numbers_belong_to_the_known_words_only():
    assert word_dimension.word_dimension().expected
    assert not word_dimension.word_dimension(attributes=5).expected


@pytest.mark.slow
def test_the_step_to_one_and_what_takes_it_away(tmp_path):
    study = replace(word_dimension.smoke(), trained_dimensions=(7,))
    folder = experiment.run(study, tmp_path)
    claims = {claim["statement"]: claim["holds"] for claim in folder.record["claims"]}
    failing = [statement for statement, holds in claims.items() if not holds]
    assert len(claims) >= 10
    assert not failing

"""Claims own their test: at the limit, beyond it, and where nothing was measured."""

import pytest

from mconn.errors import ConfigError
from mconn.experiment import Claim, Report, claims

PLACE = {"id": "a/b", "statement": "It is so", "source": "nobody"}


@pytest.mark.parametrize(
    ("make", "passes", "fails", "expected"),
    [
        (lambda x: claims.at_most(values=x, limit=1e-4, **PLACE), [0, 1e-4], 2e-4, "at most 1e-04"),
        (lambda x: claims.at_most(values=x, limit=1, strict=True, **PLACE), 0.9, 1, "below 1"),
        (
            lambda x: claims.at_least(values=x, limit=2, unit="nats", **PLACE),
            2,
            1,
            "at least 2 nats",
        ),
        (lambda x: claims.at_least(values=x, limit=2, strict=True, **PLACE), 3, 2, "above 2"),
        (lambda x: claims.between(values=x, low=1, high=2, **PLACE), [1, 2], [1, 3], "1 to 2"),
        (lambda x: claims.near(values=x, expected=2, relative=0.5, **PLACE), [1, 5], 0.9, 2),
        (lambda x: claims.near(values=x, expected=2, absolute=0.5, **PLACE), 2.5, 2.6, 2),
        (lambda x: claims.equal(measured=x, expected=3, **PLACE), 3, 4, 3),
        (lambda x: claims.equal(measured=x, expected=(1, 2), **PLACE), (1, 2), (1, 3), "1, 2"),
        (lambda x: claims.counts(outcomes=x, **PLACE), [True, True], [True, False], "2 of 2 pairs"),
        (
            lambda x: claims.ordered(values=x, falling=True, **PLACE),
            [3, 2, 1],
            [3, 2, 2],
            "2 of 2 steps",
        ),
        (
            lambda x: claims.ordered(values=x, falling=False, **PLACE),
            [[1, 2], [3, 4]],
            [[1, 2], [4, 3]],
            "2 of 2 pairs",
        ),
        (
            lambda x: claims.share_of(values=x, whole=2, least=0.5, of="the naive one", **PLACE),
            [1, 2],
            [1, 0.9],
            "at least 50 % of the naive one",
        ),
    ],
)
def test_words_and_test_come_from_the_same_numbers(make, passes, fails, expected):
    claim = make(passes)
    assert claim.holds
    assert claim.expected == expected
    assert not make(fails).holds


@pytest.mark.parametrize("make", [claims.at_most, claims.at_least])
def test_nothing_measured_holds_nothing(make):
    assert not make(values=[], limit=1, **PLACE).holds
    assert not claims.counts(outcomes=[], **PLACE).holds
    assert not claims.near(values=[], expected=1, absolute=9, **PLACE).holds
    assert not claims.share_of(values=[], whole=1, least=0.1, **PLACE).holds


def test_not_a_number_never_holds():
    nan = float("nan")
    assert not claims.at_most(values=[0, nan], limit=1, **PLACE).holds
    assert not claims.ordered(values=[1, nan, 0], falling=True, **PLACE).holds
    assert not claims.share_of(values=[nan], whole=1, most=1, **PLACE).holds


def test_several_numbers_are_told_with_their_range():
    assert claims.near(values=[1, 3], expected=2, over="pairs", **PLACE).interval == (
        "[1, 3] over pairs"
    )
    assert claims.at_most(values=[1, 3], limit=2, **PLACE).measured == "1 to 3"


def test_an_id_is_written_one_way_and_names_its_groups():
    claim = claims.counts("Order/naive < weights", "s", [True], source="nobody")
    assert claim.id == "order/naive-weights"
    assert claim.is_called("order")
    assert not claim.is_called("ord")
    (again,) = claims.each_with("layer", [claim])
    assert again.id == "order/naive-weights/layer"
    with pytest.raises(ConfigError, match="has the id '/': give it one or more words"):
        claims.counts("/", "s", [True], source="nobody")


def test_two_claims_of_a_study_cannot_share_an_id():
    claim = Claim("s", "nobody", 1, 1, True, id="a")
    with pytest.raises(ConfigError, match="several claims have the id 'a'"):
        Report("t", "q", "s", claims=(claim, claim))

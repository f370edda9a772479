import dataclasses
import enum
import json
import math
from typing import Any

import flax.linen as nn
import numpy as np
import pytest
from hypothesis import given, strategies as st

from mconn.errors import ConfigError
from mconn.experiment import decode, encode
from mconn.experiment.serialise import canonical, digest


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


@dataclasses.dataclass(frozen=True)
class Leaf:
    name: str
    rate: float = 0.1
    parent: int | None = None


@dataclasses.dataclass(frozen=True)
class Branch:
    leaf: Leaf
    others: tuple[Any, ...]
    colour: Colour = Colour.RED
    cached: int = dataclasses.field(default=3, init=False)


class Net(nn.Module):
    widths: tuple[int, ...] = (8, 8)
    activation: str = "relu"

    def __call__(self, x: Any) -> Any:
        return x


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
leaves = st.builds(Leaf, st.text(), st.floats(), st.none() | st.integers())
values = st.recursive(
    scalars | leaves | st.sampled_from(Colour),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.builds(Branch, leaves, st.lists(inner, max_size=3).map(tuple), st.sampled_from(Colour))
    ),
    max_leaves=8,
)


@given(values)
def test_round_trip_through_text(value: Any) -> None:
    text = canonical(encode(value))
    again = decode(json.loads(text))
    # repr, since nan differs from itself and -0.0 equals 0.0.
    assert repr(again) == repr(value)
    assert canonical(encode(again)) == text


def test_types_survive() -> None:
    value = Branch(Leaf("a", math.inf), (1, 1.0, True, (), ("x",), None, -0.0, math.nan))
    again = decode(json.loads(json.dumps(encode(value))))
    assert [type(item) for item in again.others] == [type(item) for item in value.others]
    assert again.leaf == value.leaf


def test_a_flax_module_is_stored_without_what_flax_adds() -> None:
    stored = encode(Net(widths=(4, 2)))
    assert stored["fields"].keys() == {"widths", "activation"}
    assert decode(stored) == Net(widths=(4, 2))


def test_equal_configs_have_equal_digests_and_others_do_not() -> None:
    assert digest(encode(Leaf("a", 1.0))) == digest(encode(Leaf(name="a", rate=1.0)))
    assert digest(encode(Leaf("a", 1.0))) != digest(encode(Leaf("a", 1)))
    assert digest(encode(Leaf("a"))) != digest(encode(Leaf("b")))


def test_the_digest_does_not_change_from_version_to_version() -> None:
    stored = encode((1, 0.1, "ü", None, math.inf))
    assert digest(stored).startswith("4d6816980051")


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, np.int64(3), np.zeros(2), len, Leaf])
def test_what_a_config_cannot_hold_is_named(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"^Branch\.others\[0\] is a "):
        encode(Branch(Leaf("a"), (wrong,)), "Branch")


def tag(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "fields": fields}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (tag("os:system"), "does not exist"),
        (tag("os:_Environ"), "no dataclass"),
        (tag("antigravity:Thing"), "import its module first"),
        (tag("mconn.nothing:Thing"), "does not exist"),
        (tag("builtins:object"), "no dataclass"),
        ({"enum": "builtins:int", "name": "x"}, "no dataclass"),
        ({"enum": f"{__name__}:Colour", "name": "GREEN"}, "no dataclass"),
        (tag(f"{__name__}:Leaf", name="a", wrong=1), "has no field 'wrong'"),
        (tag(f"{__name__}:Leaf", rate=1.0), "needs a field 'name'"),
        ([1], "bare list"),
        ({"float": "1.0"}, "no dataclass"),
        ({}, "no dataclass"),
    ],
)
def test_only_dataclasses_and_enumerations_are_read(stored: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode(stored)

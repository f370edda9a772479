import dataclasses

import pytest
from toys import Numbers, Total

from mconn.errors import ConfigError


def test_fields_that_hold_stages_are_inputs() -> None:
    one, two = Numbers(1), Numbers(2)
    assert Total(one, (two, one)).inputs == {"numbers": one, "others": (two, one)}
    assert one.inputs == {}
    assert Numbers(1, seeds=()).inputs == {}


def test_the_key_depends_on_the_config_and_on_the_inputs() -> None:
    total = Total(Numbers(3))
    assert total.key == Total(Numbers(3, seeds=(0, 1))).key
    keys = {total.key, Total(Numbers(4)).key, Total(Numbers(3), (Numbers(3),)).key, Numbers(3).key}
    assert len(keys) == 4


def test_reading_the_key_leaves_stages_equal() -> None:
    one, two = Numbers(3), Numbers(3)
    assert one.key
    assert one == two
    assert hash(one) == hash(two)


def test_a_stage_with_an_array_is_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Listing(Numbers):
        names: object = ()

    with pytest.raises(ConfigError, match=r"Listing\.names is a list"):
        _ = Listing(3, names=["a"]).key

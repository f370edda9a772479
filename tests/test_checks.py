import pytest

from mconn.checks import check_choice, check_kind
from mconn.errors import ConfigError, StructureError


def test_a_choice_passes():
    check_choice("colour", "red", ["red", "green"])


def test_another_name_is_refused_with_the_choices():
    with pytest.raises(ConfigError) as error:
        check_choice("colour", "gren", ["red", "green"])
    assert str(error.value) == (
        "colour 'gren' is unknown (did you mean 'green'?): choose one of red, green"
    )
    with pytest.raises(ConfigError, match=r"^colour 'x' is unknown: choose one of red, green$"):
        check_choice("colour", "x", ["red", "green"])


def test_an_argument_of_another_kind_is_refused_with_the_way_out():
    check_kind("points", 3, int, "pass a number")
    with pytest.raises(StructureError, match=r"^points is a str, not a int or float: pass one$"):
        check_kind("points", "3", (int, float), "pass one")
    with pytest.raises(StructureError, match="points is the class int"):
        check_kind("points", int, float, "pass one")

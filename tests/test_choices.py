import pytest

from mconn.choices import check_choice
from mconn.errors import ConfigError


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

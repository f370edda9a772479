"""What `import mconn` offers, and what it costs."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import mconn

VERBS = ("act", "barrier", "certify", "discover", "evaluate", "fit", "line", "match")


@pytest.mark.parametrize("verb", VERBS)
def test_the_verbs_are_those_of_their_areas(verb):
    found = getattr(mconn, verb)
    area = found.__module__.split(".")[1]
    assert found is getattr(importlib.import_module(f"mconn.{area}"), verb)
    assert verb in dir(mconn)


def test_every_area_is_at_hand():
    private = {"cli"}  # a program, not a library
    areas = {each.name for each in pkgutil.iter_modules(mconn.__path__) if each.ispkg} - private
    for area in areas & set(mconn.__all__):
        assert getattr(mconn, area).__name__ == f"mconn.{area}"


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match=r"has no attribute 'dicsover'"):
        _ = mconn.dicsover


def test_importing_mconn_imports_nothing_heavy():
    code = "import sys, mconn; print(sorted({'jax', 'numpy', 'flax', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

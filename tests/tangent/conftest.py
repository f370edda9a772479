"""Numbers are in double precision, but for networks that are given in single."""

import jax
import pytest


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield

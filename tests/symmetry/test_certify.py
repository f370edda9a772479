"""The certificate finds wrong generators, whatever the parameters are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import network as shared, vectors

from mconn import symmetry
from mconn.errors import SymmetryError
from mconn.symmetry import Certificate, Generator, Group
from mconn.symmetry.certify import jittered


@pytest.fixture(scope="module")
def network():
    return shared("mlp batch norm")


def without(group, name, leaf):
    """The group with one site of one generator forgotten."""
    generators = [
        dataclasses.replace(g, sites=tuple(s for s in g.sites if s.leaf != leaf))
        if g.name == name
        else g
        for g in group.generators
    ]
    return Group(tuple(generators))


def test_the_same_key_gives_the_same_certificate(network, key):
    case, group = network
    certificate = symmetry.certify(group, case.apply, case.params, *case.inputs, key=key)
    assert certificate.check() is certificate
    assert certificate.holds
    assert set(certificate.changes) == set(group.sizes)
    assert 0 < certificate.worst < 1e-10
    again = symmetry.certify(group, case.apply, case.params, *case.inputs, key=key)
    assert again == certificate


@pytest.mark.parametrize(
    "leaf", ["params/Dense_0/kernel", "params/Dense_0/bias", "batch_stats/BatchNorm_0/mean"]
)
def test_a_forgotten_site_is_found_though_biases_and_statistics_are_trivial(network, leaf, key):
    case, group = network
    initial = jax.tree.map(np.zeros_like, case.params)
    wrong = without(group, "Dense_0", leaf)
    certificate = symmetry.certify(wrong, case.apply, initial, *case.inputs, key=key)
    assert not certificate.holds
    assert certificate.changes["Dense_1"] <= 1e-10
    with pytest.raises(SymmetryError, match="generator 'Dense_0' changes the outputs"):
        certificate.check()


def test_what_is_exact_but_for_epsilon_is_certified_without_it(network, key):
    case, exact = network
    group = symmetry.discover(case.apply, case.params, *case.inputs, ignore_epsilon=True)
    inexact = {generator.name for generator in group.generators if not generator.exact}
    assert {generator.name for generator in group.generators} == set(exact.sizes) | inexact
    certificate = symmetry.certify(group, case.apply, case.params, *case.inputs, key=key)
    assert certificate.check().worst < 1e-10
    assert set(certificate.approximate) == inexact
    assert all(1e-10 < change < 1e-3 for change in certificate.approximate.values())


def test_outputs_that_are_not_finite_prove_nothing():
    with pytest.raises(SymmetryError, match="'w' changes the outputs by nan"):
        Certificate({"w": float("nan")}, 1e-10).check()


def test_nothing_to_certify(key):
    group = symmetry.discover(lambda p, x: x @ p, np.ones((4, 3)), vectors())
    assert group.generators == ()
    assert symmetry.certify(group, lambda p, x: x @ p, np.ones((4, 3)), vectors(), key=key).holds


def test_integer_outputs_and_several_outputs(key):
    def apply(params, x):
        h = jnp.tanh(x @ params["w"]) @ params["out"]
        return {"logits": h, "class": h.argmax(-1), "sure": h > 0}

    params = {"w": np.ones((4, 6), np.float32), "out": np.ones((6, 3), np.float32)}
    group = symmetry.discover(apply, params, vectors())
    assert isinstance(group["w"], Generator)
    symmetry.certify(group, apply, params, vectors(), key=key).check()


def test_jitter_keeps_what_must_be_positive():
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        variances = jittered(np.array([1.0, 0.0, 2.0], np.float32), random)
        biases = jittered(np.zeros(3, np.float32), random)
        steps = jittered(np.arange(3), random)
    assert variances.dtype == biases.dtype == np.float64
    assert np.all(np.asarray(variances) >= 0)
    assert len(set(np.asarray(biases).tolist())) == 3
    np.testing.assert_array_equal(steps, np.arange(3))

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError, DataError, StructureError
from mconn.landscape import Classification
from tests.curvature.networks import (
    APPLY,
    LOSS,
    NORMALISED,
    ROWS,
    Counting,
    columns,
    dense,
    examples,
    flat,
    network,
)

KINDS = {
    "hessian": (curvature.hessian, LOSS),
    "gauss-newton": (curvature.gauss_newton, APPLY),
    "fisher": (curvature.fisher, APPLY),
    "empirical fisher": (curvature.empirical_fisher, LOSS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_nothing(kind):
    make, function = KINDS[kind]
    params, data, vector = network(), examples(), network(5)
    # In batches of 3, 3 and 1, two repeated examples fill up the last one.
    found, in_one = (make(function, params, data, batch_size=size)(vector) for size in (3, 7))
    np.testing.assert_allclose(flat(found), flat(in_one), rtol=0, atol=1e-14)


def test_statistics_of_a_normaliser_are_held():
    loss, data = Classification(NORMALISED.apply), examples()
    params = network(model=NORMALISED)
    operator = curvature.hessian(loss, params, data, batch_size=3)
    assert all(leaf is None for leaf in operator.template["batch_stats"]["BatchNorm_0"].values())
    whole = dense(params, data, loss)
    held = len(flat(params["batch_stats"]))  # in front, as names are sorted
    np.testing.assert_allclose(columns(operator), whole[held:, held:], rtol=0, atol=1e-13)


def test_the_leaves_that_move_can_be_chosen():
    params, data = network(), examples()
    leaves = ["params/Dense_1/bias", "params/Dense_0/kernel"]
    operator = curvature.hessian(LOSS, params, data, leaves=leaves, batch_size=3)
    assert operator.moving == ("params/Dense_0/kernel", "params/Dense_1/bias")
    rows = np.r_[4:24, 24:28]
    expected = dense(params, data)[np.ix_(rows, rows)]
    np.testing.assert_allclose(columns(operator), expected, rtol=0, atol=1e-13)
    vector = operator.restrict(network(5))
    assert jax.tree.structure(vector) == jax.tree.structure(operator.template)
    np.testing.assert_allclose(flat(operator(vector)), expected @ flat(vector), atol=1e-13)


def test_integers_are_held():
    def loss(params, batch):
        return {"loss": params["steps"] * (batch.inputs @ params["weights"]) ** 2}

    data = examples()
    operator = curvature.hessian(loss, {"steps": 3, "weights": np.zeros(5)}, data)
    assert operator.moving == ("weights",)
    expected = 6 * data.inputs.T @ data.inputs / 7
    np.testing.assert_allclose(columns(operator), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("kind", "batch_size"), [("hessian", 3), ("hessian", 7), ("gauss-newton", 3), ("fisher", 3)]
)
def test_half_precision_stays_half_and_is_right_to_rounding(kind, batch_size):
    make, function = KINDS[kind]
    params, vector, data = network(), network(5), examples(dtype=np.float32)
    expected = flat(make(function, params, examples(), batch_size=3)(vector))
    halves = [
        jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), tree) for tree in (params, vector)
    ]
    found = make(function, halves[0], data, batch_size=batch_size)(halves[1])
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(found))
    difference = flat(found).astype(np.float64) - expected
    assert np.linalg.norm(difference) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("batch_size", [10_000, 100_000])
def test_the_number_of_examples_need_not_fit_half_precision(batch_size):
    def loss(params, batch):
        return {"loss": params["weight"] ** 2 * batch}

    data = np.full(70_000, 1e-3, np.float32)
    operator = curvature.hessian(loss, {"weight": np.float16(1)}, data, batch_size=batch_size)
    assert operator({"weight": np.float16(1)})["weight"] == pytest.approx(2e-3, rel=1e-2)


@pytest.mark.parametrize("batch_size", [3, 100])
def test_other_weights_and_data_run_the_same_program(batch_size):
    counting = Counting(LOSS)
    operator = curvature.hessian(counting, network(0), examples(seed=1), batch_size=batch_size)
    vector = network(5)
    first = operator(vector)
    once = counting.traces
    other = curvature.hessian(counting, network(1), examples(seed=2), batch_size=batch_size)
    assert not np.allclose(flat(other(vector)), flat(first))
    again = operator.at(network(1))(vector)
    assert not np.allclose(flat(again), flat(first))
    assert counting.traces == once


def test_bad_input_is_refused():
    params, data = network(), examples()
    for make, function in KINDS.values():
        with pytest.raises(ConfigError, match="batch_size is 0: it must be at least 1"):
            make(function, params, data, batch_size=0)
        with pytest.raises(DataError, match="non-zero number of examples"):
            make(function, params, examples(0))
        with pytest.raises(StructureError, match="'nothing' is none of the parameters: choose am"):
            make(function, params, data, leaves=["nothing"])
        with pytest.raises(StructureError, match="no leaf is to move: choose among params/Dense_0"):
            make(function, params, data, leaves=[])
    operator = curvature.hessian(LOSS, params, data, leaves=["params/Dense_1/bias"])
    assert operator.dimension == 4 < ROWS
    with pytest.raises(StructureError, match="'params/Dense_0/bias' is none of the parameters"):
        operator.block(["params/Dense_0/bias"])
    with pytest.raises(StructureError, match="no leaf is to move: choose among none"):
        curvature.hessian(LOSS, {"steps": 3}, data)

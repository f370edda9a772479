import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from experiments.transport.barriers import (
    SquaredError,
    approximate_dimension,
    linearity_gap,
    spectrum,
    teacher_data,
    weighted,
)
from experiments.transport.claims import FEWEST_SPECTRA, barrier_claims
from experiments.transport.distances import (
    coupling_cost,
    hidden_layer,
    neurons,
    random_layer,
    transport_cost,
)
from experiments.transport.wasserstein import slope
from mconn import landscape, paths
from mconn.models import MLP


def test_the_best_assignment_is_the_best_of_all_permutations():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 3))
    costs = [
        np.mean(np.sum((a - b[list(p)]) ** 2, axis=1)) for p in itertools.permutations(range(5))
    ]
    assert transport_cost(a, b) == pytest.approx(min(costs), rel=1e-12)
    assert coupling_cost(a, b) == pytest.approx(min(costs), rel=1e-9)


def test_on_the_line_sorting_is_the_assignment():
    a, b = np.random.default_rng(1).normal(size=(2, 20, 1))
    flat = [np.concatenate([each, np.zeros_like(each)], axis=1) for each in (a, b)]
    assert transport_cost(a, b) == pytest.approx(transport_cost(*flat), rel=1e-12)


def test_a_neuron_is_all_its_weights():
    layer = random_layer(np.random.default_rng(0), size=4, inputs=3, outputs=2)
    assert neurons(layer).shape == (4, 3 + 1 + 2)
    assert np.sum(neurons(layer) ** 2) == pytest.approx(
        sum(np.sum(leaf.astype(float) ** 2) for leaf in layer.values())
    )
    assert hidden_layer(layer, jnp.ones((5, 3))).shape == (5, 2)


def test_the_slope_of_a_power_law_is_its_power():
    import pyarrow as pa

    rows = [
        {"law": "normal", "dimension": 4, "size": m, "distance": 2 * m**-0.25, "standard_error": 0}
        for m in (8, 16, 32)
    ]
    value, error = slope(pa.Table.from_pylist(rows), 4)
    assert value == pytest.approx(-0.25, abs=1e-12)
    assert error == 0


def test_the_approximate_dimension_counts_equal_variances():
    assert approximate_dimension(spectrum(0.0, 12)) == pytest.approx(12)
    assert approximate_dimension(spectrum(40.0, 12)) == pytest.approx(1)
    assert spectrum(1.5, 12).mean() == pytest.approx(1)


def test_targets_are_standardised_on_train_and_inputs_have_the_spectrum():
    data = teacher_data(2.0, 6, examples=4000, seed=0)
    assert data["train"]["targets"].mean() == pytest.approx(0, abs=1e-5)
    assert data["train"]["targets"].std() == pytest.approx(1, abs=1e-5)
    assert np.allclose(data["test"]["inputs"].var(axis=0), spectrum(2.0, 6), rtol=0.15)


def test_the_gap_of_a_linear_network_is_zero_and_of_a_hidden_layer_is_not():
    def linear(params, x):
        return x @ params["w"]

    random = np.random.default_rng(0)
    batch = {
        "inputs": random.normal(size=(30, 3)).astype(np.float32),
        "targets": np.zeros(30, np.float32),
    }
    ts = np.linspace(0, 1, 5)
    ends = [{"w": random.normal(size=(3, 1)).astype(np.float32)} for _ in range(2)]
    flat = landscape.evaluate(SquaredError(linear), paths.line(*ends), ts, batch)
    assert linearity_gap(flat) <= 1e-10
    layers = [random_layer(random, 6, 3, 1) for _ in range(2)]
    bent = landscape.evaluate(SquaredError(hidden_layer), paths.line(*layers), ts, batch)
    assert linearity_gap(bent) > 1e-2


def test_weights_are_weighted_on_the_side_of_the_inputs():
    model = MLP(width=4, depth=1, classes=1)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 3)))
    scaled = weighted(params, np.array([1.0, 2.0, 0.0]))["params"]
    kernel = params["params"]["Dense_0"]["kernel"]
    assert np.allclose(scaled["Dense_0"]["kernel"], kernel * np.array([[1.0], [2.0], [0.0]]))
    assert scaled["Dense_1"] is params["params"]["Dense_1"]


def test_trends_are_judged_over_enough_spectra():
    values = {"naive": 1.0, "weights": 0.5, "covariance": 0.4, "random": 0.5}
    rows = [
        {"power": power, "method": method, "split": "test", "value": value}
        for power in range(FEWEST_SPECTRA)
        for method, value in values.items()
    ]
    ranks = {("weights", "value"): 0.9, ("weights", "gap"): 0.9, ("covariance", "gap"): 0.5}
    found = {claim.id: claim.holds for claim in barrier_claims(pd.DataFrame(rows), ranks)}
    assert found == {
        "rises/barrier/weights": True,
        "rises/linearity-gap/covariance": False,
        "covariance-matching": True,
        "random-does-not-help": False,
    }
    few = pd.DataFrame(rows).query("power < 3")
    assert [claim.id for claim in barrier_claims(few, ranks)] == ["random-does-not-help"]

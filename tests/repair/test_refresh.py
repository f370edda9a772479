"""A sweep repairs every point, with the ends' statistics as data."""

import jax
import numpy as np
from two_layers import OUTPUTS, apply, examples, layers_of, mix, network, stacked

from mconn import landscape, paths, repair
from mconn.data import Split
from mconn.measure import Execution

CLASSIFY = landscape.Classification(apply)
NETWORKS = [jax.tree.map(np.float32, network(seed)) for seed in range(3)]
LAYERS = layers_of(apply, NETWORKS[0], examples()[0, :2])


losses = jax.jit(lambda params: CLASSIFY(params, TEST)["loss"])


def split(seed):
    inputs = examples(size=40, seed=seed)[0].astype(np.float32)
    return Split(inputs, np.arange(40, dtype=np.int32) % OUTPUTS)


TRAIN, TEST = split(1), split(2)


def refresh(networks, **options):
    ends = repair.measure(LAYERS, apply, stacked(networks), TRAIN.inputs[None])
    return repair.Repair(ends, LAYERS, apply, **options)


def test_every_point_is_repaired_and_the_ends_are_not():
    networks = NETWORKS[:2]
    repairer = refresh(networks)
    profile = landscape.evaluate(
        CLASSIFY,
        paths.line(*networks),
        np.linspace(0, 1, 5),
        TEST,
        execution=Execution(refresh=repairer, refresh_data=TRAIN),
    )
    for i, t in enumerate((0, 0.25, 0.5, 0.75, 1)):
        weights = np.array([1 - t, t], np.float32)
        point = mix(weights, networks)
        if 0 < t < 1:
            batches = TRAIN.inputs[None]
            point = repair.repair(LAYERS, apply, point, repairer.ends, weights, batches)
        expected = losses(point)
        np.testing.assert_allclose(profile.values["loss"][i], expected, rtol=1e-3, atol=1e-4)


def test_a_mixture_of_three_networks():
    thirds = np.full(3, 1 / 3, np.float32)
    repairer = refresh(NETWORKS, passes=2)
    profile = landscape.evaluate(
        CLASSIFY,
        paths.simplex(NETWORKS),
        np.array([*np.eye(3), thirds]),
        TEST,
        execution=Execution(refresh=repairer, refresh_data=TRAIN),
    )
    point = repairer(mix(thirds, NETWORKS), Split(TRAIN.inputs[None], TRAIN.labels[None]), thirds)
    expected = losses(point)
    np.testing.assert_allclose(profile.values["loss"][3], expected, rtol=1e-3, atol=1e-4)


def test_the_closed_form_needs_no_data():
    networks = NETWORKS[:2]
    ends = refresh(networks).ends
    profile = landscape.evaluate(
        CLASSIFY,
        paths.line(*networks),
        np.array([0, 0.5, 1]),
        TEST,
        execution=Execution(refresh=repair.RepairClosedForm(ends, LAYERS)),
    )
    half = np.array([0.5, 0.5], np.float32)
    point = repair.repair_closed_form(LAYERS, mix(half, networks), ends, half)
    expected = losses(point)
    np.testing.assert_allclose(profile.values["loss"][1], expected, rtol=1e-3, atol=1e-4)


def test_pairs_share_one_compiled_program(caplog):
    ts = np.array([0, 0.5, 1])
    for i, (a, b) in enumerate([(0, 1), (0, 2)]):
        networks = [NETWORKS[a], NETWORKS[b]]
        repairer = refresh(networks)
        with jax.log_compiles(i == 1):
            landscape.evaluate(
                CLASSIFY, paths.line(*networks), ts, TEST, execution=Execution(refresh=repairer)
            )
    assert not [line for line in caplog.messages if "measure_points" in line]

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from curves import along, arc_length, assert_bits_equal, distance, entry, mixture, network
from jax.flatten_util import ravel_pytree
from notes import Notes

from mconn import landscape, paths, trees
from mconn.data import Split
from mconn.errors import CheckpointError, ConfigError, DataError, DivergenceError, StructureError
from mconn.paths import BandConfig, Cycle, elastic_band
from mconn.paths.band import auto, program
from mconn.paths.band.auto import batches, inserted, rule_of, sagging
from mconn.paths.band.program import begin, run_steps, tangent_weights
from mconn.training import Optimiser, transformation

DEEP, SHALLOW = np.array([-0.558224, 1.441726]), np.array([0.623499, 0.028038])
"""The two deepest minima of the potential of Mueller and Brown (1979)."""

SADDLE = -40.66484
"""The highest point of its lowest path between them."""


def mueller_brown(params, batch):
    x, y = params["x"]
    height = jnp.array([-200.0, -100.0, -170.0, 15.0])
    a, b, c = (
        jnp.array([-1.0, -1.0, -6.5, 0.7]),
        jnp.array([0.0, 0.0, 11.0, 0.6]),
        jnp.array([-10.0, -10.0, -6.5, 0.7]),
    )
    dx, dy = x - jnp.array([1.0, 0.0, -0.5, -1.0]), y - jnp.array([0.0, 0.5, 1.5, 1.0])
    energy = jnp.sum(height * jnp.exp(a * dx**2 + b * dx * dy + c * dy**2))
    return {"loss": jnp.full(len(batch), energy)}


NO_EXAMPLES = np.zeros(4, np.float32)


def at(x):
    return {"x": np.asarray(x, np.float32)}


SGD = Optimiser("sgd", learning_rate=1e-4, momentum=0.9, schedule="constant")


def config(*cycles, **changes):
    return BandConfig(
        cycles or (Cycle(500),), **{"batch_size": 4, "optimiser": SGD, "threshold": 0.0} | changes
    )


def mueller_band(band, bends=5, **changes):
    chain = paths.chain(at(DEEP), at(SHALLOW), bends)
    return elastic_band(mueller_brown, chain, NO_EXAMPLES, band, jax.random.key(0), **changes)


CYCLES = (Cycle(500), Cycle(insert=4), Cycle(), Cycle(insert=0, learning_rate=2e-5))
SHORT = (Cycle(30), Cycle(insert=2), Cycle(insert=0))


@pytest.fixture(scope="module")
def found():
    return mueller_band(config(*CYCLES))


@pytest.fixture(scope="module")
def short():
    return mueller_band(config(*SHORT))


def test_the_highest_point_of_a_band_converges_to_the_saddle(found):
    saddles = [record.saddle for record in found.history]
    assert saddles[0] > SADDLE + 50
    assert saddles[1] > SADDLE + 0.5
    assert saddles[-1] == pytest.approx(SADDLE, abs=0.15)
    pivots = [record.pivots for record in found.history]
    assert pivots[0] == pivots[1] < pivots[2] < pivots[3] == pivots[4]


def test_springs_lead_to_the_same_saddle_and_keep_pivots_apart():
    found = mueller_band(config(Cycle(2000, 2e-5), spring=1000.0), bends=11)
    assert found.history[-1].saddle == pytest.approx(SADDLE, abs=1)
    lengths = np.diff(found.history[-1].arc_length[found.history[-1].is_pivot])
    assert lengths.max() < 1.3 * lengths.min()


def test_redistribution_holds_every_segment_at_its_share(found):
    record = found.history[1]
    lengths = np.diff(record.arc_length[record.is_pivot])
    np.testing.assert_allclose(lengths / lengths.sum(), 1 / 6, rtol=0.03)


def test_ends_are_exact_to_the_bit_and_inputs_stay_as_they_were():
    a, b = at(DEEP), at(SHALLOW)
    chain = paths.chain(a, b, 5)
    kept = trees.to_numpy(chain)
    path = elastic_band(mueller_brown, chain, NO_EXAMPLES, config(*SHORT), None).path
    assert_bits_equal(entry(path.controls, 0), a)
    assert_bits_equal(entry(path.controls, -1), b)
    assert_bits_equal(chain, kept)


def test_the_profile_of_a_record_is_that_of_the_path(found):
    record = found.history[-1]
    ts = np.linspace(0, 1, len(record.losses), dtype=np.float32)
    points = along(found.path, ts)
    losses = jax.jit(jax.vmap(lambda p: mueller_brown(p, [0])["loss"][0]))(points)
    np.testing.assert_allclose(record.losses, losses, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(record.arc_length, arc_length(found.path, ts), rtol=1e-4, atol=1e-4)
    assert record.saddle == record.losses.max()
    assert record.length == record.arc_length[-1]
    assert record.is_pivot.sum() == record.pivots == found.path.count


def test_samples_and_evaluations_are_counted(short):
    assert [record.pivots for record in short.history] == [7, 7, 9, 9]
    assert short.samples == 4 * 30 * (5 + 7 + 7)
    assert short.evaluations == 4 * (61 + 61 + 81 + 81) + 2 * 4


def linear(params, x):
    return x @ params["kernel"] + params["bias"][0]


def classified(examples=23):
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(examples, 4)).astype(np.float32)
    return Split(inputs, generator.integers(0, 3, examples).astype(np.int32))


def with_statistics(seed):
    return {"params": network(seed), "batch_stats": {"mean": np.full(3, 100.0 * seed, "f4")}}


LOSS = landscape.Classification(lambda params, x: linear(params["params"], x))


def test_the_chain_is_evaluated_on_the_data_asked_for_and_statistics_are_held():
    train, other = classified(), classified(1003)
    chain = paths.chain(with_statistics(0), with_statistics(1), 3)
    found = elastic_band(LOSS, chain, train, config(Cycle(20)), dense_data=other)
    assert_bits_equal(found.path.controls["batch_stats"], chain.controls["batch_stats"])
    record = found.history[0]  # whose length is that of the leaves that are trained
    assert record.length == pytest.approx(distance(network(0), network(1)), rel=1e-5)
    for t, loss in zip(np.linspace(0, 1, len(record.losses)), record.losses, strict=True):
        point = mixture([network(0), network(1)], [1 - t, t])
        logits = other.inputs @ point["kernel"] + point["bias"][0]
        chosen = np.take_along_axis(logits, other.labels[:, None], 1)[:, 0]
        expected = (np.log(np.exp(logits).sum(axis=1)) - chosen).mean()
        assert loss == pytest.approx(expected, rel=1e-5)


def cross_entropy(params, batch):
    """In the precision of the network."""
    logits = linear(params, batch.inputs)
    return {"loss": optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)}


@pytest.mark.parametrize(
    ("one_by_one", "spring", "decay"), [(True, 3.0, 0.1), (False, math.inf, 0.0)]
)
def test_steps_are_those_of_a_loop_over_pivots_on_the_same_batches(
    one_by_one, spring, decay, monkeypatch
):
    """Against a reference that takes pivot after pivot in NumPy, in double precision."""
    monkeypatch.setattr(program, "_is_one_by_one", lambda: one_by_one)
    compiled: Any = run_steps
    compiled.clear_cache()
    with jax.enable_x64(True):
        nets = [double(seed) for seed in range(4)]
        stacked, data = trees.stack(nets), classified()
        data = Split(data.inputs.astype(np.float64), data.labels)
        shares = np.array([0.5, 0.25, 0.25])
        at_end = jax.jit(cross_entropy)
        ends = np.stack([np.asarray(at_end(nets[i], data)["loss"]) for i in (0, -1)])
        rows = np.arange(8).reshape(2, 4)
        rates = np.array([0.1, 0.05])
        rule = rule_of(config(spring=spring, weight_decay=decay))
        state, losses = run_steps(
            begin(stacked, rule),
            shares,
            rows,
            rates,
            ends,
            data,
            eval_fn=cross_entropy,
            rule=rule,
        )
        expected = steps_pivot_by_pivot(nets, shares, data, rows, rates, spring, decay)
        np.testing.assert_allclose(flat(state.controls), expected, rtol=1e-12, atol=1e-12)
        assert losses.shape == (2, 2)
        assert_bits_equal(entry(state.controls, 0), nets[0])
        assert_bits_equal(entry(state.controls, 3), nets[3])


def double(seed):
    return jax.tree.map(lambda leaf: leaf.astype(np.float64), network(seed))


def flat(stacked):
    return np.concatenate(
        [np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(stacked)], axis=1
    )


def steps_pivot_by_pivot(nets, shares, data, rows, rates, spring, decay):
    band = flat(trees.stack(nets))
    shapes = nets[0]

    @jax.jit
    @jax.value_and_grad
    def loss_and_slope(row, batch, decay):
        restore = ravel_pytree(shapes)[1]
        return cross_entropy(restore(row), batch)["loss"].mean() + 0.5 * decay * row @ row

    velocity = np.zeros_like(band)
    for chosen, rate in zip(rows, rates, strict=True):
        batch = Split(data.inputs[chosen], data.labels[chosen])
        losses, slopes = zip(*(loss_and_slope(row, batch, decay) for row in band), strict=True)
        losses = [float(each) for each in losses]
        length = np.linalg.norm(np.diff(band, axis=0), axis=1).sum()
        new = band.copy()
        for i in range(1, len(band) - 1):
            gradient = np.asarray(slopes[i])
            tangent = henkelman_jonsson(band[i - 1 : i + 2], losses[i - 1 : i + 2])
            change = gradient - (gradient @ tangent) * tangent
            if np.isfinite(spring):
                ahead = np.linalg.norm(band[i + 1] - band[i]) - shares[i] * length
                behind = np.linalg.norm(band[i] - band[i - 1]) - shares[i - 1] * length
                change -= spring * (ahead - behind) * tangent
            velocity[i] = 0.9 * velocity[i] + change
            new[i] = band[i] - rate * velocity[i]
        band = new if np.isfinite(spring) else put_back(new, shares)
    return band


def henkelman_jonsson(rows, losses):
    ahead, behind = rows[2] - rows[1], rows[1] - rows[0]
    before, here, after = losses
    if after > here > before:
        tangent = ahead
    elif after < here < before:
        tangent = behind
    else:
        larger, smaller = sorted([abs(after - here), abs(before - here)], reverse=True)
        if after > before:
            tangent = larger * ahead + smaller * behind
        else:
            tangent = smaller * ahead + larger * behind
    return tangent / np.linalg.norm(tangent)


def put_back(band, shares):
    lengths = np.linalg.norm(np.diff(band, axis=0), axis=1)
    reached = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.cumsum(shares)[:-1] * reached[-1]
    inside = [np.interp(wanted, reached, column) for column in band.T]
    return np.concatenate([band[:1], np.stack(inside, axis=1), band[-1:]])


@pytest.mark.parametrize(
    ("losses", "ahead", "behind"),
    [
        ((0, 1, 2), 1, 0),  # uphill
        ((2, 1, 0), 0, 1),  # downhill
        ((0, 3, 1), 2, 3),  # a maximum, whose higher neighbour lies ahead: 3 and 2
        ((1, 3, 0), 2, 3),
        ((4, 1, 2), 1, 3),  # a minimum
        ((1, 1, 1), 1, 1),
    ],
)
def test_tangents_point_uphill(losses, ahead, behind):
    found = trees.to_numpy(jax.jit(tangent_weights)(np.array(losses, np.float32)))
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    tangent = float(found[0][0]) * (rows[2] - rows[1]) + float(found[1][0]) * (rows[1] - rows[0])
    if len(set(losses)) > 1:
        expected = henkelman_jonsson(rows, losses)
        np.testing.assert_allclose(tangent / np.linalg.norm(tangent), expected, rtol=1e-6)
    else:
        np.testing.assert_allclose(tangent, [1, 1])
    if (losses, ahead, behind) in (((0, 1, 2), 1, 0), ((2, 1, 0), 0, 1), ((4, 1, 2), 1, 3)):
        assert (float(found[0][0]), float(found[1][0])) in ((ahead, behind), (behind, ahead))


def test_every_example_is_seen_once_in_a_pass_and_cycles_differ():
    rows = batches((0, 7, 1), examples=23, size=4, steps=12)
    assert rows.shape == (12, 4)
    for part in (rows[:5], rows[5:10]):
        assert len(np.unique(part)) == 20
    assert not np.array_equal(rows, batches((0, 7, 2), examples=23, size=4, steps=12))


def test_a_band_that_was_stopped_ends_with_the_same_bits(tmp_path, short):
    band, whole = config(*SHORT), short

    class Stop(Exception):
        pass

    original, calls = auto._looked_at, []

    def look(*args):
        calls.append(args)
        if len(calls) == 4:  # of the last cycle
            raise Stop
        return original(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "_looked_at", look)
        with pytest.raises(Stop):
            mueller_band(band, keeper=tmp_path / "band")
    notes = Notes()
    again = mueller_band(band, keeper=tmp_path / "band", progress=notes)
    assert notes.lines[0] == "band: going on after cycle 2 of 3"
    assert_bits_equal(again.path.controls, whole.path.controls)
    for ours, theirs in zip(again.history, whole.history, strict=True):
        np.testing.assert_array_equal(ours.losses, theirs.losses)
    assert again.samples == whole.samples
    with pytest.raises(CheckpointError, match="belongs to another band"):
        mueller_band(config(Cycle(31)), keeper=tmp_path / "band")


def test_a_second_band_of_the_same_shapes_is_not_compiled_again(short):
    compiled: Any = run_steps
    before = compiled._cache_size()
    chain = paths.chain(at(SHALLOW), at(DEEP), 5)
    other = config(Cycle(30, 1e-6), Cycle(), Cycle(60))
    elastic_band(mueller_brown, chain, NO_EXAMPLES + 1, other, jax.random.key(3))
    assert compiled._cache_size() - before == 1  # sixty steps in one call


def test_other_optimisers_and_schedules_relax_a_band_too():
    adam = Optimiser("adam", learning_rate=0.01, schedule="cosine")
    found = mueller_band(config(Cycle(1000), optimiser=adam), bends=9)
    assert found.history[-1].saddle == pytest.approx(SADDLE, abs=1)


def diverging(params, batch):
    loss = jnp.vdot(params["x"], params["x"])
    return {"loss": jnp.full(len(batch), jnp.where(loss > 1.5, jnp.nan, -loss))}


def test_divergence_names_cycle_step_and_pivot():
    chain = paths.through([at([0.0, 0]), at([0.5, 1.0]), at([1.0, 0])])
    with pytest.raises(DivergenceError, match=r"pivot 1 is not finite at step 2 of cycle 1: lower"):
        elastic_band(diverging, chain, NO_EXAMPLES, config(Cycle(5, 5.0)), jax.random.key(0))
    high = paths.through([at([0.0, 0]), at([0.0, 1.8]), at([1.0, 0])])
    with pytest.raises(DivergenceError, match=r"at t = 0.350 of the chain that was given"):
        elastic_band(diverging, high, NO_EXAMPLES, config(), jax.random.key(0))


def test_what_is_no_band_is_refused():
    a, b = at([0.0, 0]), at([1.0, 0])

    def band(path, data=NO_EXAMPLES):
        return elastic_band(mueller_brown, path, data, config(), jax.random.key(0))

    with pytest.raises(StructureError, match="begins as a chain"):
        band(paths.bezier(a, b))
    with pytest.raises(StructureError, match="no pivot between its ends"):
        band(paths.through([a, b]))
    with pytest.raises(StructureError, match="its ends must differ"):
        band(paths.chain(a, a))
    with pytest.raises(DataError, match="3 examples and batch_size is 4"):
        band(paths.chain(a, b), np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: config(Cycle(None)), "the first cycle has no steps"),
        (lambda: dataclasses.replace(config(), cycles=()), "there is no cycle"),
        (lambda: Cycle(10, -0.1), "learning_rate is -0.1"),
        (lambda: Cycle(0), "steps is 0"),
        (lambda: Cycle(1, insert=-1), "insert is -1"),
        (lambda: config(batch_size=0), "batch_size is 0"),
        (lambda: config(sub_points=0), "sub_points is 0"),
        (lambda: config(spring=0.0), "spring is 0.0"),
        (lambda: config(threshold=-0.1), "threshold is -0.1"),
        (lambda: config(weight_decay=-1.0), "weight_decay is -1.0"),
        (
            lambda: config(optimiser=dataclasses.replace(SGD, weight_decay=0.1)),
            "would pull along the band",
        ),
        (
            lambda: config(optimiser=dataclasses.replace(SGD, warmup_epochs=1)),
            "warmup_epochs is 1",
        ),
    ],
)
def test_cycles_and_rules_out_of_range_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_cycles_are_differences_from_the_one_before():
    found = config(Cycle(5), Cycle(insert=2), Cycle(7, 0.5), Cycle(insert=0)).resolved()
    assert found == [(5, 1e-4, 0), (5, 1e-4, 2), (7, 0.5, 2), (7, 0.5, 0)]
    published = BandConfig().resolved()
    assert len(published) == 14
    assert sum(steps for steps, _, _ in published) == 16_000


def test_momentum_is_that_of_optax():
    """The learning rate, which is an argument of the program, multiplies what optax returns."""
    optimiser = optax.sgd(0.1, momentum=0.9)
    gradients = [jnp.array([1.0, -2.0]), jnp.array([0.5, 1.0])]
    rule = rule_of(config())
    ours = transformation(rule.optimiser, 1, 1)
    states = [optimiser.init(gradients[0]), ours.init(gradients[0])]
    for gradient in gradients:
        theirs, states[0] = optimiser.update(gradient, states[0])
        mine, states[1] = ours.update(gradient, states[1])
        np.testing.assert_allclose(0.1 * np.asarray(mine), np.asarray(theirs), rtol=1e-6)


def test_pivots_are_missing_where_the_loss_exceeds_the_line_by_a_share_of_the_range():
    dense = np.array([[0, 1, 2, 3], [3, 2.0, 2.9, 0], [0, 0.3, 0.2, 0]])
    assert sagging(dense, 0.1, 5) == [(1, 2)]
    assert sagging(dense, 0.09, 5) == [(1, 2), (2, 1)]
    assert sagging(dense, 0.09, 1) == [(1, 2)]
    assert sagging(dense, 0.09, 0) == []
    assert sagging(dense, 0.7, 5) == []
    assert sagging(np.ones((2, 4)), 0.0, 5) == []


def test_inserted_pivots_lie_on_the_chain_and_share_the_length():
    chain = paths.through([at([0, 0]), at([0, 3]), at([3, 3])])
    controls = trees.to_numpy(chain.controls)
    shares = np.array([0.4, 0.6], np.float32)
    more, finer = inserted(controls, shares, [(0, 1), (1, 2)], 3)
    np.testing.assert_allclose(more["x"], [[0, 0], [0, 1], [0, 3], [2, 3], [3, 3]])
    np.testing.assert_allclose(finer, [0.4 / 3, 0.8 / 3, 0.4, 0.2], rtol=1e-6)
    same, unchanged = inserted(controls, shares, [], 3)
    np.testing.assert_array_equal(same["x"], chain.controls["x"])
    np.testing.assert_array_equal(unchanged, shares)
    assert jax.tree.structure(same) == jax.tree.structure(chain.controls)

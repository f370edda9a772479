import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pytest

from experiments.many.aligned import (
    at_centre,
    barycentric_grid,
    bump,
    bump_profile,
    on_edges,
)
from experiments.many.claims import centre_claim
from experiments.many.star import train_epoch
from mconn import data, landscape, paths


@pytest.mark.parametrize("steps", [6])
def test_a_bump_vanishes_on_all_edges_and_is_one_at_the_centre(steps):
    points = barycentric_grid(steps)
    found = bump_profile(points)
    assert found["edges"] == 0
    assert found["centre"] == pytest.approx(1, rel=1e-6)
    corners = [{"weights": corner} for corner in np.eye(3, dtype=np.float32)]
    for a, b in itertools.combinations(corners, 2):
        edge = landscape.evaluate(bump, paths.line(a, b), np.linspace(0, 1, 11), np.zeros(2))
        assert landscape.barrier(edge).value == 0


def test_a_grid_of_a_triangle_has_its_corners_edges_and_centre():
    points = barycentric_grid(6)
    assert len(points) == 7 * 8 / 2
    assert np.allclose(points.sum(axis=1), 1)
    assert on_edges(points).sum() == 3 * 6
    assert at_centre(points).sum() == 1


@pytest.mark.parametrize(("centre", "holds"), [(2.0, True), (0.5, False)])
def test_the_centre_is_compared_with_the_highest_edge(centre, holds):
    rows = [
        {
            "method": method,
            "triple": "0-1-2",
            "split": "train",
            **dict(zip(("first", "second", "third"), weights.tolist(), strict=True)),
            "loss": centre if weights.min() > 0 else 1.0,
        }
        for method in ("weights together", "activations together")
        for weights in barycentric_grid(6)
    ]
    assert centre_claim(pa.Table.from_pylist(rows)).holds is holds


def linear(params, x):
    return x @ params["w"]


def test_training_on_lines_leaves_the_sources_in_place_and_lowers_the_lines():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(60, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int32)
    star = {"w": jnp.zeros((4, 2))}
    source = {"w": jnp.asarray(random.normal(size=(4, 2)).astype(np.float32))}
    sources = jax.tree.map(lambda leaf: leaf[None], source)
    batch = data.Split(inputs, labels)

    def highest(network):
        line = paths.line(network, source)
        profile = landscape.evaluate(
            landscape.Classification(linear), line, np.linspace(0, 1, 5), batch
        )
        return profile.mean("loss")[:-1].mean()

    from experiments.many.star import optimiser

    state = optimiser(0.1, 60).init(star)
    carried, loss = (star, state), jnp.zeros(())
    for epoch in range(10):
        *moved, loss = train_epoch(
            linear,
            (0.1, 60),
            10,
            True,
            carried,
            sources,
            jax.random.key(epoch),
            jnp.asarray(inputs),
            jnp.asarray(labels),
        )
        carried = tuple(moved)
    assert np.isfinite(float(loss))
    assert highest(carried[0]) < highest(star) - 0.1

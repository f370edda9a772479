"""Rotary position embedding is recognised however it is written, with all that commutes with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from symmetry_zoo import pure

from mconn import symmetry

TIME, HEADS, SIZE = 3, 2, 4
X = np.random.default_rng(0).normal(size=(TIME, 5)).astype(np.float32)


def angles():
    return jnp.outer(jnp.arange(TIME), 10.0 ** -jnp.arange(SIZE // 2))[:, None]


def halves(x):
    first, second = jnp.split(x, 2, axis=-1)
    cosine, sine = jnp.cos(angles()), jnp.sin(angles())
    return jnp.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine], axis=-1
    )


def swapped(x):
    """As transformers writes it: the second half, negated, before the first one."""
    frequencies = angles()
    both = jnp.concatenate([frequencies, frequencies], axis=-1)
    half = x.shape[-1] // 2
    turned = jnp.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return x * jnp.cos(both) + turned * jnp.sin(both)


def neighbours(x):
    """As Su et al. write it: the units 2 i and 2 i + 1 are a pair."""
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    cosine, sine = jnp.cos(angles()), jnp.sin(angles())
    turned = [first * cosine - second * sine, second * cosine + first * sine]
    return jnp.stack(turned, axis=-1).reshape(x.shape)


def mirrored(x):
    first, second = jnp.split(x, 2, axis=-1)
    cosine, sine = jnp.cos(angles()), jnp.sin(angles())
    return jnp.concatenate(
        [first * cosine + second * sine, first * sine - second * cosine], axis=-1
    )


def attention(rotated):
    def apply(params, x):
        query, key = (
            rotated((x @ params[name]).reshape(TIME, HEADS, SIZE)) for name in ("query", "key")
        )
        scores = jax.nn.softmax(jnp.einsum("thd,shd->hts", query, key))
        return jnp.einsum("hts,sd,hde->te", scores, x, params["out"])

    width = HEADS * SIZE
    return pure(apply, {"query": (5, width), "key": (5, width), "out": (HEADS, 5, 3)}, X)


def found(rotated, key):
    case = attention(rotated)
    group = symmetry.discover(case.apply, case.params, *case.inputs)
    symmetry.certify(group, case.apply, case.params, *case.inputs, key=key).check()
    return group


@pytest.mark.parametrize("rotated", [halves, swapped, neighbours])
def test_pairs_are_turned_and_scaled_inside_every_head(rotated, key):
    group = found(rotated, key)
    by_kind = {generator.kind: generator for generator in group.generators}
    assert set(by_kind) == {"permutation", "rotation", "scaling"}
    assert by_kind["permutation"].size == HEADS
    # The matrices that commute with rotations of a plane by all angles are the complex numbers.
    assert by_kind["rotation"].dimension == by_kind["scaling"].dimension == HEADS * SIZE // 2
    heads = by_kind["permutation"].name
    assert [fibre.name for fibre in by_kind["rotation"].fibres if fibre.moves] == [heads]
    assert {site.power for site in by_kind["rotation"].sites} == {1}
    assert {site.power for site in by_kind["scaling"].sites} == {1, -1}


def test_a_mirrored_pair_is_no_rotation(key):
    kinds = {generator.kind for generator in found(mirrored, key).generators}
    assert "rotation" not in kinds


def test_angles_that_are_learned_are_no_constants(key):
    def apply(params, x):
        first, second = jnp.split(x @ params["query"], 2, axis=-1)
        cosine, sine = jnp.cos(params["angles"]), jnp.sin(params["angles"])
        turned = jnp.concatenate(
            [first * cosine - second * sine, second * cosine + first * sine], axis=-1
        )
        return jax.nn.softmax(turned @ (x @ params["key"]).T) @ x

    case = pure(apply, {"query": (5, SIZE), "key": (5, SIZE), "angles": (SIZE // 2,)}, X)
    group = symmetry.discover(case.apply, case.params, X)
    assert all(generator.kind != "rotation" for generator in group.generators)
    symmetry.certify(group, case.apply, case.params, X, key=key).check()

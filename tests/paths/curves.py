"""Networks of two leaves, curves between them, and how they are compared."""

import dataclasses

import jax
import numpy as np

from mconn import paths

at = jax.jit(lambda path, t: path(t))
along = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))
# One program each, where a call outside of `jax.jit` compiles one for every operation.
arc_length = jax.jit(lambda path, ts: path.arc_length(ts))
length = jax.jit(lambda path: path.length())
by_arc_length = jax.jit(lambda path: paths.by_arc_length(path))


def network(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return {
        "kernel": rng.normal(size=(4, 3)).astype(dtype),
        "bias": (rng.normal(size=(3,)).astype(dtype), -np.zeros(2, dtype)),
    }


A, B, C, D = (network(seed) for seed in range(4))


def moved(path, seed=7):
    """The path with its free control points elsewhere."""
    rng = np.random.default_rng(seed)
    free = np.array([i not in path.fixed for i in range(path.count)])

    def move(leaf):
        step = rng.normal(size=leaf.shape).astype(leaf.dtype)
        leaf = np.asarray(leaf)
        return np.where(free.reshape(-1, *[1] * (leaf.ndim - 1)), leaf + step, leaf)

    return dataclasses.replace(path, controls=jax.tree.map(move, path.controls))


def mixture(networks, weights):
    """The sum of networks with these weights, on the host."""
    return jax.tree.map(
        lambda *leaves: sum(w * np.asarray(x) for w, x in zip(weights, leaves, strict=True)),
        *networks,
    )


def distance(x, y):
    leaves = zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
    return np.sqrt(sum(((np.asarray(a) - np.asarray(b)) ** 2).sum() for a, b in leaves))


def entry(stacked, i):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[i], stacked)


def assert_bits_equal(x, y):
    def compare(a, b):
        a, b = np.asarray(a), np.asarray(b)
        np.testing.assert_array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))

    jax.tree.map(compare, x, y)


def assert_close(x, y, atol=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=atol), x, y)


CURVES = {
    "line": paths.line(A, B),
    "bezier": moved(paths.bezier(A, B)),
    "bezier of 4 bends": moved(paths.bezier(A, B, bends=4)),
    "chain": paths.through([A, C, D, B]),
    "chain of 1 bend": moved(paths.chain(A, B)),
    "joined": paths.concatenate([moved(paths.bezier(A, C)), paths.line(C, B)]),
    "by length": by_arc_length(moved(paths.bezier(A, B))),
}

"""Random networks from a grammar of primitives, to look for a generator that does not hold."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ROWS = 3
ACTIVATIONS = (jnp.tanh, jax.nn.relu, jax.nn.gelu, jnp.abs, jnp.sin, jax.nn.softmax, jax.nn.silu)


class Weights:
    """Hands out parameters: notes their shapes in a first pass, takes them from a tree later."""

    def __init__(self, params: dict[str, Any] | None = None):
        self.params = params
        self.shapes: dict[str, tuple[int, ...]] = {}

    def __call__(self, *shape: int) -> Any:
        name = f"p{len(self.shapes)}"
        self.shapes[name] = shape
        return jnp.ones(shape) if self.params is None else self.params[name]

    def tied(self, *shape: int) -> Any:
        """An earlier parameter of this shape if there is one."""
        for name, earlier in self.shapes.items():
            if earlier == shape and self.params is not None:
                return self.params[name]
            if earlier == shape:
                return jnp.ones(shape)
        return self(*shape)


def dense(weights: Weights, v: Any, size: int) -> Any:
    return v @ weights(v.shape[1], size)


def like(weights: Weights, u: Any, v: Any) -> Any:
    """The value u in the shape of v, through a layer if it is not."""
    return u if u.shape == v.shape else dense(weights, u, v.shape[1])


def heads(v: Any, k: int) -> Any:
    divisors = [d for d in range(1, v.shape[1] + 1) if v.shape[1] % d == 0]
    d = divisors[k % len(divisors)]
    return v.reshape(ROWS, d, v.shape[1] // d)


def flat(v: Any) -> Any:
    return v.reshape(ROWS, -1)


def layer_norm(v: Any) -> Any:
    return (v - v.mean(-1, keepdims=True)) / jnp.sqrt(v.var(-1, keepdims=True) + 0.1)


def conv(weights: Weights, v: Any, k: int) -> Any:
    """A convolution over positions with channels, in one or two groups."""
    image = heads(v, k)
    channels = image.shape[2]
    groups = 2 if channels % 2 == 0 and k % 3 == 0 else 1
    kernel = weights(1 + k % 2, channels // groups, 2 * groups)
    numbers = ("NWC", "WIO", "NWC")
    return flat(
        jax.lax.conv_general_dilated(
            image, kernel, (1,), "SAME", dimension_numbers=numbers, feature_group_count=groups
        )
    )


def stacked(weights: Weights, v: Any) -> Any:
    """Two layers under scan."""
    layers = weights(2, v.shape[1], v.shape[1])
    return jax.lax.scan(lambda h, w: (jnp.tanh(h @ w), None), v, layers)[0]


def over_units(v: Any) -> Any:
    return jax.lax.scan(lambda c, u: (c + u, c), jnp.zeros(ROWS), v.T)[1].T


def attention(weights: Weights, v: Any, k: int) -> Any:
    tokens = heads(v, k)
    scores = jax.nn.softmax(tokens @ tokens.swapaxes(1, 2))
    return flat(scores @ tokens)


def turned(v: Any, k: int) -> Any:
    """Pairs of units turned by angles that depend on the row, in one of three ways to write it."""
    half = v.shape[1] // 2
    if v.shape[1] % 2:
        return v
    angles = jnp.outer(jnp.arange(ROWS) + 1.0, 0.5 ** jnp.arange(half))
    if k % 3 == 0:
        angles = jnp.concatenate([angles, angles], 1)
        swapped = jnp.concatenate([-v[:, half:], v[:, :half]], 1)
        return v * jnp.cos(angles) + swapped * jnp.sin(angles)
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    if k % 3 == 1:
        one, other = v[:, :half], v[:, half:]
        return jnp.concatenate([one * cosine - other * sine, one * sine + other * cosine], 1)
    pairs = v.reshape(ROWS, half, 2)
    one, other = pairs[..., 0], pairs[..., 1]
    turned = jnp.stack([one * cosine - other * sine, one * sine + other * cosine], -1)
    return flat(turned)


Step = Callable[[Weights, Any, Any, int], Any]

STEPS: tuple[Step, ...] = (
    lambda w, v, u, k: dense(w, v, (2, 4, 6)[k % 3]),
    lambda w, v, u, k: dense(w, v, v.shape[1]) + v,
    lambda w, v, u, k: v + w(v.shape[1]),
    lambda w, v, u, k: v * w(v.shape[1]),
    lambda w, v, u, k: v * w.tied(v.shape[1]),
    lambda w, v, u, k: ACTIVATIONS[k % len(ACTIVATIONS)](v),
    lambda w, v, u, k: ACTIVATIONS[k % len(ACTIVATIONS)](v),
    lambda w, v, u, k: v + like(w, u, v),
    lambda w, v, u, k: v * like(w, u, v),
    lambda w, v, u, k: jnp.where(v > 0, v, 0.5 * like(w, u, v)),
    lambda w, v, u, k: jnp.concatenate([v, u], 1),
    lambda w, v, u, k: v[:, : 1 + k % v.shape[1]],
    lambda w, v, u, k: v[:, k % v.shape[1] :],
    lambda w, v, u, k: jnp.split(v, 2, 1)[0] * jnp.split(v, 2, 1)[1] if v.shape[1] % 2 == 0 else v,
    lambda w, v, u, k: flat(jax.nn.softmax(heads(v, k), axis=1 + k % 2)),
    lambda w, v, u, k: flat(heads(v, k).swapaxes(1, 2)),
    lambda w, v, u, k: heads(v, k).max(1 + k % 2),
    lambda w, v, u, k: heads(v, k).sum(1 + k % 2),
    lambda w, v, u, k: flat(heads(v, k) * w(heads(v, k).shape[1])[:, None]),
    lambda w, v, u, k: flat(
        jnp.einsum("nab,abc->nac", heads(v, k), w(heads(v, k).shape[1], heads(v, k).shape[2], 2))
    ),
    lambda w, v, u, k: layer_norm(v),
    lambda w, v, u, k: (v - v.mean(0)) / jnp.sqrt(v.var(0) + 0.1) * w(v.shape[1]),
    lambda w, v, u, k: jnp.roll(v, k, 1),
    lambda w, v, u, k: v + jnp.roll(v, k, 1),
    lambda w, v, u, k: v[:, ::-1],
    lambda w, v, u, k: v[:, :: 1 + k % 2],
    lambda w, v, u, k: jnp.cumsum(v, 1),
    lambda w, v, u, k: jnp.sort(v, 1),
    lambda w, v, u, k: v + jnp.arange(v.shape[1]),
    lambda w, v, u, k: turned(v, k),
    lambda w, v, u, k: turned(v, k) @ turned(like(w, u, v), k).T @ v,
    lambda w, v, u, k: v @ (v.T @ v) / 10,
    lambda w, v, u, k: v @ (v.T @ u) / 10,
    lambda w, v, u, k: jnp.tanh(v @ w.tied(v.shape[1], v.shape[1])),
    lambda w, v, u, k: jnp.tanh(v @ w.tied(v.shape[1], v.shape[1]).T),
    lambda w, v, u, k: conv(w, v, k),
    lambda w, v, u, k: jnp.pad(v, ((0, 0), (k % 3, 1))),
    lambda w, v, u, k: v * v.max(1, keepdims=True),
    lambda w, v, u, k: v[:, np.arange(k % 3, v.shape[1], 2)],
    lambda w, v, u, k: jax.lax.dynamic_slice(v, (0, k % 2), (ROWS, max(1, v.shape[1] - k % 2))),
    lambda w, v, u, k: v.at[:, k % v.shape[1]].add(1.0),
    lambda w, v, u, k: flat(v[:, :, None] * u[:, None]) if v.size * u.size <= 216 else v,
    lambda w, v, u, k: jnp.tile(v, (1, 2)),
    lambda w, v, u, k: jnp.repeat(v, 2, 1),
    lambda w, v, u, k: stacked(w, v),
    lambda w, v, u, k: over_units(v),
    lambda w, v, u, k: attention(w, v, k),
    lambda w, v, u, k: jax.lax.cond(v[0, 0] > 0, jnp.tanh, lambda v: 2 * v, v),
    lambda w, v, u, k: jax.lax.reduce_window(
        v, 0.0, jax.lax.add, (1, 1 + k % 2), (1, 1 + k % 3), "VALID"
    ),
)


def random_network(steps: list[tuple[int, int, int, int]]) -> tuple[Any, Any, Any]:
    """A network of some steps, each (which, of what, with what, variant), with its parameters."""

    def run(weights: Weights, x: Any) -> Any:
        values = [x, dense(weights, x, 4), dense(weights, x, 6)]
        for which, of, other, variant in steps:
            v, u = values[-1 - of % 2], values[-1 - other % len(values)]
            result = STEPS[which % len(STEPS)](weights, v, u, variant)
            if 0 < result.shape[1] <= 24:
                values.append(result)
        return sum(dense(weights, v, 2) for v in values[-2:])

    def shapes(x: Any) -> dict[str, tuple[int, ...]]:
        weights = Weights()
        jax.eval_shape(lambda x: run(weights, x), x)
        return weights.shapes

    random = np.random.default_rng(len(steps))
    x = random.normal(size=(ROWS, 4))
    params = {name: 0.6 * random.normal(size=shape) for name, shape in shapes(x).items()}
    return lambda params, x: run(Weights(params), x), params, x

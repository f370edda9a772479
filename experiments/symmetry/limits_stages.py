"""Changes of parameters that leave a network's function as it is, and others that only seem to."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float

from experiments.symmetry.orbits_stages import random_arrays
from mconn import paths, symmetry
from mconn.experiment import Context, Result, Stage
from mconn.models import rotated
from mconn.trees import index
from mconn.types import ApplyFn, Params

GROUPS = 2
"""Groups of channels of the group normalisation."""

SHARE = 0.25
"""Of a unit, in the first of the two that it is split into."""

INPUTS, OUTPUTS = 5, 3


class Check(NamedTuple):
    """One change of the parameters.

    Attributes:
        change: what is done, in words.
        kept: whether it leaves the function as it is.
        relative: the largest change of the outputs over the largest output, in float64.
    """

    change: str
    kept: bool
    relative: float


def two_layers(activation: Callable[[Array], Array]) -> ApplyFn:
    """A hidden layer with biases, activated, and a linear one."""

    def apply(params: Params, x: Float[Array, "batch features"]) -> Float[Array, "batch classes"]:
        return activation(x @ params["first"] + params["bias"]) @ params["second"]

    return apply


def group_normalised(z: Float[Array, "batch units"]) -> Float[Array, "batch units"]:
    """ReLU of units that are normalised in groups of neighbours, without scales."""
    grouped = z.reshape(len(z), GROUPS, -1)
    centred = grouped - grouped.mean(-1, keepdims=True)
    return jax.nn.relu(centred / jnp.sqrt((centred**2).mean(-1, keepdims=True))).reshape(z.shape)


def batch_normalised(epsilon: float) -> Callable[[Float[Array, "batch units"]], Array]:
    """ReLU of units that are normalised over the batch, without scales."""

    def activation(z: Float[Array, "batch units"]) -> Float[Array, "batch units"]:
        centred = z - z.mean(0)
        return jax.nn.relu(centred / jnp.sqrt((centred**2).mean(0) + epsilon))

    return activation


def attention(is_rotary: bool) -> ApplyFn:
    """One head of self-attention, with rotary positions or without any."""

    def apply(params: Params, x: Float[Array, "time features"]) -> Float[Array, "time features"]:
        queries, keys = (
            turned(x @ params[name]) if is_rotary else x @ params[name] for name in ("query", "key")
        )
        return jax.nn.softmax(queries @ keys.T) @ (x @ params["value"])

    def turned(x: Float[Array, "time size"]) -> Float[Array, "time size"]:
        return rotated(x[None, :, None, None])[0, :, 0, 0]

    return apply


@dataclass(frozen=True)
class FormulaChecks(Stage):
    """Formulas of symmetries, complete and with a part left out, on random networks.

    Its table ``checks`` has a row per change: what was done, whether it should leave the function,
    and the largest relative change of the outputs.

    Attributes:
        width: hidden units, a multiple of four; also the entries of the attention head.
        seed: of weights, inputs and symmetries.
    """

    width: int
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Change the parameters, and compare the outputs."""
        with jax.enable_x64(True):
            checks = [*self.layers(), *self.normalisers(), self.split(), *self.heads()]
        rows = [check._asdict() for check in checks]
        departure = abs(self.semi_permutation().T @ self.semi_permutation() - np.eye(self.width))
        return Result(
            tables={"checks": pa.Table.from_pylist(rows)},
            facts={"departure_from_orthogonal": float(departure.max())},
        )

    def layers(self) -> Iterator[Check]:
        """Permutations and scalings of units with a bias."""
        random = np.random.default_rng(self.seed + 2)
        order = np.roll(np.arange(self.width), 1)
        scales = np.exp(random.normal(size=self.width))
        p = self.parameters()
        permuted = {
            "first": p["first"][:, order],
            "bias": p["bias"][order],
            "second": p["second"][order],
        }
        scaled = {
            "first": p["first"] * scales,
            "bias": p["bias"] * scales,
            "second": p["second"] / scales[:, None],
        }
        relu, tanh = two_layers(jax.nn.relu), two_layers(jnp.tanh)
        bias = {"bias": p["bias"]}
        for change, kept, apply, moved in (
            ("units and their biases are permuted", True, relu, permuted),
            ("units are permuted, but not their biases", False, relu, permuted | bias),
            ("ReLU units and their biases are scaled", True, relu, scaled),
            ("ReLU units are scaled, but not their biases", False, relu, scaled | bias),
            ("tanh units and their biases are scaled", False, tanh, scaled),
        ):
            yield self.compared(change, kept, apply, p, moved)

    def normalisers(self) -> Iterator[Check]:
        """Permutations of channels of group normalisation, and scalings before a BatchNorm."""
        p = self.parameters()
        size = self.width // GROUPS
        units = np.arange(self.width).reshape(GROUPS, size)
        grouped = two_layers(group_normalised)
        inside = units[::-1, ::-1].ravel()
        across = np.roll(np.arange(self.width), 1)
        for change, kept, order in (
            (
                "whole groups of a group normalisation, and units in them, are permuted",
                True,
                inside,
            ),
            ("units of a group normalisation are permuted across groups", False, across),
        ):
            moved = {
                "first": p["first"][:, order],
                "bias": p["bias"][order],
                "second": p["second"][order],
            }
            yield self.compared(change, kept, grouped, p, moved)
        scaled = p | {"first": 0.01 * p["first"], "bias": 0.01 * p["bias"]}
        for change, kept, epsilon in (
            ("weights before a batch normalisation without an epsilon are scaled", True, 0.0),
            ("weights before a batch normalisation with an epsilon are scaled", False, 1e-3),
        ):
            yield self.compared(change, kept, two_layers(batch_normalised(epsilon)), p, scaled)

    def semi_permutation(self) -> np.ndarray:
        """The matrix that splits the first unit in two: columns sum to one, a part in each row."""
        matrix = np.concatenate([np.eye(self.width), np.eye(1, self.width)])
        matrix[0, 0], matrix[-1, 0] = SHARE, 1 - SHARE
        return matrix

    def split(self) -> Check:
        """A ReLU unit is split: f(x) = f(a x) + f((1 - a) x)."""
        p, matrix = self.parameters(), self.semi_permutation()
        moved = {
            "first": p["first"] @ matrix.T,
            "bias": p["bias"] @ matrix.T,
            "second": (matrix > 0) @ p["second"],
        }
        change = f"a ReLU unit is split into {SHARE} and {1 - SHARE} of itself, a semi-permutation"
        return self.compared(change, True, two_layers(jax.nn.relu), p, moved)

    def heads(self) -> Iterator[Check]:
        """Queries and keys are turned by one orthogonal matrix, or by one that fits positions."""
        size = self.width
        shapes = {name: (size, size) for name in ("query", "key", "value")}
        p = {name: np.asarray(a) for name, a in self.arrays(shapes).items()}
        x = self.arrays({"x": (6, size)}, 1)["x"]
        full = np.linalg.qr(np.random.default_rng(self.seed + 3).normal(size=(size, size)))[0]
        half = size // 2
        angles = np.arange(1, half + 1)
        cosine, sine = np.diag(np.cos(angles)), np.diag(np.sin(angles))
        planes = np.block([[cosine, sine], [-sine, cosine]])
        for change, kept, is_rotary, turn in (
            ("queries and keys without positions are turned", True, False, full),
            ("queries and keys with rotary positions are turned", False, True, full),
            ("queries and keys with rotary positions are turned in its planes", True, True, planes),
        ):
            moved = p | {name: p[name] @ turn for name in ("query", "key")}
            yield Check(change, kept, relative_change(attention(is_rotary), p, moved, x))

    def parameters(self) -> dict[str, np.ndarray]:
        """A hidden layer with a bias and a linear one."""
        shapes = {
            "first": (INPUTS, self.width),
            "bias": (self.width,),
            "second": (self.width, OUTPUTS),
        }
        return {name: np.asarray(array) for name, array in self.arrays(shapes).items()}

    def arrays(self, shapes: Mapping[str, tuple[int, ...]], shift: int = 0) -> dict[str, Array]:
        """Random numbers in float64."""
        return random_arrays(shapes, self.seed + shift, "float64")

    def compared(
        self, change: str, kept: bool, apply: ApplyFn, params: Params, moved: Params
    ) -> Check:
        """A change of the two layers."""
        x = self.arrays({"x": (16, INPUTS)}, 1)["x"]
        return Check(change, kept, relative_change(apply, params, moved, x))


def relative_change(apply: ApplyFn, params: Params, moved: Params, x: Array) -> float:
    """The largest change of an output over the largest output."""
    before, after = (np.asarray(jax.jit(apply)(each, x)) for each in (params, moved))
    return float(abs(after - before).max() / abs(before).max())


@dataclass(frozen=True)
class SpareArc(Stage):
    """The loss on the way to a permuted copy of a ReLU network, through one spare unit.

    Its table ``arcs`` has a row per curve and point: ``spare`` is the arc through the spare unit,
    ``line`` the straight line to the same end. Losses are relative to that of the output zero.

    Attributes:
        width: hidden units, of which the last one is spare.
        points: on each curve.
        seed: of the weights, the inputs and the permutation.
    """

    width: int
    points: int
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Walk both ways."""
        with jax.enable_x64(True):
            return Result(tables={"arcs": pa.Table.from_pylist(list(self.rows()))})

    def rows(self) -> Iterator[dict[str, Any]]:
        """The relative losses."""
        apply = two_layers(jax.nn.relu)
        shapes = {
            "first": (INPUTS, self.width),
            "bias": (self.width,),
            "second": (self.width, OUTPUTS),
        }
        params = {
            name: np.array(array)
            for name, array in random_arrays(shapes, self.seed, "float64").items()
        }
        params["second"][-1] = 0
        x = random_arrays({"x": (16, INPUTS)}, self.seed + 1, "float64")["x"]
        group = symmetry.permutations(symmetry.discover(apply, params, x))
        element = symmetry.random_element(group, jax.random.key(self.seed))
        arc = paths.through_spare(group, element, params)
        line = paths.line(params, symmetry.act(group, element, params))
        ts = np.linspace(0, 1, self.points)

        @jax.jit
        def losses(points: Params, x: Array) -> Float[Array, "points"]:
            target = apply(index(points, 0), x)
            norm = jnp.sum(target**2)
            return jax.vmap(lambda p: jnp.sum((apply(p, x) - target) ** 2) / norm)(points)

        for name, path in (("spare", arc), ("line", line)):
            points = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))(path, ts)
            for t, loss in zip(ts, np.asarray(losses(points, x)), strict=True):
                yield {"curve": name, "t": float(t), "loss": float(loss)}


@dataclass(frozen=True)
class HalfwayRanks(Stage):
    """The rank of the bilinear form of a head's queries and keys half way between two networks.

    Its table ``ranks`` has a row per size of a head: the rank of each end, of the form made from
    the mean factors, and of the mean of the forms, with the share of its square norm that no form
    of a head's rank can hold.

    Attributes:
        width: of the residual stream.
        sizes: entries of a head.
        seed: of the weights.
    """

    width: int
    sizes: tuple[int, ...]
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Ranks of random heads."""
        random = np.random.default_rng(self.seed)
        rows = []
        for size in self.sizes:
            (q, k), (other_q, other_k) = random.normal(size=(2, 2, self.width, size))
            mean_form = (q @ k.T + other_q @ other_k.T) / 2
            mean_factors = (q + other_q) @ (k + other_k).T / 4
            squares = np.linalg.svd(mean_form, compute_uv=False) ** 2
            rows.append(
                {
                    "size": size,
                    "end": int(np.linalg.matrix_rank(q @ k.T)),
                    "mean of factors": int(np.linalg.matrix_rank(mean_factors)),
                    "mean of products": int(np.linalg.matrix_rank(mean_form)),
                    "lost": float(squares[size:].sum() / squares.sum()),
                }
            )
        return Result(tables={"ranks": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class PositionGroups(Stage):
    """The discovered symmetry of a head's queries and keys, with and without rotary positions.

    Its table ``groups`` has a row per size of a head: the group's dimension for both.

    Attributes:
        sizes: entries of a head, even numbers.
        seed: of the weights and inputs.
    """

    sizes: tuple[int, ...]
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Discover the groups."""
        rows = []
        for size in self.sizes:
            shapes = {name: (size, size) for name in ("query", "key", "value")}
            params = random_arrays(shapes, self.seed, "float32")
            x = random_arrays({"x": (6, size)}, self.seed + 1, "float32")["x"]
            plain, rotary = (
                symmetry.discover(attention(is_rotary), params, x).dimension
                for is_rotary in (False, True)
            )
            rows.append({"size": size, "none": plain, "rotary": rotary})
        return Result(tables={"groups": pa.Table.from_pylist(rows)})

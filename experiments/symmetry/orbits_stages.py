"""Losses between the networks of one orbit: on the straight line, and on exp(t log g) w."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float

from mconn import paths, symmetry
from mconn.errors import SymmetryError
from mconn.experiment import Context, Result, Stage
from mconn.trees import index
from mconn.types import ApplyFn, Params

PRECISIONS = ("float32", "float64")


def homogeneous(degree: int) -> ApplyFn:
    """Two layers with the activation max(0, z)^degree, which is homogeneous of that degree."""

    def apply(params: Params, x: Float[Array, "batch features"]) -> Float[Array, "batch classes"]:
        hidden = jax.nn.relu(x @ params["first"])
        return (hidden**degree if degree > 1 else hidden) @ params["second"]

    return apply


def linear(params: Params, x: Float[Array, "batch features"]) -> Float[Array, "batch classes"]:
    """Two linear layers, with the parameters of `homogeneous`."""
    return x @ params["first"] @ params["second"]


def attend(params: Params, x: Float[Array, "time features"]) -> Float[Array, "time features"]:
    """Self-attention of two heads."""
    queries, keys, values = (
        jnp.einsum("td,dhk->htk", x, params[name]) for name in ("query", "key", "value")
    )
    weights = jax.nn.softmax(queries @ keys.swapaxes(-1, -2))
    return jnp.einsum("htk,hkd->td", weights @ values, params["mixed"])


def blow_up(factor: float, degree: int) -> float:
    """Proposition 5.3: the midpoint's loss over ||Y||^2, for a scaling of one layer by ``factor``.

    The ends are (W_l, W_{l-1}) and (W_l m^-k, m W_{l-1}), where k is the activation's degree.
    """
    grown = (1 + factor**-degree) * (1 + factor) ** degree
    return (1 - grown / 2 ** (degree + 1)) ** 2


def random_arrays(shapes: Mapping[str, tuple[int, ...]], seed: int, dtype: Any) -> dict[str, Array]:
    """Normal entries; weights are divided by the root of their inputs."""
    random = np.random.default_rng(seed)
    return {
        name: jnp.asarray(random.normal(size=shape) / np.sqrt(shape[0]), dtype)
        for name, shape in shapes.items()
    }


def two_layers(width: int) -> dict[str, tuple[int, ...]]:
    """The shapes of `homogeneous` and `linear`."""
    return {"first": (5, width), "second": (width, 3)}


def relative_loss(apply: ApplyFn, params: Params, x: Array, target: Array) -> Array:
    """||Y - f(X)||^2 / ||Y||^2."""
    return jnp.sum((target - apply(params, x)) ** 2) / jnp.sum(target**2)


@dataclass(frozen=True)
class RescalingBlowUp(Stage):
    """The loss half way between a network and the same one with its hidden units scaled.

    Attributes:
        width: hidden units.
        degrees: of the homogeneous activations.
        factors: by which the hidden units are scaled.
        seed: of the weights and inputs.
    """

    width: int
    degrees: tuple[int, ...]
    factors: tuple[float, ...]
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Act by the discovered scaling, and evaluate the middle of the line."""
        with jax.enable_x64(True):
            rows = [
                {
                    "degree": degree,
                    "precision": precision,
                    "factor": factor,
                    "expected": blow_up(factor, degree),
                    "loss": float(loss),
                }
                for degree in self.degrees
                for precision in PRECISIONS
                for factor, loss in zip(
                    self.factors, self.midpoint_losses(degree, precision), strict=True
                )
            ]
        return Result(tables={"blow_up": pa.Table.from_pylist(rows)})

    def midpoint_losses(self, degree: int, precision: str) -> Float[Array, "factors"]:
        """The loss in the middle of the line to every scaled network."""
        apply = homogeneous(degree)
        params = random_arrays(two_layers(self.width), self.seed, precision)
        x = random_arrays({"x": (16, 5)}, self.seed + 1, precision)["x"]
        group = symmetry.discover(apply, params, x).restricted(["scaling"])

        def loss(factor: Float[Array, ""], params: Params, x: Array) -> Float[Array, ""]:
            element = {g.name: jnp.full(g.shape, factor) for g in group.generators}
            line = paths.line(params, symmetry.act(group, element, params))
            return relative_loss(apply, line(0.5), x, apply(params, x))

        factors = jnp.asarray(self.factors, precision)
        return jax.jit(jax.vmap(loss, (0, None, None)))(factors, params, x)


@dataclass(frozen=True)
class OrbitCurves(Stage):
    """Losses on exp(t log g) w and on the straight line from w to g w, in float64.

    Attributes:
        width: hidden units, and entries of a head.
        factor: by which the ReLU network's hidden units are scaled.
        points: on each curve.
        seed: of the weights, the inputs and the symmetries.
    """

    width: int
    factor: float
    points: int
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Walk from a network to another of its orbit."""
        with jax.enable_x64(True):
            rows = [*self.continuous(), *self.permutation_arcs()]
            has_logarithm = self.transposition_has_logarithm()
        return Result(
            tables={"curves": pa.Table.from_pylist(rows)},
            facts={"transposition_has_logarithm": has_logarithm},
        )

    def continuous(self) -> list[dict[str, Any]]:
        """Curves of the scalings of ReLU, and of the matrices of linear layers and of attention."""
        heads = {name: (self.width, 2, self.width) for name in ("query", "key", "value")}
        rows = []
        for name, apply, shapes, features in (
            ("ReLU, scaling", homogeneous(1), two_layers(self.width), 5),
            ("linear, matrix", linear, two_layers(self.width), 5),
            (
                "attention, matrices",
                attend,
                heads | {"mixed": (2, self.width, self.width)},
                self.width,
            ),
        ):
            params, x = self.network(shapes, features)
            group = symmetry.discover(apply, params, x)
            if name == "ReLU, scaling":
                scalings = group.restricted(["scaling"]).generators
                tangent = {g.name: jnp.full(g.shape, np.log(self.factor)) for g in scalings}
            else:
                drawn = symmetry.random_tangent(group, jax.random.key(self.seed))
                tangent = {each: part / self.width**0.5 for each, part in drawn.items()}
            points = self.curve(paths.orbit_along(group, tangent, params))
            line = self.curve(paths.line(params, index(points, -1)))
            rows += self.losses(name, "orbit", apply, points, x)
            rows += self.losses(name, "line", apply, line, x)
        return rows

    def permutation_arcs(self) -> list[dict[str, Any]]:
        """The arc of a cycle of hidden units, for a ReLU network and for a linear one."""
        params, x = self.network(two_layers(self.width), 5)
        group = symmetry.discover(linear, params, x)
        # A cycle of odd length has no eigenvalue -1, and so a real logarithm.
        length = self.width - 1 + self.width % 2
        order = np.r_[np.roll(np.arange(length), 1), np.arange(length, self.width)]
        element = {group.generators[0].name: jnp.eye(self.width)[order]}
        arc = self.curve(paths.orbit(group, element, params))
        return [
            row
            for name, apply in (("ReLU, cycle", homogeneous(1)), ("linear, cycle", linear))
            for row in self.losses(name, "orbit", apply, arc, x)
        ]

    def transposition_has_logarithm(self) -> bool:
        """Whether an arc of matrices leads from the identity to the exchange of two units."""
        params, x = self.network(two_layers(self.width), 5)
        group = symmetry.discover(linear, params, x)
        order = np.r_[1, 0, np.arange(2, self.width)]
        try:
            symmetry.log(group, {group.generators[0].name: jnp.eye(self.width)[order]})
        except SymmetryError:
            return False
        return True

    def network(
        self, shapes: Mapping[str, tuple[int, ...]], features: int
    ) -> tuple[dict[str, Array], Array]:
        """Random parameters and inputs."""
        params = random_arrays(shapes, self.seed, "float64")
        return params, random_arrays({"x": (16, features)}, self.seed + 1, "float64")["x"]

    def curve(self, path: paths.Path) -> Params:
        """Equispaced points of a path, stacked."""
        points = jax.jit(jax.vmap(lambda path, t: path(t), (None, 0)))
        return points(path, jnp.linspace(0, 1, self.points))

    def losses(
        self, network: str, curve: str, apply: ApplyFn, points: Params, x: Array
    ) -> list[dict[str, Any]]:
        """The loss at every point of a curve, relative to that of the output zero."""

        @jax.jit
        def along(points: Params, x: Array) -> Float[Array, "points"]:
            target = apply(index(points, 0), x)
            return jax.vmap(lambda params: relative_loss(apply, params, x, target))(points)

        ts = np.linspace(0, 1, self.points)
        return [
            {"network": network, "curve": curve, "t": float(t), "loss": float(loss)}
            for t, loss in zip(ts, along(points, x), strict=True)
        ]

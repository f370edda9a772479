"""Traces and spectral densities by random vectors of signs, with their standard errors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.curvature.operators import (
    Operator,
    check_finite,
    dimension,
    length,
    precision,
    usable,
)
from mconn.errors import ConfigError
from mconn.types import Key, Params


def over_probes(
    function: Callable[[Float[Array, " dimension"]], Any], template: Params, key: Key, count: int
) -> Any:
    """The function's values at random vectors of entries 1 and -1, stacked.

    One vector at a time, so that memory holds one whatever their number.
    """
    shape, kind = (dimension(template),), precision(template)

    def at(key: Key) -> Any:
        return function(jax.random.rademacher(key, shape, kind))

    return jax.lax.map(at, jax.random.split(key, count))


def _check_probes(probes: int) -> None:
    if probes < 1:
        raise ConfigError(f"probes is {probes}: an estimate needs at least 1 random vector")


@dataclass(frozen=True)
class Trace:
    """An estimate of a trace.

    Attributes:
        exact: the part on the sketched space, which is not estimated; 0 without a sketch.
        samples: independent unbiased estimates of the rest, one per random vector.
        dimension: the number of rows, for the mean eigenvalue.
    """

    exact: float
    samples: Float[np.ndarray, " probes"]
    dimension: int

    @property
    def value(self) -> float:
        """The estimate."""
        return self.exact + float(self.samples.mean())

    @property
    def standard_error(self) -> float:
        """Of the value, over random vectors; not a number where there is one only."""
        return float(standard_error(self.samples))


def trace(
    operator: Operator, key: Key | None = None, *, probes: int = 30, sketch: int = 0
) -> Trace:
    """The trace, as the mean of z^T A z over random vectors z of entries 1 and -1.

    Hutchinson's estimator alone has the variance 2 (|A|_F^2 - sum of A_ii^2), which a few large
    eigenvalues dominate. With a sketch their space is found first and its part of the trace taken
    exactly; random vectors estimate the rest (Hutch++, Meyer et al. 2021). The standard error is
    valid either way, because the sketch does not depend on these vectors.

    Args:
        operator: symmetric.
        key: for the random vectors; one of its own by default.
        probes: how many; each costs a product.
        sketch: dimension of the sketched space; costs two products for each, and memory for
            twice as many vectors.

    Raises:
        ConfigError: for no probe, a negative sketch, or a sketch larger than the operator.
        StructureError: if the operator is not symmetric.
        DivergenceError: if a product is not finite.
    """
    _check_probes(probes)
    if sketch < 0:
        raise ConfigError(f"sketch is {sketch}: it must be 0 or more")
    key = usable(operator, key, sketch)
    exact, samples = jax.device_get(_estimated(operator, key, probes, sketch))
    check_finite(operator, exact, samples)
    return Trace(float(exact), samples.astype(np.float64), operator.dimension)


@partial(jax.jit, static_argnums=(2, 3))
def _estimated(
    operator: Operator, key: Key, probes: int, sketch: int
) -> tuple[Float[Array, ""], Float[Array, " probes"]]:
    multiply, template = operator.flat_map(), operator.template
    of_sketch, of_probes = jax.random.split(key)
    if not sketch:
        samples = over_probes(lambda z: z @ multiply(z), template, of_probes, probes)
        return jnp.zeros((), precision(template)), samples
    images = over_probes(multiply, template, of_sketch, sketch)
    space = jnp.linalg.qr(images.T)[0].T

    def rest(z: Array) -> Array:
        outside = z - (space @ z) @ space
        outside = outside - (space @ outside) @ space
        return outside @ multiply(outside)

    exact = jax.lax.map(lambda direction: direction @ multiply(direction), space).sum()
    return exact, over_probes(rest, template, of_probes, probes)


def standard_error(
    samples: Float[np.ndarray, "probes *rest"],
) -> Float[np.ndarray, "*rest"]:
    """Of the mean over the leading axis; not a number where that is one."""
    count = len(samples)
    if count == 1:
        return np.full(samples.shape[1:], np.nan)
    return np.asarray(samples.std(axis=0, ddof=1) / np.sqrt(count))


REACH = 6.0
"""How many widths a grid reaches beyond the outermost nodes: what is left out is below 1e-8."""


class Curve(NamedTuple):
    """A function of the eigenvalue.

    Attributes:
        at: the eigenvalues.
        mean: over random vectors.
        standard_error: of the mean; not a number where there is one random vector only.
    """

    at: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    standard_error: Float[np.ndarray, " points"]


@dataclass(frozen=True)
class Density:
    """The distribution of the eigenvalues: for every random vector, real weights that sum to one.

    The mean of a function f over all eigenvalues is the mean over random vectors of
    sum_i weights_i f(nodes_i), exact for polynomials up to the degree 2 steps - 1.

    Attributes:
        nodes: where the weight sits, in ascending order.
        weights: shares of all eigenvalues, each 0 or more.
        dimension: the number of eigenvalues.
    """

    nodes: Float[np.ndarray, "probes steps"]
    weights: Float[np.ndarray, "probes steps"]
    dimension: int

    def mean(self, function: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
        """The mean of a function over all eigenvalues, and its standard error.

        Args:
            function: of an array of eigenvalues; times ``dimension`` the mean is the trace of
                the function of the operator.
        """
        samples = (self.weights * function(self.nodes)).sum(axis=1)
        return float(samples.mean()), float(standard_error(samples))

    def grid(self, width: float, points: int = 1000) -> Float[np.ndarray, " points"]:
        """Equispaced eigenvalues that hold the whole broadened density.

        Args:
            width: that of the bells.
            points: how many.
        """
        margin = REACH * width
        return np.linspace(self.nodes.min() - margin, self.nodes.max() + margin, points)

    def curve(self, at: Float[np.ndarray, " points"], width: float) -> Curve:
        """The density with every node broadened into a normal bell; its integral is one.

        Args:
            at: the eigenvalues, as from `grid`; a spacing below the width resolves the bells.
            width: standard deviation of the bells, in the unit of the eigenvalues. Details that
                are finer are not shown, whatever the number of steps.

        Raises:
            ConfigError: if the width is not positive.
        """
        if not width > 0:
            raise ConfigError(f"width is {width}: a bell needs a positive one")
        samples = np.stack(
            [
                np.exp(-0.5 * ((at[:, None] - nodes) / width) ** 2) @ weights
                for nodes, weights in zip(self.nodes, self.weights, strict=True)
            ]
        ) / (width * np.sqrt(2 * np.pi))
        return Curve(at, samples.mean(axis=0), standard_error(samples))

    def cumulative(self, at: Float[np.ndarray, " points"]) -> Curve:
        """The share of eigenvalues up to each point, without any broadening."""
        samples = np.stack(
            [
                np.concatenate([[0.0], np.cumsum(weights)])[np.searchsorted(nodes, at, "right")]
                for nodes, weights in zip(self.nodes, self.weights, strict=True)
            ]
        )
        return Curve(at, samples.mean(axis=0), standard_error(samples))


def density(
    operator: Operator, key: Key | None = None, *, steps: int = 100, probes: int = 2
) -> Density:
    """The spectral density, by Lanczos from random vectors (Golub and Meurant 2010; Ubaru 2017).

    The recurrence has three terms and no reorthogonalisation, which would cost more than the
    products. In finite precision eigenvalues then come out several times, and the weights of such
    ghosts share what belongs to the one eigenvalue: a quadrature does not mind (Greenbaum 1989,
    *Behavior of slightly perturbed Lanczos and conjugate-gradient recurrences*). A list of
    eigenvalues would: see `eigenpairs`.

    Args:
        operator: symmetric.
        key: for the random vectors; one of its own by default.
        steps: products for each of them, and nodes of its quadrature.
        probes: random vectors; two at least for standard errors.

    Raises:
        ConfigError: if steps or probes are not positive.
        StructureError: if the operator is not symmetric.
        DivergenceError: if a product is not finite.
    """
    _check_probes(probes)
    if steps < 1:
        raise ConfigError(f"steps is {steps}: a quadrature needs at least 1")
    key = usable(operator, key, 1)
    diagonals, couplings = jax.device_get(_recurrences(operator, key, steps, probes))
    check_finite(operator, diagonals, couplings)
    found = [_quadrature(*each) for each in zip(diagonals, couplings, strict=True)]
    nodes, weights = (np.stack(each) for each in zip(*found, strict=True))
    return Density(nodes, weights, operator.dimension)


@partial(jax.jit, static_argnums=(2, 3))
def _recurrences(
    operator: Operator, key: Key, steps: int, probes: int
) -> tuple[Float[Array, "probes steps"], Float[Array, "probes steps"]]:
    multiply = operator.flat_map()

    def step(carry: tuple[Array, Array, Array, Array], _: None) -> tuple[tuple, tuple]:
        before, vector, beta, norm = carry
        rest = multiply(vector) - beta * before
        alpha = vector @ rest
        rest = rest - alpha * vector
        beta = length(rest)
        norm = jnp.maximum(norm, jnp.maximum(jnp.abs(alpha), beta))
        # An invariant space ends the recurrence: what follows has no weight.
        ended = beta <= 10 * jnp.finfo(beta.dtype).eps * norm
        beta = jnp.where(ended, 0, beta)
        after = jnp.where(ended, 0, rest / jnp.where(ended, 1, beta))
        return (vector, after, beta, norm), (alpha, beta)

    def recurrence(probe: Array) -> tuple[Array, Array]:
        start = probe / jnp.sqrt(jnp.asarray(probe.size, probe.dtype))
        nothing = jnp.zeros((), probe.dtype)
        carry = (jnp.zeros_like(probe), start, nothing, nothing)
        return jax.lax.scan(step, carry, None, length=steps)[1]

    return over_probes(recurrence, operator.template, key, probes)


def _quadrature(
    diagonal: Float[np.ndarray, " steps"], coupling: Float[np.ndarray, " steps"]
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    from scipy.linalg import eigh_tridiagonal

    diagonal, coupling = diagonal.astype(np.float64), coupling.astype(np.float64)
    ended = np.flatnonzero(coupling == 0)
    size = int(ended[0]) + 1 if len(ended) else len(diagonal)
    nodes, vectors = eigh_tridiagonal(diagonal[:size], coupling[: size - 1])
    # What follows the end has no weight: a node of 0 there would be no eigenvalue.
    rest = (0, len(diagonal) - size)
    return np.pad(nodes, rest, mode="edge"), np.pad(vectors[0] ** 2, rest)

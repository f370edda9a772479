"""The trace of an operator by random vectors, with its standard error."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.curvature.operator import Operator, check_dimension, check_given, not_finite, on_flat
from mconn.curvature.probes import check_probes, over_probes
from mconn.curvature.vectors import precision
from mconn.errors import ConfigError, DivergenceError
from mconn.types import Key


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


def trace(operator: Operator, key: Key, *, probes: int = 30, sketch: int = 0) -> Trace:
    """The trace, as the mean of z^T A z over random vectors z of entries 1 and -1.

    Hutchinson's estimator alone has the variance 2 (|A|_F^2 - sum of A_ii^2), which a few large
    eigenvalues dominate. With a sketch their space is found first and its part of the trace taken
    exactly; random vectors estimate the rest (Hutch++, Meyer et al. 2021). The standard error is
    valid either way, because the sketch does not depend on these vectors.

    Args:
        operator: symmetric.
        key: for the random vectors.
        probes: how many; each costs a product.
        sketch: dimension of the sketched space; costs two products for each, and memory for
            twice as many vectors.

    Raises:
        ConfigError: for no probe, a negative sketch, or a sketch larger than the operator.
        StructureError: if the operator is not symmetric.
        DivergenceError: if a product is not finite.
    """
    check_probes(probes)
    if sketch < 0:
        raise ConfigError(f"sketch is {sketch}: it must be 0 or more")
    check_dimension(operator, sketch)
    check_given(operator, key)
    exact, samples = jax.device_get(estimated(operator, key, probes, sketch))
    if not (np.isfinite(exact) and np.isfinite(samples).all()):
        raise DivergenceError(not_finite(operator))
    return Trace(float(exact), samples.astype(np.float64), operator.dimension)


@partial(jax.jit, static_argnums=(2, 3))
def estimated(
    operator: Operator, key: Key, probes: int, sketch: int
) -> tuple[Float[Array, ""], Float[Array, " probes"]]:
    """The part on the sketched space, and the samples of the rest."""
    multiply, template = on_flat(operator), operator.template
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

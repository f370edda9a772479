"""What a kernel says in one number, how far apart two are, and the one of infinite width.

Functions of two kernels take arrays of NumPy or of JAX, in any precision, and work inside ``jit``.
All kernels are contracted over outputs, and symmetric.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.tangent.kernel import as_matrix

Matrix = Float[Any, "n n"]
Scalar = Any


def norm(kernel: Matrix) -> Scalar:
    """|K|, Frobenius."""
    return _inner(kernel, kernel) ** 0.5


def _inner(a: Matrix, b: Matrix) -> Scalar:
    return (a * b).sum()


def centred(kernel: Matrix) -> Matrix:
    """H K H with H = I - 11^T / n: the kernel of features whose mean over examples is zero."""
    means = kernel.mean(axis=0)
    return kernel - means - means[:, None] + means.mean()


def relative_drift(kernel: Matrix, reference: Matrix) -> Scalar:
    """|K - R| / |R|."""
    return norm(kernel - reference) / norm(reference)


def cosine(a: Matrix, b: Matrix) -> Scalar:
    """<a, b> / (|a| |b|): 1 where the kernels differ in their scale alone.

    Fort et al. (*Deep learning versus kernel learning*, NeurIPS 2020, section 3) call 1 minus this
    number the kernel distance. Of kernels without centring it is high for any two networks, as
    entries have a common positive part: compare it with that of independent networks, or pass
    `centred` kernels.
    """
    return _inner(a, b) / (norm(a) * norm(b))


def target_alignment(kernel: Matrix, targets: Float[Any, "n classes"]) -> Scalar:
    """The cosine of the kernel and Y Y^T (Cristianini et al., NeurIPS 2001).

    Cortes, Mohri and Rostamizadeh (JMLR 2012) centre both: pass `centred` of the kernel, and
    targets minus their mean over examples.

    Args:
        kernel: the kernel.
        targets: Y, such as one-hot labels.
    """
    target = targets.T @ targets
    return ((kernel @ targets) * targets).sum() / (norm(kernel) * norm(target))


@dataclass(frozen=True)
class Spectrum:
    """The eigenvalues of a kernel.

    Attributes:
        eigenvalues: from the largest to the smallest, not divided by the number of examples.
    """

    eigenvalues: Float[np.ndarray, " n"]

    @property
    def effective_rank(self) -> float:
        """Exp of the entropy of the eigenvalues' shares (Roy and Vetterli 2007); 1 to n."""
        shares = np.maximum(self.eigenvalues, 0)
        shares = shares[shares > 0] / shares.sum()
        return float(np.exp(-(shares * np.log(shares)).sum()))

    @property
    def participation_ratio(self) -> float:
        """(sum of eigenvalues)^2 / (sum of their squares); 1 to n, dominated by the largest."""
        return float(self.eigenvalues.sum() ** 2 / (self.eigenvalues**2).sum())

    @property
    def condition(self) -> float:
        """The largest eigenvalue over the smallest; infinite if that is zero to rounding."""
        return float(self.eigenvalues[0] / self.smallest) if self.smallest else float("inf")

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue; 0 if it is below n * epsilon times the largest."""
        return float(self.eigenvalues[-1]) if self.rank == len(self.eigenvalues) else 0.0

    @property
    def rank(self) -> int:
        """The number of eigenvalues above n * epsilon times the largest, epsilon of their type."""
        epsilon = np.finfo(self.eigenvalues.dtype).eps
        least = len(self.eigenvalues) * epsilon * self.eigenvalues[0]
        return int((self.eigenvalues > least).sum())


def spectrum(
    kernel: Float[np.ndarray, "rows columns"] | Float[np.ndarray, "n1 n2 c c"],
) -> Spectrum:
    """All eigenvalues of a kernel of examples with themselves, in the kernel's precision.

    Raises:
        DataError: if the kernel is not square.
        DivergenceError: if it is not finite.
    """
    matrix = as_matrix(kernel) if kernel.ndim == 4 else kernel
    if len(matrix) != matrix.shape[1]:
        raise DataError(
            f"the kernel is {matrix.shape[0]} x {matrix.shape[1]}: only a kernel of examples with "
            "themselves has eigenvalues"
        )
    if not np.isfinite(matrix).all():
        raise DivergenceError("the kernel is not finite and has no eigenvalues: look for its cause")
    return Spectrum(np.linalg.eigvalsh(matrix)[::-1])


class Infinite(NamedTuple):
    """Kernels of an infinitely wide network at initialisation.

    Attributes:
        outputs: the covariance of an output over seeds (the Gaussian process kernel).
        tangent: the tangent kernel of one output; those of two outputs are zero.
    """

    outputs: Float[np.ndarray, "n1 n2"]
    tangent: Float[np.ndarray, "n1 n2"]


def infinite_relu(
    inputs: Float[np.ndarray, "n1 features"],
    others: Float[np.ndarray, "n2 features"] | None = None,
    *,
    depth: int = 1,
) -> Infinite:
    """The kernels of x -> W_L relu(... relu(W_0 x / sqrt(d)) sqrt(2 / m)) without biases.

    All entries of all W are standard normal: the parametrisation of Jacot, Gabriel and Hongler
    (NeurIPS 2018) with the gain sqrt(2) of He et al. The layers' expectations are the arc-cosine
    kernels of Cho and Saul (NeurIPS 2009); the recursion is that of Arora et al. (NeurIPS 2019,
    equations 6 to 9).

    Args:
        inputs: examples.
        others: examples; None for the same again.
        depth: hidden layers.

    Raises:
        ConfigError: for a depth below one.
    """
    if depth < 1:
        raise ConfigError(f"depth is {depth}: take at least one hidden layer")
    first = np.asarray(inputs, np.float64)
    second = first if others is None else np.asarray(others, np.float64)
    features = first.shape[1]
    lengths = [np.sqrt((each**2).sum(axis=1) / features) for each in (first, second)]
    # ReLU with this gain keeps the lengths of all layers, and so the products of two of them.
    scale = np.multiply.outer(*lengths)
    covariance = first @ second.T / features
    tangent = covariance
    for _ in range(depth):
        safe = np.where(scale > 0, scale, 1)
        angle = np.arccos(np.clip(np.where(scale > 0, covariance / safe, 1), -1, 1))
        slope = 1 - angle / np.pi
        covariance = scale * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
        tangent = tangent * slope + covariance
    return Infinite(covariance, tangent)

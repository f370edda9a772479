"""The spectrum of a kernel, and what it says in one number."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mconn.errors import DataError, DivergenceError
from mconn.tangent.kernel import as_matrix


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

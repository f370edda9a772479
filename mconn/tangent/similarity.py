"""How far apart two kernels are, and how close a kernel is to the labels.

Every function takes arrays of NumPy or of JAX, in any precision, and works inside ``jit``. All
kernels are contracted over outputs, and symmetric.
"""

from typing import Any

from jaxtyping import Float

Matrix = Float[Any, "n n"]
Scalar = Any


def norm(kernel: Matrix) -> Scalar:
    """|K|, Frobenius."""
    return inner(kernel, kernel) ** 0.5


def inner(a: Matrix, b: Matrix) -> Scalar:
    """<a, b>, the sum of the products of entries."""
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
    return inner(a, b) / (norm(a) * norm(b))


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

"""Weight matching: maximise <a, g b>, with weights plain or in the metric of what they read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import symmetry as groups, trees
from mconn.align.overlap import is_whole_axis, sorted_along
from mconn.align.position import STRETCHING, WeightPosition, inner, stretches
from mconn.align.similarity import in_batches
from mconn.errors import ConfigError
from mconn.symmetry import Element, Group
from mconn.types import ApplyFn, Params

_Leaves = Mapping[str, Float[np.ndarray, "..."]]


@dataclass(frozen=True)
class WeightCost:
    """Similarity of two units is the inner product of all their weights.

    Ainsworth, Hayase and Srinivasa, *Git Re-Basin*, ICLR 2023, section 3.2, for any architecture
    and any group. The objective is <a, g b>, and where g stretches, minus half of what it adds to
    the squared norm: in any case minus half the squared distance, but for a constant.
    """

    def prepare(self, group: Group, a: Params, b: Params) -> "WeightProblem":
        """Pose the problem; see :class:`mconn.align.Cost`."""
        return WeightProblem(group, wide_leaves(a), wide_leaves(b))


@dataclass(frozen=True)
class WeightProblem:
    """See :class:`mconn.align.Problem`."""

    group: Group
    a: _Leaves
    b: _Leaves

    def position(self, element: Element) -> WeightPosition:
        """Stand at an element."""
        return WeightPosition(self.group, self.a, self.b, element)

    def bound(self) -> float:
        """Entries along permuted axes are sorted in both; other leaves count by their norms."""
        kinds: dict[str, dict[int, set[str]]] = {}
        for generator in self.group.generators:
            for site in generator.sites:
                axes = kinds.setdefault(site.leaf, {})
                for axis in {site.axis, *(place.axis for place in site.fibres)}:
                    axes.setdefault(axis, set()).add(generator.kind)
        return sum((self.bound_of(leaf, kinds.get(leaf, {})) for leaf in self.a), start=0.0)

    def bound_of(self, leaf: str, kinds: Mapping[int, set[str]]) -> float:
        """The bound of one leaf, whose axes have generators of some kinds."""
        a, b = self.a[leaf], self.b[leaf]
        found = set().union(*kinds.values())
        if found <= {"permutation"}:
            return inner(sorted_along(a, kinds), sorted_along(b, kinds))
        if found <= {"permutation", "sign"}:
            return inner(sorted_along(np.abs(a), kinds), sorted_along(np.abs(b), kinds))
        squares = inner(a, a), inner(b, b)
        if found & set(STRETCHING):
            return (squares[0] + squares[1]) / 2
        return float(np.sqrt(squares[0] * squares[1]))


def wide_leaves(params: Params) -> dict[str, Any]:
    """The leaves on the host, in single precision or double where they are."""
    leaves = {}
    for name, leaf in trees.named_leaves(params).items():
        leaf = np.asarray(leaf)
        leaves[name] = leaf if leaf.dtype == np.float64 else leaf.astype(np.float32)
    return leaves


@dataclass(frozen=True)
class CovarianceCost:
    """Similarity of two units is that of their weights, in the metric of what they read.

    Two units with incoming weights w and v differ on the data by E (w z - v z)^2, not by |w - v|^2:
    weights count by the activations z that they read, so that those on units which are always
    silent do not. Every axis that a leaf reads is multiplied by the square root of the second
    moments of its own network's activations there, scaled to a mean of one, and weights are
    matched then: the square root moves with the units, so that the objective <a', g b'> is linear
    in every generator. Ferbach et al. 2024, section 4, for every layer. What the first layer reads
    are the inputs, along their last axis; moments between the positions of a convolution's window
    are left out.

    Attributes:
        apply: the network, (params, inputs) -> outputs.
        inputs: examples, shape (n, ...).
        batch_size: examples in one pass.
    """

    apply: ApplyFn
    inputs: Float[Array | np.ndarray, "n ..."]
    batch_size: int = 1000

    def prepare(self, group: Group, a: Params, b: Params) -> WeightProblem:
        """Pose the problem; see :class:`mconn.align.Cost`.

        Raises:
            ConfigError: if the group stretches, under which this metric is not kept.
        """
        if stretches(group):
            raise ConfigError(
                "the covariance cost moves units without stretching them: give match the group "
                "symmetry.permutations(group)"
            )
        batches = in_batches(self.inputs, self.batch_size)
        leaves = [self.weighted(group, network, batches) for network in (a, b)]
        return WeightProblem(group, *leaves)

    def weighted(
        self, group: Group, network: Params, batches: Float[np.ndarray, "batches n ..."]
    ) -> dict[str, np.ndarray]:
        """The leaves of a network in the metric of its own activations."""
        leaves = wide_leaves(network)
        moments = _second_moments(group, self.apply, network, batches)
        inputs = batches.reshape(-1, batches.shape[-1])
        metrics = {
            (pin.leaf, pin.axis): inputs.T @ inputs
            for pin in group.pinned
            if pin.reason == "an input" and pin.size == inputs.shape[1]
        }
        for generator in group.generators:
            for site in generator.sites:
                is_whole = is_whole_axis(generator, site, leaves[site.leaf].shape)
                is_read = site.reads and not site.makes and is_whole
                if is_read and generator.name in moments:
                    metrics[site.leaf, site.axis] = np.asarray(moments[generator.name])
        for (leaf, axis), moment in metrics.items():
            multiplied = np.tensordot(leaves[leaf], _square_root(moment), axes=(axis, 0))
            leaves[leaf] = np.moveaxis(multiplied, -1, axis)
        return leaves


def _square_root(moment: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    values, axes = np.linalg.eigh(moment.astype(np.float64))
    values = np.maximum(values, 0)
    scale = values.mean() if values.any() else 1.0
    return ((axes * np.sqrt(values / scale)) @ axes.T).astype(moment.dtype)


@partial(jax.jit, static_argnums=(0, 1))
def _second_moments(
    group: Group, apply: ApplyFn, params: Params, batches: Float[Array, "batches n ..."]
) -> dict[str, Float[Array, "size size"]]:
    def of_batch(inputs: Array) -> dict[str, Array]:
        values = groups.activations(group, apply, params, inputs)
        return {
            name: jnp.stack(
                [jnp.matmul(z.T, z, precision="highest") / z.shape[0] for z in arrays]
            ).mean(axis=0)
            for name, arrays in values.items()
            if arrays
        }

    def add(total: dict[str, Array], inputs: Array) -> tuple[dict[str, Array], None]:
        return jax.tree.map(jnp.add, total, of_batch(inputs)), None

    total, _ = jax.lax.scan(add, of_batch(batches[0]), batches[1:])
    return jax.tree.map(lambda moment: moment / len(batches), total)

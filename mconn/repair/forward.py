"""REPAIR by forward passes: every layer gets the statistics of the ends."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn.errors import ConfigError
from mconn.repair.additions import Units
from mconn.repair.affine import correction, fold_in, goals, unless_at_end
from mconn.repair.layers import Layers
from mconn.repair.statistics import Ends, Moments, walk
from mconn.trees import wide
from mconn.types import ApplyFn, Params


@partial(jax.jit, static_argnums=(0, 1), static_argnames=("passes",))
def repair(
    layers: Layers,
    apply: ApplyFn,
    params: Params,
    ends: Ends,
    mixture: Float[Array | np.ndarray, "ends"],
    batches: Any,
    *,
    passes: int = 1,
) -> Params:
    """Scale and shift every unit so that its pre-activation has the statistics of the ends, mixed.

    Layer by layer in the network's order, each measured behind layers that are repaired already:
    the mean becomes the mixture of the ends' means, the standard deviation that of their standard
    deviations. The maps are folded into weights and biases. Jordan et al. 2023, section 3.2.

    One pass corrects every layer by the statistics of the batch at hand, as BatchNorm does in
    training, and pools them over batches afterwards. With one batch that is exact; with several,
    layers behind the first saw inputs that differ a little: between two MLPs of 11 layers on
    Fashion-MNIST a deviation is wrong by up to .2 % with 5 batches of 1000, and by 3 % with 50 of
    100. In every further pass one more of the first layers is corrected by what was pooled, so that
    ``passes`` passes make as many layers exact. Correcting all layers at once by what the pass
    before has pooled is worse than one pass: the deep ones overshoot, by 44 % after four passes.

    Works on any point of any path, and on a mixture of any number of networks. The ends themselves,
    where the mixture is one network alone, and units that are constant are left as they are.

    Args:
        layers: what is repaired.
        apply: the network, ``apply(params, inputs) -> output``.
        params: the interpolated network.
        ends: statistics of the ends, from `measure`.
        mixture: weights of the ends, as those of `mconn.paths.Path.mixture`.
        batches: inputs, shape (batches, size, ...); best those that ``ends`` was measured on.
        passes: passes over the batches; as many as there are layers are exact.

    Returns:
        Parameters of the same structure.

    Raises:
        ConfigError: with fewer passes than one.
        StructureError: if the network is another one.
    """
    if passes < 1:
        raise ConfigError(f"passes is {passes}: at least one is needed to measure the network")
    goal = goals(ends, mixture)

    order = {layer.name: i for i, layer in enumerate(layers)}

    def one_pass(number: Any, known: dict[str, Moments]) -> dict[str, Moments]:
        def of_batch(inputs: Any) -> dict[str, Moments]:
            found: dict[str, Moments] = {}

            def correct(name: str, units: Units, value: Float[Array, "..."]) -> Any:
                found[name] = own = moments(units, value)
                is_exact = order[name] < number
                seen = jax.tree.map(partial(jnp.where, is_exact), known[name], own)
                scale, shift = correction(goal[name], seen)
                mapped = wide(value) * units.spread(scale) + units.spread(shift)
                return mapped.astype(value.dtype)

            walk(layers, apply, params, inputs, correct)
            return found

        found = jax.lax.map(of_batch, batches)
        return {name: each.pooled() for name, each in found.items()}

    unknown = {name: Moments(each.mean, each.deviation**2) for name, each in goal.items()}
    known = jax.lax.fori_loop(0, passes, one_pass, unknown)
    maps = {name: correction(goal[name], known[name]) for name in goal}
    return unless_at_end(mixture, fold_in(layers, params, maps), params)


def moments(units: Units, value: Float[Array, "..."]) -> Moments:
    """Mean and variance of every unit of a value."""
    mean = units.mean(value)
    return Moments(mean, units.mean((wide(value) - units.spread(mean)) ** 2))

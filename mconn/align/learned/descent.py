"""The relaxed group, and the compiled programs of learned matching: start, steps, evaluation.

A permutation of units is one of many matrices that may act on them. Where it is a matrix, its
action is differentiable in the entries, and the mixtures of permutations act as well.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from mconn import paths, trees
from mconn.align.learned.nearest import (
    Potentials,
    nearest_permutation,
    polar,
    sinkhorn,
    straight_through,
)
from mconn.errors import StructureError
from mconn.symmetry import Element, Generator, Group, act, in_order
from mconn.trees import named_leaves
from mconn.types import Batch, Params


def relax(group: Group, params: Params) -> Group:
    """The group, in the order in which it acts, whose `act` takes any matrix for a permutation.

    Raises:
        StructureError: naming a leaf of whole numbers that is permuted: it cannot be mixed.
    """
    leaves = named_leaves(params)
    for generator in group.generators:
        for site in generator.sites:
            dtype = jnp.result_type(leaves[site.leaf])
            if generator.kind == "permutation" and not jnp.issubdtype(dtype, jnp.inexact):
                raise StructureError(
                    f"leaf '{site.leaf}' of dtype {dtype} is permuted by '{generator.name}', and "
                    "its entries cannot be mixed: leave the generator out of the group"
                )
    return replace(group, generators=tuple(map(_relaxed, in_order(group))))


def _relaxed(generator: Generator) -> Generator:
    if generator.kind != "permutation":
        return generator
    # An orthogonal generator multiplies its sites by the matrix itself, whatever matrix it is.
    sites = tuple(replace(site, power=1) for site in generator.sites)
    return replace(generator, kind="orthogonal", sites=sites)


def matrices(group: Group, element: Element) -> dict[str, jnp.ndarray]:
    """The element of the relaxed group that an element of the group is."""
    return {
        g.name: jnp.eye(g.size)[jnp.asarray(element[g.name])]
        if g.kind == "permutation"
        else jnp.asarray(element[g.name])
        for g in group.generators
    }


LossFn = Callable[[Params, Batch], Float[Array, ""]]
"""``loss_fn(params, batch) -> loss``: the mean over the examples of a batch; a pure function."""


class _State(NamedTuple):
    """What a step changes; the potentials are kept by the size of their matrices."""

    latents: dict[str, Float[Array, "... n n"]]
    optimiser: Any
    potentials: dict[int, Potentials]


@dataclass(frozen=True)
class Program:
    """What the compiled functions are compiled for."""

    group: Group
    relaxed: Group
    names: tuple[str, ...]
    loss_fn: LossFn
    estimator: str
    optimiser: optax.GradientTransformation

    @property
    def permuted(self) -> tuple[str, ...]:
        """The generators that permute."""
        return tuple(name for name in self.names if self.group[name].kind == "permutation")

    @property
    def turned(self) -> tuple[str, ...]:
        """The generators that are orthogonal."""
        return tuple(name for name in self.names if name not in self.permuted)

    @property
    def sizes(self) -> dict[int, list[str]]:
        """The generators that permute as many units: their matrices are solved in one stack."""
        sizes: dict[int, list[str]] = {}
        for name in self.permuted:
            sizes.setdefault(self.group[name].size, []).append(name)
        return sizes


@functools.partial(jax.jit, static_argnums=0)
def begin(program: Program, element: Element) -> _State:
    """The latents of the start."""
    whole = matrices(program.group, element)
    latents = {
        name: whole[name] * (1 if name in program.permuted else whole[name].shape[-1] ** 0.5)
        for name in program.names
    }
    potentials = {}
    for size, names in program.sizes.items():
        zeros = jnp.zeros((sum(program.group[name].copies for name in names), size))
        potentials[size] = (zeros, zeros)
    return _State(latents, program.optimiser.init(latents), potentials)


@functools.partial(jax.jit, static_argnums=0)
def advance(
    program: Program,
    state: _State,
    start: Element,
    task: tuple[paths.ControlledPath, Params, Batch],
    drawn: tuple[Int[Array, " steps"], Float[Array, " steps"]],
    temperature: Float[Array, ""],
) -> tuple[_State, Element, tuple[Float[Array, " steps"], Float[Array, " steps"]]]:
    """Some steps: the new state, its element, and the steps' losses and gradients' norms.

    The task is the curve, b and the batches; every step has drawn a batch and a point.
    """
    curve, b, batches = task
    fixed = matrices(program.group, start)

    def step(state: _State, chosen: tuple[Array, Array]) -> tuple[_State, tuple[Array, Array]]:
        row, t = chosen

        def objective(latents: dict[str, Array]) -> tuple[Array, dict[int, Potentials]]:
            element, potentials = _relaxation(program, latents, state.potentials, temperature)
            moved = act(program.relaxed, {**fixed, **element}, b)
            params = ended(curve, moved)(t)
            return program.loss_fn(params, trees.index(batches, row)), potentials

        (loss, potentials), gradient = jax.value_and_grad(objective, has_aux=True)(state.latents)
        change, optimiser = program.optimiser.update(gradient, state.optimiser, state.latents)
        latents: Any = optax.apply_updates(state.latents, change)
        return _State(latents, optimiser, potentials), (loss, optax.tree.norm(gradient))

    state, measured = jax.lax.scan(step, state, drawn)
    found = _nearest(program, state.latents)
    found = {name: part.astype(start[name].dtype) for name, part in found.items()}
    return state, {**start, **found}, measured


def _relaxation(
    program: Program,
    latents: Mapping[str, Array],
    potentials: Mapping[int, Potentials],
    temperature: Array,
) -> tuple[dict[str, Array], dict[int, Potentials]]:
    element = {name: polar(latents[name]) for name in program.turned}
    found = dict(potentials)
    for size, names in program.sizes.items():
        stack = _stacked(latents, names)
        if program.estimator == "sinkhorn":
            logits = stack * np.log(max(size, 2)) / temperature
            stack, found[size] = sinkhorn(logits, potentials[size])
        else:
            stack = straight_through(stack)
        element |= _unstacked(stack, {name: latents[name].shape for name in names})
    return element, found


def _nearest(program: Program, latents: Mapping[str, Array]) -> dict[str, Array]:
    element = {name: polar(latents[name]) for name in program.turned}
    for names in program.sizes.values():
        shapes = {name: latents[name].shape[:-1] for name in names}
        element |= _unstacked(nearest_permutation(_stacked(latents, names)), shapes)
    return element


def _stacked(latents: Mapping[str, Array], names: Iterable[str]) -> Float[Array, "stack n n"]:
    return jnp.concatenate([latents[n].reshape(-1, *latents[n].shape[-2:]) for n in names])


def _unstacked(stack: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    counts = [int(np.prod(shape)) // int(np.prod(stack.shape[1:])) for shape in shapes.values()]
    parts = jnp.split(stack, np.cumsum(counts)[:-1])
    return {name: p.reshape(s) for p, (name, s) in zip(parts, shapes.items(), strict=True)}


@functools.partial(jax.jit, static_argnums=0)
def evaluate(
    program: Program,
    element: Element,
    curve: paths.ControlledPath,
    b: Params,
    batches: Batch,
    t: Float[Array, ""],
) -> Float[Array, ""]:
    """The mean over batches of the loss at one point of the curve."""
    params = ended(curve, act(program.group, element, b))(t)
    return jax.lax.map(lambda batch: program.loss_fn(params, batch), batches).mean()


def ended(curve: paths.ControlledPath, end: Params) -> paths.ControlledPath:
    """The curve with another last control point."""
    controls = jax.tree.map(
        lambda stack, leaf: jnp.asarray(stack).at[-1].set(leaf), curve.controls, end
    )
    return replace(curve, controls=controls)


@functools.cache
def default_optimiser(estimator: str, steps: int) -> optax.GradientTransformation:
    """The optimiser of an estimator; one object for all calls, which share compiled programs."""
    if estimator == "sinkhorn":
        return optax.adam(optax.cosine_decay_schedule(0.2, steps))
    return optax.chain(_scale_by_total(), optax.scale(-0.15))


def _scale_by_total() -> optax.GradientTransformation:
    """Divide a matrix by the root of the sum of the mean squares of all its gradients so far.

    An entry's own sum, as in AdaGrad, would let small gradients exchange units like large ones.
    """

    def init(params: optax.Params) -> optax.OptState:
        return jax.tree.map(lambda latent: jnp.zeros((*latent.shape[:-2], 1, 1)), params)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        del params
        squares = jax.tree.map(lambda g: (g**2).mean(axis=(-2, -1), keepdims=True), updates)
        totals = jax.tree.map(jnp.add, state, squares)
        scaled = jax.tree.map(
            lambda g, total: jnp.where(total > 0, g / jnp.sqrt(total), 0), updates, totals
        )
        return scaled, totals

    return optax.GradientTransformation(init, update)

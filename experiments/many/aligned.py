"""Networks in one common place: their alignment, their mixtures, and their mean."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from jaxtyping import Array, Float

from mconn import align, data, landscape, paths, symmetry, trees
from mconn.data import Dataset
from mconn.errors import ConfigError
from mconn.experiment import Context, Result, Stage
from mconn.experiment.stages import Align, Train
from mconn.symmetry import Group
from mconn.types import ApplyFn, Params


@dataclass(frozen=True)
class AlignMany(Align):
    """Align all seeds at once: its elements compose to the identity along every cycle.

    Its result is that of `Align`, with the same table ``matches`` but for what belongs to single
    pairs; ``method`` is ``weights`` or ``activations``, and ``keys`` are restarts. The fact
    ``cycles`` is how many units the way round any three networks moves.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in ("weights", "activations"):
            raise ConfigError(
                f"method is '{self.method}': networks are aligned all at once by weights or by "
                "activations"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Match all networks, and derive the element of every pair."""
        seeds, networks = self.train.config.seeds, unstacked(inputs["train"].tree)
        dataset = data.load(self.train.config.data, context.data_dir)
        apply = self.train.config.model.apply
        group = permutations_of(apply, networks[0], dataset)
        cost = align.cost_named(self.method, apply, dataset.train.inputs)
        found = align.match_many(group, networks, cost=cost, restarts=self.keys)
        elements, rows = {}, []
        for i, j in itertools.combinations(range(len(seeds)), 2):
            element = found.between(i, j)
            elements[f"{seeds[i]}-{seeds[j]}"] = element
            moved = symmetry.act(group, element, networks[j])
            rows.append(
                {
                    "pair": f"{seeds[i]}-{seeds[j]}",
                    "objective": found.pairs[i, j],
                    "distance_before": float(trees.distance(networks[i], networks[j])),
                    "distance_after": float(trees.distance(networks[i], moved)),
                }
            )
        return Result(
            tree=elements,
            tables={"matches": pa.Table.from_pylist(rows)},
            facts={
                "symmetry": group.describe(),
                "cycles": moved_round_cycles(group, elements, [str(seed) for seed in seeds]),
                "sum": found.objective,
            },
        )


@dataclass(frozen=True)
class Mixtures(Stage):
    """Loss over the triangles of all three aligned networks, and of the mean of all networks.

    Its table ``simplex`` has a row per triple, split and point of the triangle, with the weights
    ``first``, ``second`` and ``third``; its table ``merged`` a row per split, with the loss of the
    mean of all networks, the mean loss of the single ones, and of their ensemble's logits.

    Attributes:
        train: the networks.
        align: moves them onto the first one; None leaves them as they are.
        steps: along an edge of the triangle, a multiple of 6: the centre and the middles of the
            edges are among the points.
    """

    train: Train
    align: Align | None
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 6 or self.steps % 6:
            raise ConfigError(
                f"steps is {self.steps}: it must be a multiple of 6, so that the centre and the "
                "middles of the edges are points"
            )
        if len(self.train.config.seeds) < 3:
            raise ConfigError(
                f"seeds are {self.train.config.seeds}: a triangle needs three networks"
            )

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Evaluate the triangles one after the other, and the mean."""
        seeds, networks = self.train.config.seeds, unstacked(inputs["train"].tree)
        dataset = data.load(self.train.config.data, context.data_dir)
        apply = self.train.config.model.apply
        if self.align is not None:
            group = permutations_of(apply, networks[0], dataset)
            elements = inputs["align"].tree
            for place in range(1, len(seeds)):
                element = elements[f"{seeds[0]}-{seeds[place]}"]
                networks[place] = symmetry.act(group, element, networks[place])
        eval_fn = landscape.Classification(apply)
        splits = {"train": dataset.train, "test": dataset.test}
        points = barycentric_grid(self.steps)
        rows, merged = [], []
        triples = list(itertools.combinations(range(len(seeds)), 3))
        with context.progress.task("triangles", total=len(triples), unit="triangle") as task:
            for done, triple in enumerate(triples, start=1):
                triangle = paths.simplex([networks[place] for place in triple])
                for split, examples in splits.items():
                    profile = landscape.evaluate(eval_fn, triangle, points, examples)
                    name = "-".join(str(seeds[place]) for place in triple)
                    rows += simplex_rows(profile, {"triple": name, "split": split})
                task.update(done)
        for split, examples in splits.items():
            merged.append({"split": split, **merged_row(apply, networks, examples)})
        return Result(
            tables={
                "simplex": pa.Table.from_pylist(rows),
                "merged": pa.Table.from_pylist(merged),
            },
            facts={"bump": bump_profile(points)},
        )


def simplex_rows(profile: landscape.Profile, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row per point of a triangle."""
    losses, errors = profile.mean("loss"), profile.mean("error")
    return [
        {
            **labels,
            **dict(zip(("first", "second", "third"), map(float, weights), strict=True)),
            "loss": float(losses[point]),
            "accuracy": 1 - float(errors[point]),
        }
        for point, weights in enumerate(profile.t)
    ]


def merged_row(apply: ApplyFn, networks: list[Params], examples: data.Split) -> dict[str, float]:
    """The mean of all networks against the single ones, with the paired standard error."""
    count = len(networks)
    points = np.concatenate([np.eye(count), np.full((1, count), 1 / count)])
    profile = landscape.evaluate(
        landscape.Classification(apply), paths.simplex(networks), points, examples
    )
    losses = profile.metric("loss").astype(np.float64)
    single = losses[:-1].mean(axis=0)
    difference = losses[-1] - single
    logits = np.mean([np.asarray(apply(each, examples.inputs)) for each in networks], axis=0)
    ensemble = landscape.Classification(lambda _, inputs: inputs)
    mixed = ensemble(None, data.Split(jnp.asarray(logits), jnp.asarray(examples.labels)))
    return {
        "merged_loss": float(losses[-1].mean()),
        "single_loss": float(single.mean()),
        "standard_error": float(difference.std(ddof=1) / np.sqrt(len(difference))),
        "ensemble_loss": float(mixed["loss"].mean()),
        "merged_accuracy": float(1 - profile.mean("error")[-1]),
        "single_accuracy": float(1 - profile.mean("error")[:-1].mean()),
    }


def bump(params: Params, batch: Any) -> dict[str, Float[Array, "n"]]:
    """A loss over the triangle that vanishes on its edges, and is 1 at its centre.

    L = 27 l_1 l_2 l_3, of the network whose parameters are the weights l.
    """
    return {"loss": jnp.full(len(batch), 27 * jnp.prod(params["weights"]))}


def bump_profile(points: Float[np.ndarray, "points 3"]) -> dict[str, float]:
    """The largest loss of `bump` on the edges, and at the centre."""
    corners = [{"weights": corner} for corner in np.eye(3, dtype=np.float32)]
    profile = landscape.evaluate(bump, paths.simplex(corners), points, np.zeros(1, np.float32))
    losses = profile.mean("loss")
    return {
        "edges": float(losses[on_edges(points)].max()),
        "centre": float(losses[at_centre(points)].item()),
    }


def barycentric_grid(steps: int) -> Float[np.ndarray, "points 3"]:
    """All points of a triangle whose weights are multiples of 1 / steps."""
    return np.array(
        [
            (i / steps, j / steps, (steps - i - j) / steps)
            for i in range(steps + 1)
            for j in range(steps + 1 - i)
        ]
    )


def on_edges(points: Float[np.ndarray, "points 3"]) -> np.ndarray:
    """Which points mix two networks at most."""
    return points.min(axis=1) < 1e-6


def at_centre(points: Float[np.ndarray, "points 3"]) -> np.ndarray:
    """Which point mixes the three networks equally."""
    return np.abs(points - 1 / 3).max(axis=1) < 1e-6


def moved_round_cycles(
    group: Group, elements: Mapping[str, symmetry.Element], seeds: list[str]
) -> int:
    """How many units are not back in their place after going round three networks."""
    moved = 0
    for a, b, c in itertools.combinations(seeds, 3):
        way = symmetry.compose(group, elements[f"{a}-{b}"], elements[f"{b}-{c}"])
        back = symmetry.compose(group, symmetry.inverse(group, elements[f"{a}-{c}"]), way)
        moved += sum(
            int(np.sum(np.asarray(back[name]) != np.arange(size)))
            for name, size in group.sizes.items()
        )
    return moved


def permutations_of(apply: ApplyFn, network: Params, dataset: Dataset) -> Group:
    """The permutations of a network."""
    examples = jnp.asarray(dataset.train.inputs[:2])
    return symmetry.permutations(symmetry.discover(apply, network, examples))


def unstacked(networks: Params) -> list[Params]:
    """The networks one by one."""
    count = len(jax.tree.leaves(networks)[0])
    return [trees.index(networks, place) for place in range(count)]

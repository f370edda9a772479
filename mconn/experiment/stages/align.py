"""The stage that moves every seed onto every earlier one."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from mconn import align, data, symmetry, trees
from mconn.choices import check_choice
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.stages.train import Train

CostName = Literal["weights", "activations"]


@dataclass(frozen=True)
class Align(Stage):
    """Discover and certify the network's symmetry, then align every pair of seeds.

    The result's tree holds, for the pair of seeds ``a`` and ``b``, under the name ``a-b`` the
    element that moves b onto a; its table ``matches`` has a row per pair and its fact
    ``certificate`` the largest relative change of the outputs under each generator.

    Attributes:
        train: the networks.
        cost: what makes two units alike; activations are those on the training split.
    """

    train: Train
    cost: CostName

    def __post_init__(self) -> None:
        check_choice("cost", self.cost, get_args(CostName))

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Align the pairs one after the other."""
        import pyarrow as pa

        config = self.train.config
        networks = inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        apply = config.model.apply
        examples = jnp.asarray(dataset.train.inputs[:2])
        first = trees.index(networks, 0)
        group = symmetry.discover(apply, first, examples)
        certificate = symmetry.certify(group, apply, first, examples, key=jax.random.key(0)).check()
        cost = (
            align.WeightCost()
            if self.cost == "weights"
            else align.ActivationCost(apply, dataset.train.inputs)
        )
        elements, rows = {}, []
        pairs = list(itertools.combinations(range(len(config.seeds)), 2))
        with context.progress.task(f"align {self.cost}", total=len(pairs), unit="pair") as task:
            for done, (i, j) in enumerate(pairs, start=1):
                a, b = trees.index(networks, i), trees.index(networks, j)
                found = align.match(group, a, b, cost=cost)
                pair = f"{config.seeds[i]}-{config.seeds[j]}"
                elements[pair] = trees.to_numpy(dict(found.element))
                moved = symmetry.act(group, found.element, b)
                rows.append(
                    {
                        "pair": pair,
                        "cost": self.cost,
                        "objective": found.objective,
                        "start_objective": found.history[0],
                        "bound": found.bound,
                        "sweeps": len(found.history) - 1,
                        "fixed_point": found.fixed_point,
                        "distance_before": float(trees.distance(a, b)),
                        "distance_after": float(trees.distance(a, moved)),
                    }
                )
                task.update(done, pair=pair)
        facts = {"symmetry": group.describe(), "certificate": dict(certificate.changes)}
        return Result(tree=elements, tables={"matches": pa.Table.from_pylist(rows)}, facts=facts)

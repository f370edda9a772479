"""The stage that moves every seed onto every earlier one."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from mconn import align, data, paths, symmetry, trees
from mconn.choices import check_choice
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.stages.train import Train
from mconn.types import ApplyFn, Params

Method = Literal["weights", "activations", "random"]

PLANTED_EXAMPLES = 1000


@dataclass(frozen=True)
class Align(Stage):
    """Discover and certify the network's symmetry, then align every pair of seeds.

    The result's tree holds, for the pair of seeds ``a`` and ``b``, under the name ``a-b`` the
    element that moves b onto a; its table ``matches`` has a row per pair. Its facts are the
    ``symmetry``, the ``certificate`` (largest relative change of the outputs under each generator,
    in float64) and ``planted`` (the relative change of the outputs half way between the first
    network and a randomly permuted copy of it, after alignment: nothing, if the method works).

    Attributes:
        train: the networks.
        method: the cost, ``weights`` or ``activations`` on the training split; ``random`` is the
            control that draws an element of the group.
    """

    train: Train
    method: Method

    def __post_init__(self) -> None:
        check_choice("method", self.method, get_args(Method))

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Align the pairs one after the other."""
        import pyarrow as pa

        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        apply, first = config.model.apply, trees.index(networks, 0)
        examples = jnp.asarray(dataset.train.inputs[:2])
        group = symmetry.permutations(symmetry.discover(apply, first, examples))
        certificate = symmetry.certify(group, apply, first, examples, key=jax.random.key(0))
        certificate.check()

        cost = (
            align.ActivationCost(apply, dataset.train.inputs)
            if self.method == "activations"
            else align.WeightCost()
        )
        elements, rows = {}, []
        pairs = list(itertools.combinations(range(len(config.seeds)), 2))
        with context.progress.task(f"align {self.method}", total=len(pairs), unit="pair") as task:
            for done, (i, j) in enumerate(pairs, start=1):
                pair = f"{config.seeds[i]}-{config.seeds[j]}"
                a, b = trees.index(networks, i), trees.index(networks, j)
                found = self._match(group, a, b, cost, jax.random.key(done))
                elements[pair] = trees.to_numpy(dict(found.element))
                moved = symmetry.act(group, found.element, b)
                rows.append(
                    {
                        "pair": pair,
                        "method": self.method,
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
        if self.method != "random":
            some = jnp.asarray(dataset.train.inputs[:PLANTED_EXAMPLES])
            facts["planted"] = _planted(group, apply, first, some, cost)
        return Result(tree=elements, tables={"matches": pa.Table.from_pylist(rows)}, facts=facts)

    def _match(
        self, group: symmetry.Symmetry, a: Params, b: Params, cost: align.Cost, key: jax.Array
    ) -> align.Match:
        if self.method == "random":
            return align.match(group, a, b, cost=cost, start="random", sweeps=0, key=key)
        return align.match(group, a, b, cost=cost, key=key)


def _planted(
    group: symmetry.Symmetry, apply: ApplyFn, network: Params, inputs: jax.Array, cost: align.Cost
) -> float:
    # Units that are dead on the data are alike to a data-aware cost, so that which of them goes
    # where says nothing; the function half way does.
    scramble = symmetry.random_element(group, jax.random.key(1))
    copy = symmetry.act(group, scramble, network)
    found = align.match(group, network, copy, cost=cost)
    half_way = paths.line(network, symmetry.act(group, found.element, copy))(0.5)
    expected = apply(network, inputs)
    return float(abs(apply(half_way, inputs) - expected).max() / abs(expected).max())

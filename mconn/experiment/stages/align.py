"""The stage that moves every seed onto every earlier one."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mconn import data, paths, symmetry, trees
from mconn.align import METHODS, Method, find
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.stages.train import Train
from mconn.types import ApplyFn, Params

PLANTED_EXAMPLES = 1000


@dataclass(frozen=True)
class Align(Stage):
    """Discover and certify the network's symmetry, then align every pair of seeds.

    The result's tree holds, for the pair of seeds ``a`` and ``b``, under the name ``a-b`` the
    element that moves b onto a; its table ``matches`` has a row per pair, with the objective, its
    spread over keys, what the identity and a random element reach, and the margins of the matched
    units. Its facts are the ``symmetry``, the ``certificate`` (largest relative change of the
    outputs under each generator, in float64), ``planted`` (the relative change of the outputs half
    way between the first network and a randomly permuted copy of it, after alignment: nothing, if
    the method works) and ``recovered`` (the share of the copy's units that were put back).

    Attributes:
        train: the networks.
        method: how; see `mconn.align.Method`. Data are those of the training split.
        keys: ascents of each pair with different orders of visits, where the order matters; the
            best is kept.
    """

    train: Train
    method: Method
    keys: int = 3

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        if self.keys < 1:
            raise ConfigError(f"keys is {self.keys}: at least one ascent is needed")

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Align the pairs one after the other."""
        import pyarrow as pa

        config, networks = self.train.config, inputs["train"].tree
        dataset = data.load(config.data, context.data_dir)
        apply, first = config.model.apply, trees.index(networks, 0)
        examples = jnp.asarray(dataset.train.inputs[:2])
        group = group_of(apply, networks, dataset.train)
        certificate = symmetry.certify(group, apply, first, examples, key=jax.random.key(0))
        certificate.check()

        elements, rows = {}, []
        pairs = list(itertools.combinations(range(len(config.seeds)), 2))
        with context.progress.task(f"align {self.method}", total=len(pairs), unit="pair") as task:
            for done, (i, j) in enumerate(pairs, start=1):
                pair = f"{config.seeds[i]}-{config.seeds[j]}"
                a, b = trees.index(networks, i), trees.index(networks, j)
                found = find(
                    group,
                    a,
                    b,
                    self.method,
                    apply=apply,
                    examples=dataset.train,
                    keys=self.keys,
                    key=jax.random.key(done),
                )
                elements[pair] = trees.to_numpy(dict(found.element))
                moved = symmetry.act(group, found.element, b)
                told = found._asdict()
                del told["element"]
                rows.append(
                    {
                        "pair": pair,
                        "method": self.method,
                        **told,
                        "distance_before": float(trees.distance(a, b)),
                        "distance_after": float(trees.distance(a, moved)),
                    }
                )
                task.update(done, pair=pair)
        facts = {"symmetry": group.describe(), "certificate": dict(certificate.changes)}
        if self.method != "random":
            some = dataset.train.head(PLANTED_EXAMPLES)
            facts |= planted(self.method, group, apply, first, some)
        return Result(tree=elements, tables={"matches": pa.Table.from_pylist(rows)}, facts=facts)


def group_of(apply: ApplyFn, networks: Params, split: data.Split) -> symmetry.Group:
    """The permutations of stacked networks."""
    first, examples = trees.index(networks, 0), np.asarray(split.inputs[:2])
    return symmetry.permutations(symmetry.discover(apply, first, examples))


def planted(
    method: Method, group: symmetry.Group, apply: ApplyFn, network: Params, some: data.Split
) -> dict[str, float]:
    """How well a randomly permuted copy of a network is put back."""
    scramble = symmetry.random_element(group, jax.random.key(1))
    copy = symmetry.act(group, scramble, network)
    element = find(
        group, network, copy, method, apply=apply, examples=some, keys=1, key=jax.random.key(2)
    ).element
    # Units that are dead on the data are alike to a data-aware cost, so that which of them goes
    # where says nothing; the function half way does.
    half_way = paths.line(network, symmetry.act(group, element, copy))(0.5)
    expected = apply(network, some.inputs)
    back = symmetry.compose(group, element, scramble)
    right = [np.asarray(back[g.name] == np.arange(g.size)) for g in group.generators]
    return {
        "planted": float(abs(apply(half_way, some.inputs) - expected).max() / abs(expected).max()),
        "recovered": float(np.mean(np.concatenate(right))) if right else 1.0,
    }

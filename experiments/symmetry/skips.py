"""Do skip connections enlarge the symmetry group? They tie it: fewer generators, fewer components.

A skip connection adds two streams, so that whatever permutes, scales or turns the one must do the
same to the other: of two groups one is left. A stack of blocks has a group for every layer without
skips, and one for the insides of each block and a single one for the stream with them. What a
skip does to the minimum itself is counted by `experiments.symmetry.components`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import pyarrow as pa

from experiments.symmetry.group_count import GroupCount, discover_model, permutations_of
from experiments.symmetry.skips_figures import skip_figure
from experiments.symmetry.stacks import Stack
from experiments.symmetry.zoo import count_resnet
from mconn.experiment import Claim, Context, Experiment, Report, Result, Section, Stage
from mconn.models import BasicBlock, ResNet

Kind = Literal["linear", "ReLU MLP", "ReLU CNN", "ResNet"]


@dataclass(frozen=True)
class StackGroups(Stage):
    """The discovered groups of stacks of blocks with and without skips, beside closed forms.

    Attributes:
        kinds: of layers; a ``ResNet`` has three stages, each of as many blocks as the depth says.
        depths: blocks.
        width: units of every layer, or channels of a ResNet's first stage.
    """

    kinds: tuple[Kind, ...]
    depths: tuple[int, ...]
    width: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Discover the group of every network from shapes alone."""
        rows = []
        for kind in self.kinds:
            for depth in self.depths:
                for skip in (False, True):
                    model, examples = network(kind, depth, self.width, skip)
                    found = discover_model(model, examples)
                    rows.append(
                        {
                            "network": kind,
                            "skip": skip,
                            "blocks": depth,
                            "generators": found.generators,
                            "permutations": len(found.count.permuted),
                            "dimension": found.count.dimension,
                            "log10_order": found.count.log10_order,
                            "log2_components": found.count.log2_components,
                            "as_expected": found.count
                            == closed_form(kind, depth, self.width, skip),
                        }
                    )
        return Result(tables={"groups": pa.Table.from_pylist(rows)})


def network(
    kind: Kind, depth: int, width: int, skip: bool
) -> tuple[nn.Module, jax.ShapeDtypeStruct]:
    """A network, and the shape of two examples."""
    vectors = jax.ShapeDtypeStruct((2, 20), jnp.float32)
    images = jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.float32)
    if kind == "ResNet":
        shortcut = "projection" if skip else "none"
        return ResNet((depth,) * 3, width, BasicBlock, shortcut=shortcut), images
    if kind == "ReLU CNN":
        return Stack(depth, width, skip, layer="convolution"), images
    return Stack(depth, width, skip, linear=kind == "linear"), vectors


def closed_form(kind: Kind, depth: int, width: int, skip: bool) -> GroupCount:
    """The size of the group: of 2 L + 1 hidden layers a skip leaves L + 1 that can be moved."""
    if kind == "ResNet":
        return count_resnet((depth,) * 3, width, skip=skip)
    free = depth + 1 if skip else 2 * depth + 1
    if kind == "linear":
        return GroupCount(matrices=free, dimension=free * width**2)
    return GroupCount(permutations_of((width, free)), dimension=free * width)


@dataclass(frozen=True)
class SkipConnections(Experiment):
    """Compare the groups of plain and residual stacks of the same layers.

    Attributes:
        groups: which stacks.
    """

    groups: StackGroups

    def stages(self) -> dict[str, Stage]:
        """Discovery."""
        return {"groups": self.groups}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The sizes against depth, and whether skips make them smaller."""
        groups = results["groups"].tables["groups"]
        rows = {(r["network"], r["skip"], r["blocks"]): r for r in groups.to_pylist()}
        deepest = max(self.groups.depths)
        shown = [
            headline_row(kind, deepest, rows[kind, False, deepest], rows[kind, True, deepest])
            for kind in self.groups.kinds
        ]
        first = shown[0]
        return Report(
            title="Skip connections tie the symmetry group",
            question="Do skip connections make the symmetry group of a network larger or smaller?",
            summary=f"a {first['network']} stack of {deepest} blocks has {first['generators']} "
            f"generators and 2 to the power {first['log2_components']} components without / with "
            "skips",
            headline=pa.Table.from_pylist(shown),
            note="Discovered groups of the same layers without and with skip connections "
            f"(plain / skip), {self.groups.width} units wide, {deepest} blocks deep (of each stage "
            "of a ResNet). A group's components count the sheets of one orbit, not those of the "
            "minimum.",
            sections=[
                Section(
                    "Against depth",
                    figures={"groups": skip_figure(groups)},
                    tables={"groups": groups},
                    captions={
                        "groups": "Generators, connected components (as a power of two) and "
                        "dimension of the discovered group of stacks of blocks of two layers. "
                        "A ResNet with skips has projections where its channels double, which its "
                        "plain counterpart lacks: their scalings and signs outweigh the tie in the "
                        "shallowest one."
                    },
                ),
            ],
            claims=[
                claim
                for kind in self.groups.kinds
                for claim in claims(
                    kind, [(rows[kind, False, n], rows[kind, True, n]) for n in self.groups.depths]
                )
            ]
            + resnet20_claims(rows),
        )


def headline_row(
    kind: Kind, blocks: int, plain: Mapping[str, Any], skip: Mapping[str, Any]
) -> dict[str, Any]:
    """The sizes of a plain and of a residual network side by side."""
    return {
        "network": kind,
        "blocks": blocks,
        "generators": f"{plain['generators']} / {skip['generators']}",
        "permuted": f"{plain['permutations']} / {skip['permutations']}",
        "log2_components": f"{plain['log2_components']:.0f} / {skip['log2_components']:.0f}",
        "dimension": f"{plain['dimension']} / {skip['dimension']}",
    }


def claims(kind: Kind, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[Claim]:
    """With skips everything is smaller, and as large as the closed form says."""
    total = len(pairs)
    # The projections of a ResNet are layers that its plain counterpart lacks, and bring scalings
    # and signs of their own: only what is permuted can be compared.
    has_same_layers = kind != "ResNet"
    sizes = ("generators", "log2_components", "dimension") if has_same_layers else ("permutations",)
    smaller = "generators, components and dimensions" if has_same_layers else "permutations"
    fewer = sum(all(skip[name] < plain[name] for name in sizes) for plain, skip in pairs)
    right = sum(plain["as_expected"] and skip["as_expected"] for plain, skip in pairs)
    form = {
        "linear": "2 L + 1 groups GL(h) without skips and L + 1 with them",
        "ResNet": "one group for every convolution without skips, and with them one inside every "
        "block and one per stream",
    }.get(kind, "2 L + 1 permuted and scaled layers without skips and L + 1 with them")
    return [
        Claim(
            f"{kind}: fewer {smaller} with skips, at every depth",
            "facts of this project, section 6, item 10",
            f"{total} of {total} depths",
            f"{fewer} of {total} depths",
            fewer == total,
            id=f"fewer/{kind}",
        ),
        Claim(
            f"{kind}: the discovered groups are those of the closed form: {form}",
            "closed form",
            f"{total} of {total} depths",
            f"{right} of {total} depths",
            right == total,
            id=f"closed-form/{kind}",
        ),
    ]


def resnet20_claims(rows: Mapping[tuple[str, bool, int], Mapping[str, Any]]) -> list[Claim]:
    """The permutations of ResNet-20 and of its plain twin, if they are among the networks."""
    if ("ResNet", True, 3) not in rows:
        return []
    found = [rows["ResNet", skip, 3]["permutations"] for skip in (False, True)]
    return [
        Claim(
            "the plain network of 20 layers permutes 19 groups of channels, and ResNet-20 12: "
            "three streams, and one inside each of nine blocks",
            "closed form",
            "19 and 12",
            f"{found[0]} and {found[1]}",
            found == [19, 12],
            id="resnet-20",
        )
    ]

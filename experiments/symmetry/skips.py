"""Do skip connections enlarge the symmetry group? They tie it: fewer generators, fewer components.

A skip connection adds two streams, so that whatever permutes, scales or turns the one must do the
same to the other: of two groups one is left. A stack of blocks has a group for every layer without
skips, and one for the insides of each block and a single one for the stream with them. What a
skip does to the minimum itself is counted by `experiments.symmetry.components`.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.symmetry.group_count import discover_model
from experiments.symmetry.zoo import Kind, build, closed_form
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, claims, plot

LOOK = {
    "labels": {"blocks": "Blocks (per stage)", "log2_components": r"$\log_2$ components"},
    "names": {False: "plain", True: "skip connections"},
    "share": {"sharey": False},
    "bottom": 0,
    "integers": True,
}
SIZES = ("generators", "log2_components", "dimension")


@dataclass(frozen=True)
class StackGroups(Stage):
    """The discovered groups of stacks of some depths with and without skips, one width."""

    kinds: tuple[Kind, ...]
    depths: tuple[int, ...]
    width: int

    def run(self, inputs: Mapping[str, Any], context: Any) -> Result:
        """Discover the group of every network from shapes alone."""
        rows = []
        for kind, depth, skip in itertools.product(self.kinds, self.depths, (False, True)):
            found = discover_model(*build(kind, depth, self.width, skip))
            sizes = {
                "generators": found.generators,
                "permutations": len(found.count.permuted),
                "dimension": found.count.dimension,
                "log10_order": found.count.log10_order,
                "log2_components": found.count.log2_components,
                "as_expected": found.count == closed_form(kind, depth, self.width, skip),
            }
            rows.append({"network": kind, "skip": skip, "blocks": depth, **sizes})
        return Result(tables={"groups": rows})


@dataclass(frozen=True)
class SkipConnections(Experiment):
    """Compare the groups of plain and residual stacks of the same layers."""

    groups: StackGroups

    def stages(self) -> dict[str, Stage]:
        """Discovery."""
        return {"groups": self.groups}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The sizes against depth, and whether skips make them smaller."""
        groups, deepest = results["groups"].frame("groups"), max(self.groups.depths)
        wide = groups.pivot(index=["network", "blocks"], columns="skip")
        shown = []
        for kind in self.groups.kinds:
            last = wide.loc[(kind, deepest)]
            pairs = {name: " / ".join(f"{v:.0f}" for v in last[name]) for name in SIZES}
            permuted = " / ".join(map(str, last["permutations"]))
            shown.append({"network": kind, "blocks": deepest, "permuted": permuted, **pairs})
        figure = plot.panels(groups, "blocks", SIZES, by="skip", columns="network", look=LOOK)
        caption = "A ResNet with skips has projections where its channels double, which its plain "
        caption += "twin lacks: their scalings and signs outweigh the tie in the shallowest one."
        return Report(
            title="Skip connections tie the symmetry group",
            question="Do skip connections make the symmetry group of a network larger or smaller?",
            summary=f"a {shown[0]['network']} stack of {deepest} blocks has "
            f"{shown[0]['generators']} generators and 2 to the power "
            f"{shown[0]['log2_components']} components without / with skips",
            headline=shown,
            note=f"Discovered groups of the same layers, plain / skip, {self.groups.width} units "
            f"wide, {deepest} blocks deep (of each stage of a ResNet). Components count the "
            "sheets of one orbit, not those of the minimum.",
            sections=[
                Section(
                    "Against depth", "", {"groups": figure}, {"groups": groups}, {"groups": caption}
                )
            ],
            claims=[claim for kind in self.groups.kinds for claim in judge(kind, wide.loc[kind])],
        )


def judge(kind: str, wide: Frame) -> list[claims.Claim]:
    """With skips everything is smaller, and as large as the closed form says, at every depth."""
    # The projections of a ResNet are layers that its plain counterpart lacks, and bring scalings
    # and signs of their own: only what is permuted can be compared.
    sizes = ("permutations",) if kind == "ResNet" else SIZES
    what = "permutations" if kind == "ResNet" else "generators, components and dimensions"
    fewer = [(wide[name][True] < wide[name][False]).to_numpy() for name in sizes]
    form = {
        "linear": "2 L + 1 groups GL(h) without skips and L + 1 with them",
        "ResNet": "one group for every convolution without skips, and with them one inside every "
        "block and one per stream",
    }.get(kind, "2 L + 1 permuted and scaled layers without skips and L + 1 with them")
    told = f"{kind}: fewer {what} with skips, at every depth"
    exact = f"{kind}: the discovered groups are those of the closed form: {form}"
    right, source = wide["as_expected"].all(axis=1), "facts of this project, section 6, item 10"
    found = [
        claims.counts(f"fewer/{kind}", told, np.all(fewer, axis=0), source=source, of="depths"),
        claims.counts(f"closed-form/{kind}", exact, right, source="closed form", of="depths"),
    ]
    if kind == "ResNet" and 3 in wide.index:
        told = "the plain network of 20 layers permutes 19 groups of channels, and ResNet-20 12: "
        told += "three streams, and one inside each of nine blocks"
        permuted = tuple(map(int, wide.loc[3, "permutations"]))
        found.append(claims.equal("resnet-20", told, permuted, (19, 12), source="closed form"))
    return found

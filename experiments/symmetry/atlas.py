"""How large are the symmetry groups of well-known networks, and how do they grow?

Every group is discovered from shapes alone, so that no weight of the largest networks is made, and
compared with a closed form that was written down from the architecture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments._shared.fits import misfit
from experiments._shared.shown import shown
from experiments.symmetry.group_count import discover_model
from experiments.symmetry.zoo import FAMILIES, FamilyName
from mconn.checks import check_choice
from mconn.experiment import Experiment, Frame, Report, Result, Section, Stage, claims, frame, plot

SIZES = ("log10_order", "dimension", "log10_components")
SHOWN = ["network", "layers", "width", "parameters", "generators", "log10_order", "dimension"]
LOOK = {
    "labels": {"log10_order": r"$\log_{10}$ of the order", "size": "Depth, or width"},
    "names": {"depth": "Against depth", "width": "Against width"},
    **{"log": "xy", "base": 2, "share": {"sharex": "col"}},
}
CAPTIONS = {
    "atlas": "Depth counts hidden layers, or blocks of a transformer; width is that of a hidden "
    "layer, of a first stage's channels, or of a transformer's stream.",
    "groups": "As expected where permutations, signs, matrices and dimension are all as counted.",
}


@dataclass(frozen=True)
class FamilyGroups(Stage):
    """The discovered groups of one architecture: the named one, other depths, other widths."""

    family: FamilyName
    depth: int
    width: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        check_choice("family", self.family, tuple(FAMILIES))

    def run(self, inputs: Mapping[str, Any], context: Any) -> Result:
        """Discover every group."""
        family, points = FAMILIES[self.family], [("named", self.depth, self.width)]
        points += [("depth", depth, self.width) for depth in self.depths]
        points += [("width", self.depth, width) for width in self.widths]
        rows = []
        for varied, depth, width in shown(context, self.family, points, "network"):
            found = discover_model(family.build(depth, width), family.inputs)
            row = {"network": self.family, "varied": varied, "layers": family.layers(depth)}
            row |= {"width": width, "parameters": found.parameters, "generators": found.generators}
            row |= {name: getattr(found.count, name) for name in SIZES}
            count = family.count(depth, width)
            row |= {"expected_dimension": count.dimension, "as_expected": found.count == count}
            rows.append(row)
        return Result(tables={"groups": rows})


@dataclass(frozen=True)
class SymmetryAtlas(Experiment):
    """The sizes of the groups of several architectures against depth and width."""

    families: tuple[FamilyGroups, ...]

    def stages(self) -> dict[str, Stage]:
        """One stage per architecture."""
        return {f"groups {stage.family}": stage for stage in self.families}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The table of named networks, the growth of all, and whether the closed forms hold."""
        groups = frame(results, "groups")
        named, grown = groups.query("varied == 'named'"), groups.query("varied != 'named'")
        top = named.loc[named.log10_order.idxmax()]
        sized = grown.assign(size=grown.layers.where(grown.varied == "depth", grown.width))
        drawn = plot.panels(sized, "size", SIZES[:2], by="network", columns="varied", look=LOOK)
        return Report(
            title="An atlas of symmetry groups",
            question="How large is the symmetry group of each network, and how does it grow?",
            summary="{network}: order 10^{log10_order:.0f}, dimension {dimension}".format(**top),
            headline=named[SHOWN],
            note="Order: of permutations and signs. Dimension: of scalings, rotations, matrices. "
            "Counted is what multiplies arrays along their axes; what adds to them, such as an "
            "offset of all keys, is not. BatchNorm's running statistics are among the parameters.",
            sections=[Section("Growth", "", {"atlas": drawn}, {"groups": groups}, CAPTIONS)],
            claims=[c for stage in self.families for c in judge(stage.family, groups)],
        )


def judge(family: FamilyName, groups: Frame) -> list[claims.Claim]:
    """The closed form, and the growth where there is one."""
    rows, form, of = groups[groups.network == family], "closed form", "largest relative residual"
    told = f"{family}: permutations, signs, matrices and dimension are exactly those of the closed "
    told += f"form; {FAMILIES[family].dimension}"
    found = [claims.counts("closed-form", told, rows.as_expected, source=form, of="networks")]
    deep, wide = rows.query("varied == 'depth'"), rows.query("varied == 'width'")
    if len(deep) > 2:
        error = misfit(deep.log10_order, deep.layers)
        told = f"{family}: the log order is linear in the depth"
        found.append(claims.at_most("depth", told, error, 1e-9, source=form, of=of))
    if len(wide) > 2:
        # Stirling: log n! = n log n - n + (log n) / 2 + ..., summed over groups of a n units.
        error = misfit(wide.log10_order, wide.width * np.log(wide.width), wide.width)
        told = f"{family}: the log order grows with the width n as a n log n + b n"
        found.append(claims.at_most("width", told, error, 0.02, source="Stirling's formula", of=of))
    return claims.each_with(family, found)

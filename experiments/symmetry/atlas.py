"""How large are the symmetry groups of well-known networks, and how do they grow?

Every group is discovered from shapes alone (`jax.eval_shape`), so that no weight of the largest
networks is made, and compared with a closed form that was written down from the architecture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from experiments.symmetry.group_count import discover_model
from experiments.symmetry.zoo import FAMILIES, FamilyName
from mconn.checks import check_choice
from mconn.experiment import (
    Context,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    frame,
    plot,
)

SHOWN = ["network", "layers", "width", "parameters", "generators", "log10_order", "dimension"]
LOOK = {
    "labels": {"log10_order": r"$\log_{10}$ of the order", "size": "Depth, or width"},
    "names": {"depth": "Against depth", "width": "Against width"},
    "log": "xy",
    "base": 2,
    "share": {"sharex": "col"},
}
CAPTIONS = {
    "atlas": "Order of the discrete part and dimension of the continuous part. Depth counts hidden "
    "layers, or blocks of a transformer; width is that of a hidden layer, of a first stage's "
    "channels, or of a transformer's stream.",
    "groups": "All networks, with the dimension of the closed form and whether permutations, "
    "signs, matrices and dimension are all as it says.",
}


@dataclass(frozen=True)
class FamilyGroups(Stage):
    """The discovered groups of one architecture at several depths and at several widths.

    Attributes:
        family: the architecture's name.
        depth: of the named network, at which the widths are varied.
        width: of the named network, at which the depths are varied.
        depths: see `experiments.symmetry.zoo.Family`; empty if the depth cannot vary.
        widths: of a hidden layer, of a first stage's channels, or of a transformer's stream.
    """

    family: FamilyName
    depth: int
    width: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        check_choice("family", self.family, get_args(FamilyName))

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Discover every group."""
        points = [("named", self.depth, self.width)]
        points += [("depth", depth, self.width) for depth in self.depths]
        points += [("width", self.depth, width) for width in self.widths]
        rows = []
        with context.progress.task(self.family, total=len(points), unit="network") as task:
            for done, (varied, depth, width) in enumerate(points, start=1):
                rows.append({"network": self.family, "varied": varied, **self.row(depth, width)})
                task.update(done)
        return Result(tables={"groups": rows})

    def row(self, depth: int, width: int) -> dict[str, Any]:
        """The sizes of one network's group."""
        family = FAMILIES[self.family]
        found = discover_model(family.build(depth, width), family.inputs)
        expected = family.count(depth, width)
        return {
            "layers": family.layers(depth),
            "width": width,
            "parameters": found.parameters,
            "generators": found.generators,
            "log10_order": found.count.log10_order,
            "dimension": found.count.dimension,
            "log10_components": found.count.log2_components * float(np.log10(2)),
            "expected_dimension": expected.dimension,
            "as_expected": found.count == expected,
        }


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
        named, grown = (groups[(groups.varied == "named") == each] for each in (True, False))
        largest = named.loc[named.log10_order.idxmax()]
        sized = grown.assign(size=grown.layers.where(grown.varied == "depth", grown.width))
        drawn = plot.panels(
            sized, "size", ("log10_order", "dimension"), by="network", columns="varied", look=LOOK
        )
        return Report(
            title="An atlas of symmetry groups",
            question="How many permutations and signs, and how many continuous symmetries, has a "
            "network of each kind, and how do they grow with its depth and its width?",
            summary=f"the largest group: {largest.network} with order "
            f"10^{largest.log10_order:.0f} and dimension {largest.dimension}",
            headline=named[SHOWN],
            note="Discovered from shapes alone. Order: of permutations and signs. Dimension: of "
            "scalings, rotations and matrices. Counted is what multiplies arrays along their axes; "
            "what adds to them, such as an offset of all keys, is not. BatchNorm's running "
            "statistics are among the parameters.",
            sections=[Section("Growth", "", {"atlas": drawn}, {"groups": groups}, CAPTIONS)],
            claims=[c for stage in self.families for c in judge(stage.family, groups)],
        )


def judge(family: FamilyName, groups: Frame) -> list[claims.Claim]:
    """The closed form and the growth of one architecture."""
    rows = groups[groups.network == family]
    form = f"{family}: permutations, signs, matrices and dimension are exactly those of the closed "
    form += f"form; {FAMILIES[family].dimension}"
    deep, wide = (rows[rows.varied == each] for each in ("depth", "width"))
    size = wide.width.astype(float)
    # Stirling: log n! = n log n - n + (log n) / 2 + ..., summed over groups of a n units.
    laws = {
        "depth": (deep, (deep.layers,), 1e-9, "is linear in the depth"),
        "width": (wide, (size * np.log(size), size), 0.02, "grows with the width n as "),
    }
    named = f"closed-form/{family}"
    found = [claims.counts(named, form, rows.as_expected, source="closed form", of="networks")]
    for name, (part, columns, limit, law) in laws.items():
        if len(part) > 2:
            told = f"{family}: the log order {law}" + "a n log n + b n" * (name == "width")
            source = "Stirling's formula" if name == "width" else "closed form"
            error, of = misfit(part.log10_order, *columns), "largest relative residual"
            id = f"{name}/{family}"
            found.append(claims.at_most(id, told, error, limit, source=source, of=of))
    return found


def misfit(values: Any, *columns: Any) -> float:
    """The largest relative residual of the best fit by columns; one column alone has an offset."""
    design = np.stack([*map(np.asarray, columns)], axis=1).astype(float)
    if len(columns) == 1:
        design = np.concatenate([design, np.ones_like(design)], axis=1)
    scaled = design / np.asarray(values, float)[:, None]
    solution = np.linalg.lstsq(scaled, np.ones(len(scaled)), rcond=None)[0]
    return float(np.abs(scaled @ solution - 1).max())

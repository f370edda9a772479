"""How large are the symmetry groups of well-known networks, and how do they grow?

Every group is discovered from shapes alone (`jax.eval_shape`), so that no weight of the largest
networks is made, and compared with a closed form that was written down from the architecture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.symmetry.atlas_figures import atlas_figure
from experiments.symmetry.group_count import discover_model
from experiments.symmetry.zoo import FAMILIES, FamilyName
from mconn.checks import check_choice
from mconn.experiment import Claim, Context, Experiment, Report, Result, Section, Stage
from mconn.experiment.tables import gather


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
        points = [
            ("named", self.depth, self.width),
            *(("depth", depth, self.width) for depth in self.depths),
            *(("width", self.depth, width) for width in self.widths),
        ]
        rows = []
        with context.progress.task(self.family, total=len(points), unit="network") as task:
            for done, (varied, depth, width) in enumerate(points, start=1):
                rows.append({"network": self.family, "varied": varied, **self.row(depth, width)})
                task.update(done)
        return Result(tables={"groups": pa.Table.from_pylist(rows)})

    def row(self, depth: int, width: int) -> dict[str, Any]:
        """The sizes of one network's group."""
        family = FAMILIES[self.family]
        found = discover_model(family.build(depth, width), family.inputs)
        return {
            "layers": family.layers(depth),
            "width": width,
            "parameters": found.parameters,
            "generators": found.generators,
            "log10_order": found.count.log10_order,
            "dimension": found.count.dimension,
            "log10_components": found.count.log2_components * float(np.log10(2)),
            "expected_dimension": family.count(depth, width).dimension,
            "as_expected": found.count == family.count(depth, width),
        }


@dataclass(frozen=True)
class SymmetryAtlas(Experiment):
    """The sizes of the groups of several architectures against depth and width.

    Attributes:
        families: which, at which sizes.
    """

    families: tuple[FamilyGroups, ...]

    def stages(self) -> dict[str, Stage]:
        """One stage per architecture."""
        return {f"groups {stage.family}": stage for stage in self.families}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The table of named networks, the growth of all, and whether the closed forms hold."""
        groups = gather(results, "groups")
        named = groups.filter(pc.field("varied") == "named")
        largest = max(named.to_pylist(), key=lambda row: row["log10_order"])
        return Report(
            title="An atlas of symmetry groups",
            question="How many permutations and signs, and how many continuous symmetries, has a "
            "network of each kind, and how do they grow with its depth and its width?",
            summary=f"the largest group: {largest['network']} with order "
            f"10^{largest['log10_order']:.0f} and dimension {largest['dimension']}",
            headline=named.select(
                [
                    "network",
                    "layers",
                    "width",
                    "parameters",
                    "generators",
                    "log10_order",
                    "dimension",
                ]
            ),
            note="Discovered from shapes alone. Order: of the discrete part, permutations and "
            "signs. Dimension: of the continuous part, scalings, rotations and matrices. Counted "
            "is what multiplies arrays along their axes; not counted is what adds to them, such as "
            "an offset of all keys. Networks with BatchNorm are taken as they are used, with their "
            "running statistics among the parameters.",
            sections=[
                Section(
                    "Growth",
                    figures={"atlas": atlas_figure(groups)},
                    tables={"groups": groups},
                    captions={
                        "atlas": "Order of the discrete part and dimension of the continuous part "
                        "of the discovered groups. Depth counts hidden layers, or blocks of a "
                        "transformer; width is that of a hidden layer, of a first stage's "
                        "channels, or of a transformer's stream. VGG16 has one depth; the tanh "
                        "network has no continuous part.",
                        "groups": "All networks, with the dimension of the closed form and whether "
                        "permutations, signs, matrices and dimension are all as it says.",
                    },
                )
            ],
            claims=[claim for stage in self.families for claim in family_claims(stage, groups)],
        )


def family_claims(stage: FamilyGroups, groups: pa.Table) -> list[Claim]:
    """The closed form and the growth of one architecture."""
    rows = [row for row in groups.to_pylist() if row["network"] == stage.family]
    right = sum(row["as_expected"] for row in rows)
    claims = [
        Claim(
            f"{stage.family}: permutations, signs, matrices and dimension are exactly those of the "
            f"closed form; {FAMILIES[stage.family].dimension}",
            "closed form",
            f"{len(rows)} of {len(rows)} networks",
            f"{right} of {len(rows)} networks",
            right == len(rows),
            id=f"closed-form/{stage.family}",
        )
    ]
    deep = [row for row in rows if row["varied"] == "depth"]
    if len(deep) > 2:
        error = misfit([row["log10_order"] for row in deep], [row["layers"] for row in deep])
        claims.append(
            growth_claim(
                f"depth/{stage.family}",
                f"{stage.family}: the log order is linear in the depth",
                error,
                1e-9,
            )
        )
    wide = [row for row in rows if row["varied"] == "width"]
    if len(wide) > 2:
        widths = np.array([row["width"] for row in wide], float)
        # Stirling: log n! = n log n - n + (log n) / 2 + ..., summed over groups of a n units.
        error = misfit([row["log10_order"] for row in wide], widths * np.log(widths), widths)
        claims.append(
            growth_claim(
                f"width/{stage.family}",
                f"{stage.family}: the log order grows with the width n as a n log n + b n",
                error,
                0.02,
            )
        )
    return claims


def growth_claim(id: str, statement: str, error: float, tolerance: float) -> Claim:
    """The claim that a law of growth fits."""
    return Claim(
        statement,
        "Stirling's formula" if "log n" in statement else "closed form",
        f"largest relative residual at most {tolerance:g}",
        f"{error:.1e}",
        error <= tolerance,
        id=id,
    )


def misfit(values: Any, *columns: Any) -> float:
    """The largest relative residual of the best fit by columns; one column alone has an offset.

    The residuals that are minimised are relative as well.
    """
    design = np.stack([*map(np.asarray, columns)], axis=1).astype(float)
    if len(columns) == 1:
        design = np.concatenate([design, np.ones_like(design)], axis=1)
    scaled = design / np.asarray(values, float)[:, None]
    solution = np.linalg.lstsq(scaled, np.ones(len(scaled)), rcond=None)[0]
    return float(np.abs(scaled @ solution - 1).max())

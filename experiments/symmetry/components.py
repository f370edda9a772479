"""How many connected components has the minimum of a linear network, and what does a skip change?

The zero-loss weights of ||Y - W_l ... W_1 X||^2 fall into 2^(l-1) components, told apart by the
signs of the determinants: so many as the group GL^(l-1) has, of which they are one orbit (Zhao et
al., *Understanding mode connectivity via parameter space symmetry*, ICML 2025, arXiv:2505.23681,
section 4). A skip connection around the first two layers joins some of them: of the four of three
scalar layers three are left (proposition 4.3), and two where the layers are matrices.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from experiments.symmetry.components_figures import TITLES, level_set_figure
from experiments.symmetry.components_stages import LinearGroups, RoadmapSearch, ScalarLevelSets
from mconn.experiment import (
    Claim,
    Experiment,
    Frame,
    Report,
    Result,
    Section,
    Stage,
    claims,
    numbers,
    plot,
)

PAPER = "Zhao et al. 2025"
LOOK = {
    "labels": {"points": "Random points of the minimum", "components": "Components"},
    "log": "xy",
}


@dataclass(frozen=True)
class ConnectedComponents(Experiment):
    """Count the components of the minimum: by flood fill, by the group, and by a roadmap.

    Attributes:
        flood: scalar networks.
        groups: the discovered groups.
        search: networks of matrices.
    """

    flood: ScalarLevelSets
    groups: LinearGroups
    search: RoadmapSearch

    def stages(self) -> dict[str, Stage]:
        """The three counts."""
        return {"flood": self.flood, "groups": self.groups, "search": self.search}

    def report(self, results: Mapping[str, Result]) -> Report:
        """The level sets, the counts, and whether they are the expected ones."""
        flood = results["flood"].tables["flood"]
        groups = results["groups"].tables["groups"]
        search, edges = (results["search"].tables[name] for name in ("search", "edges"))
        final = pa.Table.from_pylist(
            [row for row in search.to_pylist() if row["points"] == self.search.points]
        )
        counts = {(row["width"], bool(row["skip"])): row["components"] for row in final.to_pylist()}
        scalar = {
            bool(row["skip"]): row["components"] for row in flood.to_pylist() if row["layers"] == 3
        }
        axis = np.linspace(-self.flood.half_width, self.flood.half_width, self.flood.points)
        return Report(
            title="Connected components of the minimum of a linear network",
            question="Into how many pieces do the zero-loss weights of a linear network of three "
            "layers fall, and how many are left with a skip connection around the first two?",
            summary=f"three scalar layers {scalar[False]}, with a skip {scalar[True]}; "
            + "; ".join(
                f"width {width}: {counts[width, False]}, with a skip {counts[width, True]}"
                for width in self.search.widths
                if width > 1
            ),
            headline=headline(self.search.widths, scalar, counts),
            note="Components found by flood fill on a grid, and by a roadmap: random points of the "
            "minimum, joined where the straight line between them stays on it.",
            sections=[
                Section(
                    "Scalar layers",
                    figures={"level_sets": level_set_figure(axis, results["flood"].tree)},
                    tables={"flood": flood},
                    captions={
                        "level_sets": "The weights of w3 (w2 w1 + s) with zero loss for input and "
                        "target one, seen along w3: over every point of the plane lies one, "
                        "w3 = 1 / (w2 w1 + s), outside of the picture near the dashed curve, where "
                        "no w3 fits. Each colour is a component that flood fill found in three "
                        "dimensions.",
                        "flood": f"Regions of loss below {self.flood.level} on a grid from "
                        f"{-self.flood.half_width} to {self.flood.half_width}.",
                    },
                ),
                Section(
                    "The group",
                    tables={"groups": groups},
                    captions={
                        "groups": "The discovered group of l layers is GL(h)^(l-1), whose "
                        "components are counted by their power of two."
                    },
                ),
                Section(
                    "Layers of matrices",
                    figures={
                        "roadmap": plot.panels(
                            named(search),
                            "points",
                            "components",
                            by="width",
                            columns="skip",
                            look=LOOK,
                        )
                    },
                    tables={"search": search, "edges": edges},
                    captions={
                        "roadmap": "Components of the roadmap against the number of random points "
                        "in it. It falls until all points that can be joined are.",
                        "edges": "The lines of the largest roadmap: how many of its components "
                        "have points with both signs of the determinant of w2 w1 + s, which no "
                        "path on the minimum could join, and the largest loss on all lines, "
                        "relative to that of the output zero.",
                    },
                ),
            ],
            claims=[
                *self._scalar_claims(flood),
                *self._group_claims(groups),
                *self._search_claims(counts, edges),
            ],
        )

    def _scalar_claims(self, flood: pa.Table) -> list[Claim]:
        judged = []
        for row in flood.to_pylist():
            with_skip = row["skip"] > 0
            expected = 3 if with_skip else 2 ** (row["layers"] - 1)
            name = f"{row['layers']} scalar layers" + (" with a skip" if with_skip else "")
            source = (
                f"{PAPER}, proposition 4.3 and figure 2" if with_skip else f"{PAPER}, section 4"
            )
            told, found = f"components of {name}, by flood fill", row["components"]
            judged.append(claims.equal(f"flood-fill/{name}", told, found, expected, source=source))
        return judged

    def _group_claims(self, groups: pa.Table) -> list[Claim]:
        rows = groups.to_pylist()
        right = sum(
            row["log2_components"] == row["layers"] - 1
            and row["dimension"] == (row["layers"] - 1) * row["width"] ** 2
            for row in rows
        )
        return [
            Claim(
                f"the discovered group of l = {min(self.groups.depths)} to "
                f"{max(self.groups.depths)} linear layers of h units has 2^(l-1) components and "
                "dimension (l-1) h^2",
                f"{PAPER}, section 4",
                f"{len(rows)} of {len(rows)} networks",
                f"{right} of {len(rows)} networks",
                right == len(rows),
                id="discovered-group",
            )
        ]

    def _search_claims(
        self, counts: Mapping[tuple[int, bool], int], edges: pa.Table
    ) -> list[Claim]:
        judged = []
        for (width, with_skip), found in counts.items():
            expected = (3 if width == 1 else 2) if with_skip else 4
            name = f"three layers of width {width}" + (" with a skip" if with_skip else "")
            source = f"{PAPER}, proposition 4.3" if with_skip else f"{PAPER}, section 4"
            source = "a pilot of this project" if with_skip and width > 1 else source
            told = f"components of {name}, by the roadmap"
            judged.append(claims.equal(f"roadmap/{name}", told, found, expected, source=source))
        line = "every line of the roadmaps keeps the loss at zero"
        sign = "no component of a roadmap has points whose determinants differ in sign"
        worst, mixed = numbers(edges, "largest_loss"), int(numbers(edges, "mixed").sum())
        of = "loss over that of the output zero"
        return [
            *judged,
            claims.at_most("lines-keep-zero", line, worst.max(), 1e-9, of=of, source="control"),
            claims.equal("signs", sign, mixed, 0, source="control"),
        ]


def named(search: pa.Table) -> Frame:
    """The roadmaps with the names of their widths and networks."""
    rows = search.to_pandas()
    networks = rows.skip.map({0.0: TITLES["plain"], 1.0: TITLES["skip"]})
    return rows.assign(width="width " + rows.width.astype(str), skip=networks)


def headline(
    widths: tuple[int, ...],
    scalar: Mapping[bool, int],
    counts: Mapping[tuple[int, bool], int],
) -> pa.Table:
    """Components without and with a skip, by width and method."""
    rows = [{"width": 1, "method": "flood fill", "plain": scalar[False], "skip": scalar[True]}]
    rows += [
        {
            "width": width,
            "method": "roadmap",
            "plain": counts[width, False],
            "skip": counts[width, True],
        }
        for width in widths
    ]
    return pa.Table.from_pylist(rows)

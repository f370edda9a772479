"""Stages that count connected components: on a grid, by the discovered group, by a roadmap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from experiments.symmetry.group_count import count_group
from experiments.symmetry.level_sets import (
    build_roadmap,
    flood_fill,
    largest_loss,
    mixed_components,
    random_factors,
    scalar_losses,
)
from mconn import symmetry
from mconn.experiment import Context, Result, Stage


@dataclass(frozen=True)
class ScalarLevelSets(Stage):
    """Flood fill of the sets of small loss of scalar networks, on a grid.

    Attributes:
        depths: how many weights the networks without a skip have.
        half_width: the grid reaches from minus this to this in every weight.
        points: grid points along each weight of three; networks of four have half as many.
        level: of the loss; that of the output zero is one.
    """

    depths: tuple[int, ...]
    half_width: float
    points: int
    level: float

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Count the components of every network; keep the labels of the two with three layers."""
        rows, tree = [], {}
        for skip, depth in [*((0.0, depth) for depth in self.depths), (1.0, 3)]:
            points = self.points if depth <= 3 else self.points // 2
            axis = np.linspace(-self.half_width, self.half_width, points)
            losses = scalar_losses(axis, depth, skip)
            labels, count = flood_fill(losses, self.level)
            rows.append({"layers": depth, "skip": skip, "points": points, "components": count})
            if depth == 3:
                # Over a point of the (w_1, w_2) plane there is one sheet at most.
                tree["skip" if skip else "plain"] = {"sheet": labels.max(axis=2)}
        return Result(tree=tree, tables={"flood": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class LinearGroups(Stage):
    """The discovered groups of linear networks.

    Attributes:
        depths: how many layers.
        widths: units of every layer.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Discover the group of every network, from shapes alone."""

        def apply(params: list[Any], x: Any) -> Any:
            for weight in params:
                x = x @ weight
            return x

        rows = []
        for width in self.widths:
            square = jax.ShapeDtypeStruct((width, width), jnp.float32)
            for depth in self.depths:
                examples = jax.ShapeDtypeStruct((2 * width + 1, width), jnp.float32)
                group = symmetry.discover(apply, [square] * depth, examples)
                rows.append(
                    {
                        "layers": depth,
                        "width": width,
                        "generators": len(group.generators),
                        "dimension": group.dimension,
                        "log2_components": count_group(group).log2_components,
                    }
                )
        return Result(tables={"groups": pa.Table.from_pylist(rows)})


@dataclass(frozen=True)
class RoadmapSearch(Stage):
    """Roadmaps of the minimum of networks of three layers, without and with a skip.

    Attributes:
        widths: units of every layer.
        points: random points of the largest roadmap.
        positions: where on each line the loss is computed.
        seed: of the points and of the data.
    """

    widths: tuple[int, ...]
    points: int
    positions: int
    seed: int

    def run(self, inputs: Mapping[str, Any], context: Context) -> Result:
        """Build the roadmaps, and count the components of those of the first few points."""
        rows, edges = [], []
        sizes = np.unique(np.geomspace(4, self.points, 16).astype(int))
        for width in self.widths:
            for skip in (0.0, 1.0):
                random = np.random.default_rng([self.seed, width])
                data, targets = random.normal(size=(2, width, width))
                roadmap = build_roadmap(random_factors(random, self.points, width, skip))
                for size in sizes.tolist():
                    components = len(np.unique(roadmap.components(size)))
                    row = {"width": width, "skip": skip, "points": size, "components": components}
                    rows.append(row)
                edges.append(
                    {
                        "width": width,
                        "skip": skip,
                        "edges": len(roadmap.starts),
                        "mixed": mixed_components(roadmap),
                        "largest_loss": largest_loss(roadmap, data, targets, self.positions),
                    }
                )
        tables = {"search": pa.Table.from_pylist(rows), "edges": pa.Table.from_pylist(edges)}
        return Result(tables=tables)

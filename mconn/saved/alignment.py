"""Two saved networks: the second moved onto the first, and what that does to the line between."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np

from mconn import data, landscape, paths, symmetry, trees
from mconn.align import METHODS, Found, find
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.experiment.stages import recomputed
from mconn.landscape import Estimate
from mconn.measure import Execution
from mconn.progress import SILENT, Progress
from mconn.saved.reading import Network, Pair
from mconn.symmetry import KINDS, Group
from mconn.types import Params

OFFERED = tuple(method for method in METHODS if method != "random")
DATA_FREE = ("weights",)
POINTS = 25
"""Equispaced points on a line, ends included."""


@dataclass(frozen=True)
class Alignment:
    """How one network was moved onto another.

    Attributes:
        group: the part of the discovered group that was used.
        certificate: that it leaves the function as it is, in float64.
        found: the element, and the numbers of the ascent.
        moved: the second network after the element, on the host, in the dtypes that it had.
        distance_before: the Euclidean distance of the networks.
        distance_after: that of the first from the moved one.
        barriers: for ``train`` and ``test`` the chord barrier of the loss on the line, in nats,
            before and after; empty if there are no data.
    """

    group: Group
    certificate: symmetry.Certificate
    found: Found
    moved: Params
    distance_before: float
    distance_after: float
    barriers: Mapping[str, tuple[Estimate, Estimate]]

    def as_json(self) -> dict[str, Any]:
        """All but the network, as JSON values; numbers that are not finite are null."""
        found = self.found._asdict()
        element = {name: np.asarray(part).tolist() for name, part in found.pop("element").items()}
        return _finite(
            {
                **found,
                "distance_before": self.distance_before,
                "distance_after": self.distance_after,
                "barriers": {
                    split: {"before": asdict(before), "after": asdict(after)}
                    for split, (before, after) in self.barriers.items()
                },
                "certificate": dict(self.certificate.changes),
                "group": symmetry.to_json(self.group),
                "element": element,
            }
        )


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_options(method: str, kinds: Sequence[str], keys: int, seed: int) -> None:
    """Refuse options that make no sense, before anything is read.

    Raises:
        ConfigError: naming the option.
    """
    check_choice("method", method, OFFERED)
    for kind in kinds:
        check_choice("kind", kind, KINDS)
    if not kinds:
        raise ConfigError(f"kinds is empty: choose some of {', '.join(KINDS)}")
    if keys < 1:
        raise ConfigError(f"keys is {keys}: at least one ascent is needed")
    if not 0 <= seed < 2**31:
        raise ConfigError(f"seed is {seed}: it must be at least 0 and below 2**31")
    allowed = {
        "contribution": ("permutation",),
        "covariance": ("permutation", "sign", "orthogonal", "rotation"),
    }.get(method, KINDS)
    for kind in kinds:
        if kind not in allowed:
            raise ConfigError(
                f"method '{method}' cannot match by kind '{kind}': choose from "
                f"{', '.join(allowed)}, or the method 'weights'"
            )


def align(
    pair: Pair,
    *,
    method: Any = "weights",
    kinds: Sequence[Any] = ("permutation",),
    keys: int = 3,
    seed: int = 0,
    barrier: bool = True,
    progress: Progress = SILENT,
) -> Alignment:
    """Discover the group, certify it on ``a``, move ``b`` onto ``a``, and measure both lines.

    Args:
        pair: the networks; without data for methods that need none.
        method: see `mconn.align.Method`.
        kinds: the kinds of generator to match by.
        keys: ascents with different orders of visits, where the order matters; the best is kept.
        seed: of all random choices.
        barrier: whether to measure the lines, if there are data.
        progress: where to report to.

    Raises:
        ConfigError: if the network has no generator of these kinds.
        SymmetryError: if the group does not leave the function as it is.
    """
    network, a, b, dataset = pair
    group = _part_of_group(network, method, kinds)
    # NumPy, because JAX would compile a draw of this shape.
    some = np.random.default_rng(seed).normal(size=network.inputs.shape).astype(np.float32)
    certificate = symmetry.certify(group, network.apply, a, some, key=jax.random.key(seed))
    certificate.check()
    with progress.task(f"align by {method}", total=1, unit="pair") as task:
        found = find(
            group,
            a,
            b,
            method,
            apply=network.apply,
            examples=None if dataset is None else dataset.train,
            keys=keys,
            key=jax.random.key(seed),
        )
        task.update(1)
    with jax.enable_x64(True):  # so that leaves in double precision stay so
        moved = trees.to_numpy(symmetry.act(group, found.element, b))
    measured = {}
    if dataset is not None and barrier:
        measured = _barriers(network, dataset, a, (b, moved), progress)
    before, after = (float(trees.distance(a, other)) for other in (b, moved))
    return Alignment(group, certificate, found, moved, before, after, measured)


def _part_of_group(network: Network, method: str, kinds: Sequence[Any]) -> Group:
    group = symmetry.discover(network.apply, network.params, network.inputs)
    part = group.restricted(kinds)
    if not part.generators:
        found = ", ".join(sorted({each.kind for each in group.generators})) or "none at all"
        raise ConfigError(
            f"the network has no generator of kind {', '.join(kinds)}: its kinds are {found}"
        )
    # Contributions are matched alike in all copies of a generator's units.
    return symmetry.permutations(group) if method == "contribution" else part


def _barriers(
    network: Network,
    dataset: data.Dataset,
    a: Params,
    others: tuple[Params, Params],
    progress: Progress,
) -> dict[str, tuple[Estimate, Estimate]]:
    """For each split the chord barriers of the loss on the lines from ``a``.

    BatchNorm statistics are recomputed at every point on training examples.
    """
    eval_fn = landscape.Classification(network.apply)
    statistics = recomputed(network.config.model, a, dataset.train)
    splits = {"train": dataset.train, "test": dataset.test}
    measured: dict[str, tuple[Estimate, Estimate]] = {}
    done = 0
    with progress.task("lines", total=2 * len(splits) * POINTS, unit="point") as task:
        for split, examples in splits.items():
            estimates = []
            for b in others:
                profile = landscape.evaluate(
                    eval_fn,
                    paths.line(a, b),
                    np.linspace(0, 1, POINTS),
                    examples,
                    execution=Execution(**statistics),
                )
                estimates.append(landscape.barrier(profile, kind="chord"))
                done += POINTS
                task.update(done, split=split)
            measured[split] = (estimates[0], estimates[1])
    return measured

"""``mconn align``: two saved networks, the second moved onto the first."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import Positional

import mconn
from mconn.cli.options import Call, Flag, SavedCommand, say, terminal
from mconn.progress import plural

if TYPE_CHECKING:
    from mconn.landscape import Estimate
    from mconn.saved import Alignment

MOST_LINES = 20
"""Generators that are listed one by one; of more, only how many there are of a kind."""


@dataclass(frozen=True, kw_only=True)
class Align(SavedCommand):
    """Move the saved network B onto A by an element of its symmetry group.

    That leaves its function as it is. The loss on the straight line between them is measured before
    and after, if there are data; the method weights needs none. A and B, each one of

      network.npz   an array per leaf, with / or | between the levels of its name
      checkpoint/   the folder of an orbax checkpoint of the params, as Flax users save them
      RUN:SEED      a network of a run of mconn: `mconn list` shows the runs; RUN may be the
                    beginning of its name, or the folder of a training, results/store/Train-...

    Try

      mconn align digits_mlp:0 digits_mlp:1 --model configs/digits_mlp.py --out aligned.npz
    """

    networks: Positional[Annotated[tuple[str, str], tyro.conf.arg(metavar="A B")]]
    """The saved networks."""

    out: Path
    """A .npz file, or else the folder of an orbax checkpoint; the numbers go to OUT.json."""

    method: Annotated[str, tyro.conf.arg(aliases=["--cost"])] = "weights"
    """weights, covariance, activations, contribution, straight-through or sinkhorn."""

    kinds: tuple[str, ...] = ("permutation",)
    """permutation, sign, scaling, rotation, orthogonal or "general linear"; one or more."""

    keys: int = 3
    """Ascents with different orders of visits; the best is kept."""

    no_barrier: Flag = False
    """Do not measure the loss on the line."""

    def run(self, call: Call) -> None:
        """Align, print, write."""
        from mconn import saved
        from mconn.align import COUPLED

        saved.check_options(self.method, self.kinds, self.keys, self.seed)
        network = saved.network_of(call.build())
        progress = terminal()
        a, b = (saved.read(each, network.params, self.results) for each in self.networks)
        saved.check_target(self.out, self.networks, self.force, b)
        a_name, b_name = self.networks
        if b.left_out:
            left = ", ".join(b.left_out)
            progress.note(f"of {b_name} only the network is written, without {left}")
        dataset = None  # where they are not needed, or not there and not needed
        if self.method not in saved.DATA_FREE:
            dataset = self.load(network.config)
        elif not self.no_barrier:
            dataset = self.load_if_there(network.config, progress)
        done = saved.align(
            saved.Pair(network, a.params, b.params, dataset),
            method=self.method,
            kinds=self.kinds,
            keys=self.keys,
            seed=self.seed,
            barrier=not self.no_barrier,
            progress=progress,
        )
        keys = self.keys if self.method in COUPLED else 1
        told: dict[str, Any] = {
            "a": a_name,
            "b": b_name,
            "command": ["mconn", "align", *call.words],
            "mconn": mconn.__version__,
            "method": self.method,
            "kinds": list(self.kinds),
            "keys": keys,
            "seed": self.seed,
            **done.as_json(),
        }
        saved.write(self.out, b.renamed(done.moved), told)
        say(_described(done, f"{b_name} moved onto {a_name} by {self.method}", keys))
        say(f"written: {self.out} and {saved.numbers_file(self.out)}")


def _described(done: "Alignment", title: str, keys: int) -> str:
    found, group = done.found, done.group
    is_learned = math.isnan(found.identity)  # on the loss, from a match of the activations
    objective = f"objective: identity {found.identity:.6g}, random {found.random:.6g}, "
    if is_learned:
        objective = f"minus the loss half way, in nats: start {found.start:.6g}, "
    objective += f"found {found.objective:.6g}"
    if keys > 1:
        objective += f" (worst over {keys} keys {found.lowest:.6g})"
    if found.fixed_point:
        objective += f", a fixed point after {plural(found.sweeps, 'sweep')}"
    lines = [
        title,
        f"group: {plural(len(group.generators), 'generator')}, "
        f"order 10^{group.log_order / math.log(10):.2f}, continuous dimension {group.dimension}",
        *(f"  {line}" for line in _generator_lines(done)),
        f"certificate: outputs change by {done.certificate.worst:.1e} at most, in float64",
        f"{objective}, bound {found.bound:.6g}",
        f"margins{' of the start' if is_learned else ''}: "
        f"least {found.least_margin:.4g}, median {found.median_margin:.4g}",
        f"distance: before {done.distance_before:.6g}, after {done.distance_after:.6g}",
    ]
    if done.barriers:
        lines.append("chord barrier of the loss on the line, in nats, with its 95 % interval")
    for split, (before, after) in done.barriers.items():
        lines.append(f"  {split + ':':6} before {_estimated(before)}, after {_estimated(after)}")
    return "\n".join(lines)


def _generator_lines(done: "Alignment") -> list[str]:
    from mconn.symmetry import describe_kind

    generators = done.group.generators
    if len(generators) > MOST_LINES:
        counts = Counter(each.kind for each in generators)
        return [f"{kind}: {count} generators" for kind, count in counts.items()]
    return [f"{each.name}: {describe_kind(each)}" for each in generators]


def _estimated(estimate: "Estimate") -> str:
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"

"""``mconn align``: two saved networks, the second moved onto the first."""

import math
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console

import mconn
from mconn.errors import ConfigError
from mconn.options import AlignOptions
from mconn.progress import on, plural
from mconn.saved_networks import load_data, load_data_if_there, read_words

if TYPE_CHECKING:
    from mconn.experiment.alignment import Alignment
    from mconn.landscape import Estimate

HELP = """\
usage: mconn align A B --model FILE[:FUNCTION] --out OUT [--option value ...]

Move the saved network B onto A by an element of its symmetry group, which leaves its function as it
is, and measure the loss on the straight line between them before and after.

A and B, each one of
  network.npz        an array per leaf, with / or | between the levels of its name
  checkpoint/        the folder of an orbax checkpoint of the params, as Flax users save them
  RUN:SEED           a network of a run of mconn: `mconn list` shows the runs; RUN may be the
                     beginning of its name, or the folder of a training, results/store/Train-...

--model FILE         the config whose network they are; its own options may follow: --width 512
--out OUT            where the aligned network goes: a .npz file if its name ends so, otherwise the
                     folder of an orbax checkpoint; the element and the numbers go to OUT.json
--method NAME        or --cost NAME: weights (needs no data), covariance, activations,
                     contribution, straight-through or sinkhorn
--kinds KIND ...     permutation, sign, scaling, rotation, orthogonal, "general linear"

  mconn align A B --model FILE --help   all options, with those of the config

Try

  mconn align digits_mlp:0 digits_mlp:1 --model configs/digits_mlp.py --out aligned.npz
"""

MOST_LINES = 20
"""Generators that are listed one by one; of more, only how many there are of a kind."""


def align(words: list[str]) -> int:
    """Read the words, align, print, write.

    Raises:
        MconnError: one sentence for whatever the user can mend.
    """
    (a_name, b_name), build, options = read_words("align", words, AlignOptions, "A B", 2, 2)
    if options.out is None:
        raise ConfigError("there is no --out: name the .npz file or the folder to write to")

    from mconn.align import COUPLED
    from mconn.experiment import alignment, write_network
    from mconn.experiment.network import network_of
    from mconn.experiment.read_network import read

    method, kinds = options.method, options.kinds
    alignment.check_options(method, kinds, options.keys, options.seed)
    experiment = build()
    network = network_of(experiment)
    progress = on(Console(stderr=True))
    saved = [read(each, network.params, options.results) for each in (a_name, b_name)]
    a, b = saved
    write_network.check_target(options.out, (a_name, b_name), options.force, b)
    if b.left_out:
        progress.note(f"of {b_name} only the network is written, without {', '.join(b.left_out)}")
    done = alignment.align(
        network,
        experiment.train,
        a.params,
        b.params,
        dataset_for(experiment.train, options, progress),
        method=method,
        kinds=kinds,
        keys=options.keys,
        seed=options.seed,
        barrier=not options.no_barrier,
        progress=progress,
    )
    keys = options.keys if method in COUPLED else 1
    told = {
        "a": a_name,
        "b": b_name,
        "command": ["mconn", "align", *words],
        "mconn": mconn.__version__,
        "method": method,
        "kinds": list(kinds),
        "keys": keys,
        "seed": options.seed,
        **done.as_json(),
    }
    write_network.write(options.out, b.renamed(done.moved), told)
    sys.stdout.write(described(done, f"{b_name} moved onto {a_name} by {method}", keys))
    sys.stdout.write(f"written: {options.out} and {write_network.numbers_file(options.out)}\n")
    return 0


def dataset_for(config: Any, options: AlignOptions, progress: Any) -> Any:
    """The config's data, or None where they are not needed, or not there and not needed."""
    from mconn.experiment.alignment import DATA_FREE

    if options.method not in DATA_FREE:
        return load_data(config, options)
    return None if options.no_barrier else load_data_if_there(config, options, progress)


def described(done: "Alignment", title: str, keys: int) -> str:
    """The numbers, as a text."""
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
        *(f"  {line}" for line in generator_lines(done)),
        f"certificate: outputs change by {done.certificate.worst:.1e} at most, in float64",
        f"{objective}, bound {found.bound:.6g}",
        f"margins{' of the start' if is_learned else ''}: "
        f"least {found.least_margin:.4g}, median {found.median_margin:.4g}",
        f"distance: before {done.distance_before:.6g}, after {done.distance_after:.6g}",
    ]
    if done.barriers:
        lines.append("chord barrier of the loss on the line, in nats, with its 95 % interval")
    for split, (before, after) in done.barriers.items():
        lines.append(f"  {split + ':':6} before {estimated(before)}, after {estimated(after)}")
    return "\n".join(lines) + "\n"


def generator_lines(done: "Alignment") -> list[str]:
    """A line per generator, or per kind where there are many."""
    from mconn.symmetry.describe import describe_kind

    generators = done.group.generators
    if len(generators) > MOST_LINES:
        counts = Counter(each.kind for each in generators)
        return [f"{kind}: {count} generators" for kind, count in counts.items()]
    return [f"{each.name}: {describe_kind(each)}" for each in generators]


def estimated(estimate: "Estimate") -> str:
    """``0.327 [0.301, 0.356]``."""
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"

"""``mconn path``: two saved networks, and a path fitted between them."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

import mconn
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.options import PathOptions
from mconn.progress import Progress, on
from mconn.saved_networks import WORK, close_folder, load_data, open_folder, read_words

if TYPE_CHECKING:
    from mconn.experiment.connection import Connection
    from mconn.paths import FitConfig

HELP = """\
usage: mconn path A B --model FILE[:FUNCTION] --out OUT [--option value ...]

Fit a path between the saved networks A and B on the training data of their config, and measure the
loss along it beside that on the straight line, on train and test.

A and B              .npz files, folders of orbax checkpoints, or RUN:SEED, as for mconn align
--model FILE         the config whose networks they are; its own options may follow: --width 512
--out OUT            the folder to write to: path.npz (the stacked control points), path.json,
                     numbers.json, profile.parquet, path.png and path.svg
--family NAME        bezier, chain or line
--align METHOD       permute B onto A first, by a method of mconn align
--objective NAME     mean, soft-maximum or maximum

  mconn path A B --model FILE --help   all options, with those of the config

A command that was stopped goes on where it was. Try

  mconn path digits_mlp:0 digits_mlp:1 --model configs/digits_mlp.py --out curve
"""

FAMILIES = ("bezier", "chain", "line")
OBJECTIVES = ("mean", "soft-maximum", "maximum")


def connect(words: list[str]) -> int:
    """Read the words, fit, measure, write, print.

    Raises:
        MconnError: one sentence for whatever the user can mend.
    """
    names, build, options = read_words("path", words, PathOptions, "A B", 2, 2)
    check(options)

    from mconn.experiment import connection
    from mconn.experiment.network import network_of
    from mconn.experiment.read_network import read

    experiment = build()
    network, config = network_of(experiment), experiment.train
    fit = fit_config(options)
    progress = on(Console(stderr=True))
    a, b = (read(name, network.params, options.results).params for name in names)
    dataset = load_data(config, options)
    out = open_folder(options.out, options.force)
    if options.align != "none":
        b = aligned(network, config, a, b, dataset, options, progress)
    done = connection.connect(
        network,
        config,
        a,
        b,
        dataset,
        family=options.family,
        bends=options.bends,
        fit=fit,
        positions=options.positions,
        seed=options.seed,
        work=out / WORK,
        progress=progress,
    )
    write_path(out, options.family, done)
    told = {
        "a": names[0],
        "b": names[1],
        "command": ["mconn", "path", *words],
        "mconn": mconn.__version__,
        "align": options.align,
        **done.as_json(),
    }
    close_folder(out, told)
    sys.stdout.write(described(done, options.family))
    sys.stdout.write(f"written: {out}\n")
    return 0


def check(options: PathOptions) -> None:
    """Refuse options that make no sense, before anything is read.

    Raises:
        ConfigError: naming the option.
    """
    check_choice("family", options.family, FAMILIES)
    check_choice("objective", options.objective, OBJECTIVES)
    from mconn.experiment.alignment import OFFERED

    check_choice("align", options.align, ("none", *OFFERED))
    if options.bends < 1:
        raise ConfigError(
            f"bends is {options.bends}: a curve needs at least one, or take --family line"
        )
    if options.positions < 3:
        raise ConfigError(
            f"positions is {options.positions}: a barrier needs the two ends and a point between"
        )
    if not 0 <= options.seed < 2**31:
        raise ConfigError(f"seed is {options.seed}: it must be at least 0 and below 2**31")
    fit_config(options)


def fit_config(options: PathOptions) -> "FitConfig":
    """How the bends are fitted.

    Raises:
        ConfigError: naming what is out of range.
    """
    from mconn.paths import FitConfig, Maximum, Mean, SoftMaximum
    from mconn.training import Optimiser

    objectives = {"mean": Mean(), "soft-maximum": SoftMaximum(0.1, 0.005), "maximum": Maximum()}
    return FitConfig(
        epochs=options.fit_epochs,
        batch_size=options.fit_batch_size,
        optimiser=Optimiser("sgd", options.fit_learning_rate, schedule="plateau"),
        points=options.fit_points,
        objective=objectives[options.objective],
        weight_decay=options.fit_weight_decay,
    )


def aligned(
    network: Any,
    config: Any,
    a: Any,
    b: Any,
    dataset: Any,
    options: PathOptions,
    progress: Progress,
) -> Any:
    """The second network, permuted onto the first."""
    from mconn.experiment import alignment

    done = alignment.align(
        network,
        config,
        a,
        b,
        dataset,
        method=options.align,
        seed=options.seed,
        barrier=False,
        progress=progress,
    )
    return done.moved


def write_path(out: Any, family: str, done: "Connection") -> None:
    """The control points, the table, the figure."""
    import pyarrow as pa
    import pyarrow.parquet

    from mconn.experiment import connection
    from mconn.experiment.figures import save
    from mconn.experiment.path_figures import length_figure
    from mconn.experiment.store import write_json

    arrays: dict[str, Any] = connection.as_arrays(done.path)
    np.savez(out / "path.npz", **arrays)
    write_json(out / "path.json", {"family": family, "controls": done.path.count})
    table = pa.Table.from_pylist(done.rows())
    pyarrow.parquet.write_table(table, out / "profile.parquet")
    save(length_figure(table), out / "path")


def described(done: "Connection", family: str) -> str:
    """The numbers, as a text."""
    lines = [
        f"{family}: length {done.length:.6g}, {done.relative_length:.3f} times the distance "
        f"of the ends, after {done.samples:,} samples",
        "chord barrier of the loss, in nats, with its paired standard error and 95 % interval",
    ]
    for (method, split), found in done.barriers.items():
        lines.append(
            f"  {method}, {split}: {found.value:.4f} ± {found.standard_error:.4f} "
            f"[{found.low:.4f}, {found.high:.4f}] at t = {found.at:.3f}"
        )
    return "\n".join(lines) + "\n"

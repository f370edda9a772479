"""``mconn plane``: the loss on a plane through saved networks."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import mconn
from mconn.checks import check_choice
from mconn.errors import CheckpointError, ConfigError
from mconn.options import PlaneOptions
from mconn.progress import Progress, on
from mconn.saved_networks import DONE, WORK, close_folder, load_data, open_folder, read_words

HELP = """\
usage: mconn plane A [B [C]] --model FILE[:FUNCTION] --out OUT [--option value ...]

Measure the loss on a plane of networks and draw it: the plane through A, B and C; that through A, B
and the middle bend of a fitted path; or that around A along two random directions.

A, B and C           .npz files, folders of orbax checkpoints, or RUN:SEED, as for mconn align
--model FILE         the config whose networks they are; its own options may follow: --width 512
--out OUT            the folder to write to: plane.npz (x, y, and means and standard errors of
                     every metric), numbers.json, plane.png and plane.svg
--path FOLDER        what mconn path wrote: A and B may be left out, and its curve is drawn
--random             two directions with the norm of every filter that of A (Li et al. 2018)

  mconn plane A B C --model FILE --help   all options, with those of the config

A command that was stopped goes on where it was. Try

  mconn plane --path curve --model configs/digits_mlp.py --out plane
"""

CURVE_POINTS = 61


def draw(words: list[str]) -> int:
    """Read the words, measure, write, print.

    Raises:
        MconnError: one sentence for whatever the user can mend.
    """
    names, build, options = read_words("plane", words, PlaneOptions, "A B C", 0, 3)
    check(names, options)

    from mconn import landscape
    from mconn.experiment.network import network_of
    from mconn.experiment.normalisers import has_statistics, recomputed
    from mconn.experiment.read_network import read

    experiment = build()
    network, config = network_of(experiment), experiment.train
    networks = [read(name, network.params, options.results).params for name in names]
    curve = None if options.path is None else read_path(options.path, network.params)
    dataset = load_data(config, options)
    out = open_folder(options.out, options.force)
    plane, points = plane_of(networks, names, curve, options)
    where = landscape.coordinates(plane)
    if options.random:
        x, y = landscape.centred_box(where, options.resolution, 1.0)
    else:
        x, y = landscape.box(where, options.resolution, options.margin)
    measured = measure(
        network,
        plane,
        (x, y),
        getattr(dataset, options.split).head(options.examples),
        recomputed(config.model, plane.controls, dataset.train),
        out / WORK,
        on(Console(stderr=True)),
    )
    curves = {}
    if curve is not None:
        curves["path"] = landscape.project(plane, curve, np.linspace(0, 1, CURVE_POINTS)).xy
    write_plane(out, measured, dict(zip(points, where.points, strict=False)), curves)
    told = {
        "networks": names,
        "command": ["mconn", "plane", *words],
        "mconn": mconn.__version__,
        "split": options.split,
        "examples": measured.examples,
        "normaliser": measured.normaliser if has_statistics(plane.controls) else "none",
        "points": {name: xy.tolist() for name, xy in zip(points, where.points, strict=False)},
        "lowest": {metric: float(np.nanmin(mean)) for metric, mean in measured.mean.items()},
        "highest": {metric: float(np.nanmax(mean)) for metric, mean in measured.mean.items()},
    }
    close_folder(out, told)
    loss = measured.mean["loss"]
    sys.stdout.write(
        f"{loss.shape[1]} x {loss.shape[0]} points on {measured.examples} {options.split} "
        f"examples: loss from {np.nanmin(loss):.4g} to {np.nanmax(loss):.4g} nats\n"
        f"written: {out}\n"
    )
    return 0


def check(names: list[str], options: PlaneOptions) -> None:
    """Refuse options that make no sense, before anything is read.

    Raises:
        ConfigError: naming the option.
    """
    check_choice("split", options.split, ("train", "test"))
    for name in ("resolution", "examples"):
        if getattr(options, name) < (2 if name == "resolution" else 1):
            raise ConfigError(f"{name} is {getattr(options, name)}: take more")
    if options.random and options.path is not None:
        raise ConfigError("--random and --path name two planes: choose one")
    wanted = 1 if options.random else 3 if options.path is None else 0
    if len(names) != wanted:
        raise ConfigError(
            f"{len(names)} saved networks are named, and this plane takes {wanted}: three of them, "
            "or one with --random, or none with --path FOLDER"
        )


def read_path(folder: Path, model: Any) -> Any:
    """The path that ``mconn path`` wrote.

    Raises:
        CheckpointError: if there is none, or it does not fit the model.
    """
    from mconn.experiment.connection import from_arrays
    from mconn.experiment.read_network import npz_leaves
    from mconn.experiment.store import read_json
    from mconn.trees import named_leaves

    if not (folder / DONE).is_file() or not (folder / "path.json").is_file():
        raise CheckpointError(f"'{folder}' is no complete folder of mconn path: name one")
    family, arrays = read_json(folder / "path.json")["family"], npz_leaves(folder / "path.npz")
    for name, like in named_leaves(model).items():
        found = arrays.get(name)
        if found is None or found.shape[1:] != like.shape:
            raise CheckpointError(
                f"the path '{folder}' does not fit the model at leaf '{name}': give the options of "
                "the config that trained its ends"
            )
    return from_arrays(family, arrays, model)


def plane_of(
    networks: list[Any], names: list[str], curve: Any, options: PlaneOptions
) -> tuple[Any, list[str]]:
    """The plane, and what its networks are called; fewer names than networks leave some out."""
    import jax

    from mconn import landscape, paths, trees

    if options.random:
        return landscape.random_plane(jax.random.key(options.seed), networks[0]), names
    if curve is None:
        return paths.plane(*networks), names
    if curve.count < 3:
        raise ConfigError("the path is a line, and spans no plane: name one with a bend")
    a, bend, b = (trees.index(curve.controls, i) for i in (0, curve.count // 2, curve.count - 1))
    return paths.plane(a, b, bend), ["a", "b", "bend"]


def measure(
    network: Any,
    plane: Any,
    grid: tuple[np.ndarray, np.ndarray],
    examples: Any,
    options: dict[str, Any],
    work: Path,
    progress: Progress,
) -> Any:
    """Means and standard errors on the grid; a finished chunk of points is not done again."""
    from mconn import landscape

    x, y = grid
    with progress.task("plane", total=len(x) * len(y), unit="point") as task:
        return landscape.evaluate_plane(
            landscape.Classification(network.apply),
            plane,
            x,
            y,
            examples,
            cells=work / "plane",
            finished=task.update,
            **options,
        )


def write_plane(
    out: Path, measured: Any, points: dict[str, np.ndarray], curves: dict[str, np.ndarray]
) -> None:
    """The numbers and the figure."""
    from mconn.experiment.figures import save
    from mconn.experiment.path_figures import Plane, plane_figure

    arrays = {f"mean/{metric}": mean for metric, mean in measured.mean.items()}
    arrays |= {f"error/{metric}": error for metric, error in measured.standard_error.items()}
    np.savez(out / "plane.npz", x=measured.x, y=measured.y, **arrays)
    shown = Plane(measured.x, measured.y, measured.mean["loss"], points, curves)
    save(plane_figure([shown]), out / "plane")

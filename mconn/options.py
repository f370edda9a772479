"""The options of the commands, and of the experiments that they name."""

import difflib
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from mconn.errors import ConfigError


@dataclass(frozen=True)
class Common:
    """What every command accepts."""

    debug: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the traceback of an error; so does MCONN_DEBUG=1."""


@dataclass(frozen=True)
class ListOptions(Common):
    """What `mconn list` accepts."""

    results: Path = Path("results")
    """Folder of all results."""


@dataclass(frozen=True)
class RunOptions(ListOptions):
    """What `mconn run` accepts beside the experiment's own options."""

    data_dir: Path | None = None
    """Folder of data sets that were downloaded before."""

    accept_older: tyro.conf.FlagCreatePairsOff[bool] = False
    """Use stored results of the same stages that other code has made; the report says which."""


@dataclass(frozen=True)
class SymmetryOptions(Common):
    """What `mconn symmetry` accepts beside the experiment's own options."""

    json: Path | None = None
    """File to write the group to."""

    ignore_epsilon: tyro.conf.FlagCreatePairsOff[bool] = False
    """Find as well what is a symmetry but for the epsilon of a normaliser."""


@dataclass(frozen=True)
class AlignOptions(RunOptions):
    """What `mconn align` accepts beside the networks, the config and the config's own options."""

    out: Path | None = None
    """Where the aligned network goes: a .npz file, or else the folder of an orbax checkpoint."""

    method: Annotated[str, tyro.conf.arg(aliases=["--cost"])] = "weights"
    """weights, covariance, activations, contribution, straight-through or sinkhorn."""

    kinds: tuple[str, ...] = ("permutation",)
    """Kinds of generator to match by: permutation, sign, scaling, rotation, orthogonal, "general
    linear"."""

    keys: int = 3
    """Ascents with different orders of visits; the best is kept."""

    seed: int = 0
    """Of all random choices."""

    no_barrier: tyro.conf.FlagCreatePairsOff[bool] = False
    """Do not measure the loss on the line."""

    force: tyro.conf.FlagCreatePairsOff[bool] = False
    """Overwrite what was written before."""


@dataclass(frozen=True)
class SavedOptions(RunOptions):
    """What the commands accept that write a folder about saved networks."""

    out: Path | None = None
    """The folder to write to."""

    seed: int = 0
    """Of all random choices."""

    force: tyro.conf.FlagCreatePairsOff[bool] = False
    """Overwrite what was written before."""


@dataclass(frozen=True)
class PathOptions(SavedOptions):
    """What `mconn path` accepts beside the networks, the config and the config's own options."""

    family: str = "bezier"
    """bezier, chain or line."""

    bends: int = 1
    """Free control points."""

    align: str = "none"
    """How the second network is permuted first: none, or a method of mconn align."""

    objective: str = "mean"
    """mean, soft-maximum or maximum of the losses at the points of a step."""

    fit_epochs: int = 30
    """Passes over the training split."""

    fit_batch_size: int = 128
    """Examples of a step."""

    fit_learning_rate: float = 0.03
    """Largest one of the schedule, a plateau and then a fall, of SGD with momentum."""

    fit_weight_decay: float = 5e-4
    """Of the points of the path."""

    fit_points: int = 1
    """Points of the path in a step; at least 2 for soft-maximum and maximum."""

    positions: int = 61
    """Equispaced points that are measured, ends included."""


@dataclass(frozen=True)
class PlaneOptions(SavedOptions):
    """What `mconn plane` accepts beside the networks, the config and the config's own options."""

    path: Path | None = None
    """Folder that mconn path wrote: its middle bend is the third network, its curve is drawn."""

    random: tyro.conf.FlagCreatePairsOff[bool] = False
    """Two random filter-normalised directions from the first network."""

    resolution: int = 25
    """Points along each axis."""

    margin: float = 0.25
    """Around the networks, as a share of their box's longer side."""

    split: str = "train"
    """train or test."""

    examples: int = 2000
    """The first examples of the split are measured."""


@dataclass(frozen=True)
class ClaimsOptions(ListOptions):
    """What `mconn claims` accepts."""

    rows: Annotated[tuple[int, ...], tyro.conf.Positional] = ()
    """Numbers of statements to show in full; none for the overview."""

    all: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the claims of all studies, too."""

    study: str = ""
    """Show the claims of this study, such as digits_curves."""

    record: tyro.conf.FlagCreatePairsOff[bool] = False
    """Keep the runs of the results folder in docs/claims.json of the checkout."""

    markdown: Path | None = None
    """File to write the page of the documentation to, from what was recorded."""


@dataclass(frozen=True)
class AnalogyOptions(Common):
    """What `mconn analogy` accepts beside the vectors."""

    questions: Path | None = None
    """File of questions: sections ": name" of lines of four words."""

    method: tuple[str, ...] = ("add",)
    """add, multiply or direction; one or more."""

    keep_words: tyro.conf.FlagCreatePairsOff[bool] = False
    """Do not leave out the three words of a question."""

    epsilon: float = 1e-3
    """Of multiply; gensim has 1e-6."""

    restrict: int = 300_000
    """Use that many words from the start of the file."""

    case_sensitive: tyro.conf.FlagCreatePairsOff[bool] = False
    """Tell upper from lower case."""

    format: str = "auto"
    """Of the vectors: auto, word2vec, binary or glove."""

    level: float = 0.95
    """Confidence level of the intervals (Wilson's)."""

    json: Path | None = None
    """File to write the numbers to, and the answer to every question."""


@dataclass(frozen=True)
class ShowOptions(ListOptions):
    """What `mconn show` accepts."""

    run: Annotated[str, tyro.conf.Positional] = ""
    """Name of a run or the beginning of it, or its folder; the newest run if left out."""


Options = TypeVar("Options", bound=Common)


def parse(
    command: str, words: list[str], kind: type[Options], *, usage: str = ""
) -> tuple[Any, Callable[[], Any], Options]:
    """The config, the call that builds its experiment, and the command's own options.

    ``usage`` is what stands before the config file, if that is more than the command.

    Raises:
        ConfigError: if an argument of the function cannot be an option, or a word is no option.
    """
    from mconn.experiment import config

    chosen = config.load(words[0])
    shown = f"{usage or command} {words[0]}"
    taken = {field.name for field in fields(kind)}
    for name, argument in inspect.signature(chosen.function).parameters.items():
        if name in taken or argument.annotation is argument.empty:
            own = f"is an option of mconn {command}: rename it"
            fault = own if name in taken else "needs a type"
            raise ConfigError(f"argument '{name}' of {chosen.name} in {chosen.file} {fault}")

    # The function is called later: what goes wrong in it is no matter of the command line.
    @functools.wraps(chosen.function)
    def later(*arguments: Any, **options: Any) -> Callable[[], Any]:
        return functools.partial(chosen.build, *arguments, **options)

    def both(
        experiment: Annotated[Any, tyro.conf.arg(constructor=later, name="")],
        options: Annotated[kind, tyro.conf.arg(name="")],  # pyright: ignore[reportInvalidTypeForm]
    ) -> tuple[Callable[[], Any], Any]:
        return experiment, options

    (build, options), unknown = tyro.cli(
        both,
        args=words[1:],
        prog=f"mconn {shown}",
        description=(chosen.function.__doc__ or "").partition("\n\n")[0],
        return_unknown_args=True,
    )
    if unknown:
        arguments = [*inspect.signature(chosen.function).parameters, *taken]
        names = [f"--{name.replace('_', '-')}" for name in arguments]
        refuse_option(unknown[0], names, shown)
    return chosen, build, options


def refuse_option(word: str, options: list[str], command: str) -> None:
    """Refuse a word that is no option, and name the nearest that is.

    Raises:
        ConfigError: always.
    """
    nearest = difflib.get_close_matches(word.partition("=")[0], options, n=1, cutoff=0.5)
    hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
    raise ConfigError(f"there is no option '{word}'{hint}: mconn {command} --help lists them all")

"""Saved networks, read: an orbax checkpoint, a ``.npz`` file, or a seed of a stored training.

What they are networks of is the model that a config trains.

Nothing is unpickled.
"""

import contextlib
import functools
import logging
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mconn import trees
from mconn.data import SHAPES, Dataset
from mconn.errors import CheckpointError, ConfigError, MconnError, StructureError
from mconn.experiment import all_runs, find_run, load_tree, read_json, verify
from mconn.training import TrainConfig
from mconn.types import ApplyFn, Key, Params

ORBAX_MARK = "_METADATA"
"""The file that every orbax checkpoint of a tree has."""


class Network(NamedTuple):
    """A function, the shapes of its parameters and of two examples of its inputs, and its config.

    Two examples are enough to tell the batch axis from a broadcast one. ``initialise(key)`` draws
    parameters.
    """

    config: TrainConfig
    apply: ApplyFn
    params: Params
    inputs: jax.ShapeDtypeStruct
    initialise: Callable[[Key], Params]

    def draw(self, key: Key) -> tuple[Params, Float[Array, "examples *shape"]]:
        """Random parameters, and random inputs."""
        keys = jax.random.split(key)
        return jax.jit(self.initialise)(keys[0]), jax.random.normal(keys[1], self.inputs.shape)


def network_of(experiment: Any) -> Network:
    """The network that an experiment trains; its data are not loaded.

    Raises:
        ConfigError: if the experiment has no field ``train`` that says what it trains.
    """
    config = getattr(experiment, "train", None)
    if not isinstance(config, TrainConfig):
        raise ConfigError(
            f"a {type(experiment).__name__} trains no network whose symmetry could be found: "
            "give it a field `train` that is a TrainConfig"
        )
    return _network_of(config)


@functools.lru_cache(maxsize=16)  # so that what was compiled for a network is found again
def _network_of(config: TrainConfig) -> Network:
    inputs = jax.ShapeDtypeStruct((2, *SHAPES[config.data.name]), jnp.float32)

    def initialise(key: Key) -> Params:
        return config.model.init(key, jnp.zeros(inputs.shape))

    params = jax.eval_shape(initialise, jax.random.key(0))
    return Network(config, config.model.apply, params, inputs, initialise)


class Pair(NamedTuple):
    """Two networks of one model, with their data if there are any."""

    network: Network
    a: Params
    b: Params
    dataset: Dataset | None = None


@dataclass(frozen=True)
class Saved:
    """A network as it was saved.

    Attributes:
        params: its leaves on the host, in the structure of the model.
        names: for every leaf of the model what it is called in the checkpoint.
        left_out: what else the checkpoint holds beside the network, such as ``opt_state``.
    """

    params: Params
    names: Mapping[str, str]
    left_out: tuple[str, ...] = ()

    def renamed(self, params: Params) -> dict[str, np.ndarray]:
        """The leaves of a network of the same model, under the names of the checkpoint."""
        return {
            self.names[leaf]: np.asarray(value)
            for leaf, value in trees.named_leaves(params).items()
        }


def read(name: str, model: Params, results: Path) -> Saved:
    """Read a network.

    Args:
        name: a ``.npz`` file, with ``/`` or ``|`` between the levels of a leaf's name; the folder
            of an orbax checkpoint; or ``RUN:SEED``, where RUN is a run, by its name, the beginning
            of it or its folder, or the folder of a `Train` stage in the store.
        model: the shapes of the model's parameters. The level ``params`` may be left out.
        results: the folder of all results.

    Raises:
        CheckpointError: if there is no such checkpoint, or it is damaged.
        StructureError: naming the first leaf that does not fit the model, with both shapes.
    """
    path, (run, _, seed) = Path(name), name.rpartition(":")
    if path.is_dir():
        leaves = _orbax_leaves(path)
    elif path.is_file():
        leaves = npz_leaves(path)
    elif run:
        leaves = trees.named_leaves(_trained(run, seed, results))
    else:
        is_run = any(each.name.startswith(name) for each in all_runs(results))
        hint = f" (a run needs the seed: {name}:0)" if is_run else ""
        raise CheckpointError(
            f"there is no checkpoint '{name}'{hint}: name a .npz file, the folder of an orbax "
            "checkpoint, or RUN:SEED"
        )
    return _fitted(name, leaves, model)


def npz_leaves(path: Path) -> dict[str, Any]:
    """The arrays of a ``.npz`` file by name."""
    unreadable = (OSError, ValueError, KeyError, EOFError, RuntimeError)
    try:
        if not zipfile.is_zipfile(path):
            raise CheckpointError(
                f"'{path}' is not a .npz file: save one with numpy.savez, with an array per leaf"
            )
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (*unreadable, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(
            f"'{path}' cannot be read ({reason(error)}): save it again with numpy.savez, with an "
            "array of numbers per leaf"
        ) from error


def _orbax_leaves(path: Path) -> dict[str, Any]:
    import orbax.checkpoint as checkpoint

    if not (path / ORBAX_MARK).is_file():
        inside = sorted(path.glob(f"*/{ORBAX_MARK}")) + sorted(path.glob(f"*/*/{ORBAX_MARK}"))
        hint = f"name the one inside, '{inside[-1].parent}'" if inside else "name one that is"
        if (path / "run.json").is_file() or path.name.startswith("Train-"):
            hint = f"name a seed of it, '{path}:0'"
        raise CheckpointError(f"the folder '{path}' is not an orbax checkpoint: {hint}")
    try:
        with _quiet(), checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler()) as reader:
            shapes = getattr(reader.metadata(path.absolute()).item_metadata, "tree", None)
            if shapes is None:
                raise ValueError("its list of arrays is damaged")
            how = jax.tree.map(lambda _: checkpoint.RestoreArgs(restore_type=np.ndarray), shapes)
            arguments = checkpoint.args.PyTreeRestore(restore_args=how)
            return trees.named_leaves(reader.restore(path.absolute(), args=arguments))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, MconnError):
            raise
        raise CheckpointError(
            f"the orbax checkpoint '{path}' cannot be read ({reason(error)}): save it again"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def reason(error: BaseException) -> str:
    """The first line of an error, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _trained(run: str, seed: str, results: Path) -> Params:
    folder = Path(run)
    if not folder.name.startswith("Train-") or not folder.is_dir():
        folder = _training_of(run, results)
    verify(folder)
    try:
        seeds = read_json(folder / "config.json")["fields"]["config"]["fields"]["seeds"]["tuple"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"'{folder}' is not a stored training: name a run") from error
    known = [str(each) for each in seeds]
    if seed not in known:
        raise CheckpointError(
            f"'{run}' has no seed '{seed}': name one of {', '.join(known)}, as in {run}:{known[0]}"
        )
    return trees.index(load_tree(folder / "tree"), known.index(seed))


def _training_of(run: str, results: Path) -> Path:
    found = find_run(results, run)
    try:
        stages = read_json(found.path / "stages.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"run {found.name} is not complete: let it end first") from error
    store = found.path.parents[1] / "store"
    folders = [store / f"Train-{each['key'][:10]}" for each in stages if each["stage"] == "Train"]
    if len(folders) != 1:
        names = ", ".join(map(str, folders)) or "none"
        raise CheckpointError(
            f"run {found.name} has {len(folders)} trainings ({names}): name the folder of one in "
            "the store, and the seed, FOLDER:SEED"
        )
    return folders[0]


def _fitted(name: str, stored: Mapping[str, Any], model: Params) -> Saved:
    leaves = {each.replace("|", "/"): np.asarray(value) for each, value in stored.items()}
    called = {each.replace("|", "/"): each for each in stored}
    if len(leaves) < len(stored):
        raise StructureError(f"two leaves of '{name}' have the same name: rename one")
    expected = trees.named_leaves(model)
    has_level = any(leaf.startswith("params/") for leaf in leaves)
    names = {leaf: leaf if has_level else leaf.removeprefix("params/") for leaf in expected}
    ways_out = "give the options of the config that trained it, or name another checkpoint"
    for leaf, like in expected.items():
        found = leaves.get(names[leaf])
        if found is None:
            raise StructureError(
                f"leaf '{names[leaf]}' of the model, of shape {tuple(like.shape)}, is missing in "
                f"'{name}': {ways_out}"
            )
        if found.shape != like.shape:
            raise StructureError(
                f"leaf '{names[leaf]}' of '{name}' has the shape {found.shape}, and that of the "
                f"model {tuple(like.shape)}: {ways_out}"
            )
        # JAX knows bfloat16 as a floating type, and NumPy does not.
        if jnp.issubdtype(like.dtype, np.floating) != jnp.issubdtype(found.dtype, np.floating):
            raise StructureError(
                f"leaf '{names[leaf]}' of '{name}' holds {found.dtype}, and that of the model "
                f"{like.dtype}: save it as numbers of that kind"
            )
    collections = {leaf.partition("/")[0] for leaf in expected}
    left_out: dict[str, None] = {}
    for leaf in sorted(set(leaves) - set(names.values())):
        collection = leaf.partition("/")[0]
        if not has_level or collection in collections:
            raise StructureError(
                f"leaf '{leaf}' of '{name}', of shape {leaves[leaf].shape}, is none of the "
                f"model's: {ways_out}"
            )
        left_out[collection] = None
    params = jax.tree.unflatten(
        jax.tree.structure(model), [leaves[names[leaf]] for leaf in expected]
    )
    return Saved(params, {leaf: called[names[leaf]] for leaf in expected}, tuple(left_out))

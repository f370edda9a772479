"""The systems that are compared, each in the same steps, of which two are timed."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.alignment import git_rebasin, torch_networks
from benchmarks.alignment.cases import Case, discover, names_in_specification
from benchmarks.alignment.git_rebasin import Permutations
from mconn import align
from mconn.symmetry import Group


class System(NamedTuple):
    """How a system is called, step by step.

    Attributes:
        load: ``load(case)`` brings the weights into the form that the system takes.
        discover: ``discover(case, loaded)`` finds which axes are permuted together. Timed.
        match: ``match(case, group, turn)`` finds the permutations. Timed. Turns differ in the
            random order of visits, where a system leaves it to chance.
        read: ``read(case, loaded, group, found)`` names them as the specification does.
        count: ``count(case, group)`` is how many permutations the system knows of.
        missing: why the system cannot run here, or nothing.
    """

    load: Callable[[Case], Any]
    discover: Callable[[Case, Any], Any]
    match: Callable[[Case, Any, int], Any]
    read: Callable[[Case, Any, Any, Any], Permutations]
    count: Callable[[Case, Any], int]
    missing: Callable[[], str] = lambda: ""


def match_ours(case: Case, group: Group, turn: int) -> Permutations:
    """This library as it comes."""
    element = align.match(group, case.a, case.b).element
    return {name: np.asarray(part) for name, part in element.items()}


def read_ours(case: Case, loaded: None, group: Group, found: Permutations) -> Permutations:
    """The same with the specification's names."""
    names = names_in_specification(case, group)
    return {names[name]: part for name, part in found.items()}


def match_plain(case: Case, group: git_rebasin.Specification, turn: int) -> Permutations:
    """The published algorithm."""
    return git_rebasin.match(group, case.a, case.b, np.random.default_rng(turn))


def load_rebasin(case: Case) -> Any:
    """Two modules and an input."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    importlib.import_module("rebasin")
    inputs = torch.zeros(2, 784) if case.name.startswith("mlp") else torch.zeros(2, 3, 32, 32)
    return torch_networks.build(case.a), torch_networks.build(case.b), inputs


def discover_rebasin(case: Case, loaded: Any) -> Any:
    """The package's own tracing."""
    return importlib.import_module("rebasin").PermutationCoordinateDescent(*loaded)


def match_rebasin(case: Case, group: Any, turn: int) -> None:
    """The package's own descent, which keeps what it finds."""
    importlib.import_module("torch").manual_seed(turn)
    group.calculate_permutations()


def read_rebasin(case: Case, loaded: Any, group: Any, found: None) -> Permutations:
    """What the package found; permutations that it does not know of are the identity."""
    parameters = dict(loaded[1].named_parameters())
    leaves = {id(parameters[torch_networks.name_of(leaf)]): leaf for leaf in case.specification}
    axes = git_rebasin.axes_of(case.specification)
    named = {name: np.arange(case.b[leaf].shape[axis]) for name, ((leaf, axis), *_) in axes.items()}
    for permutation, places in group.pinit.model_graph.permutation_to_info:
        for place in places:
            leaf = leaves[id(place.parameter_b)]
            axis = torch_networks.order_of_axes(case.b[leaf].ndim)[place.axis]
            name = case.specification[leaf][axis]
            if name is not None:
                named[name] = permutation.perm_indices.numpy()
    return named


def rebasin_missing() -> str:
    """Why the package cannot run."""
    if importlib.util.find_spec("rebasin") and importlib.util.find_spec("torch"):
        return ""
    return "rebasin is left out, which is not installed: pip install 'mconn[benchmark]'"


SYSTEMS = {
    "mconn": System(
        load=lambda case: None,
        discover=lambda case, loaded: discover(case),
        match=match_ours,
        read=read_ours,
        count=lambda case, group: len(names_in_specification(case, group)),
    ),
    "plain": System(
        load=lambda case: None,
        discover=lambda case, loaded: case.specification,
        match=match_plain,
        read=lambda case, loaded, group, found: found,
        count=lambda case, group: len(git_rebasin.axes_of(group)),
    ),
    "rebasin": System(
        load=load_rebasin,
        discover=discover_rebasin,
        match=match_rebasin,
        read=read_rebasin,
        count=lambda case, group: len(group.pinit.model_graph.permutation_to_info),
        missing=rebasin_missing,
    ),
}

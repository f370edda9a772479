"""mconn: are trained JAX networks connected in weight space, and after which symmetry?

The areas, from the top to the ground; a module imports only from floors below its own:

    cli                                   the commands: mconn run, symmetry, align, path, plane, ...
    ledger                                statements, the claims that settle them, verdicts
    saved                                 two saved networks: read, aligned, connected, written
    experiment                            stages, the store, the runner, claims, figures, the report
    diagnostics                           features and barriers, tracked while networks are trained
    words                                 word embeddings, their linear algebra, paths between them
    features functions curvature tangent  what networks compute, how losses bend, how they learn
    repair                                the variance collapse of interpolated networks, undone
    landscape                             losses along a path, barriers with intervals, planes
    measure                               one program for all that is measured at points of paths
    align                                 one network moved onto another: costs, solvers, many
    paths                                 curves between networks: families, orbits, fit, bands
    symmetry                              the group of a network, discovered from its jaxpr
    training                              seeds trained together
    data models                           real data sets, small Flax models
    jaxprs saving trees meshes            programs read, work resumed, pytrees as vectors, devices
    checks examples                       arguments that are refused, batches as users give them
    errors types progress machine         sentences for users, shapes, progress, cores

What a researcher types first is at hand without its area::

    group = mconn.discover(apply, a, inputs)
    mconn.certify(group, apply, a, inputs).check()
    moved = mconn.match(group, a, b).apply(b)
    profile = mconn.evaluate(Classification(apply), mconn.line(a, moved), 25, (inputs, labels))
    print(mconn.barrier(profile))

with `mconn.landscape.Classification`, and with ``act`` for any element of the group and ``fit`` for
a curve. Each area is imported on first use, so that ``import mconn`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mconn import (
        align as align,
        curvature as curvature,
        data as data,
        diagnostics as diagnostics,
        errors as errors,
        experiment as experiment,
        features as features,
        functions as functions,
        landscape as landscape,
        ledger as ledger,
        models as models,
        paths as paths,
        repair as repair,
        saved as saved,
        symmetry as symmetry,
        tangent as tangent,
        training as training,
        trees as trees,
        types as types,
        words as words,
    )
    from mconn.align import match as match
    from mconn.landscape import barrier as barrier, evaluate as evaluate
    from mconn.paths import fit as fit, line as line
    from mconn.symmetry import act as act, certify as certify, discover as discover

__version__ = "0.1.0"

_VERBS = {
    "act": "symmetry",
    "barrier": "landscape",
    "certify": "symmetry",
    "discover": "symmetry",
    "evaluate": "landscape",
    "fit": "paths",
    "line": "paths",
    "match": "align",
}

__all__ = [
    "act",
    "align",
    "barrier",
    "certify",
    "curvature",
    "data",
    "diagnostics",
    "discover",
    "errors",
    "evaluate",
    "experiment",
    "features",
    "fit",
    "functions",
    "landscape",
    "ledger",
    "line",
    "match",
    "models",
    "paths",
    "repair",
    "saved",
    "symmetry",
    "tangent",
    "training",
    "trees",
    "types",
    "words",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(importlib.import_module(f"mconn.{_VERBS[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"mconn.{name}")
    raise AttributeError(f"module 'mconn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

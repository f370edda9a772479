"""mconn: are trained JAX networks connected in weight space, and after which symmetry?

The areas, from the bottom floor to the top (a module imports only from floors below its own):

    trees, types, errors       the vector space of parameter pytrees
    data, models, training     real data sets, small Flax models, seeds trained together
    symmetry                   the symmetry group of a network, discovered from its jaxpr
    align, paths               one network moved onto another; curves between networks
    landscape                  losses along a path, barriers with their intervals
    repair                     the variance collapse of interpolated networks, undone
    features, functions        what networks compute along a path: by layer, and as outputs
    curvature                  Hessian, Gauss-Newton, Fisher: eigenvalues, traces, densities
    tangent                    empirical tangent kernels, along a training or a path
    diagnostics                features and barriers, tracked while the networks are trained
    words                      word embeddings, their linear algebra, and paths between them
    experiment                 stages, the store, the runner, figures, the report

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
        models as models,
        paths as paths,
        repair as repair,
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
    "line",
    "match",
    "models",
    "paths",
    "repair",
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

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

Each area is imported on first use, so that ``import mconn`` costs nothing.
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

__version__ = "0.1.0"

__all__ = [
    "align",
    "curvature",
    "data",
    "diagnostics",
    "errors",
    "experiment",
    "features",
    "functions",
    "landscape",
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
    if name in __all__:
        return importlib.import_module(f"mconn.{name}")
    raise AttributeError(f"module 'mconn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

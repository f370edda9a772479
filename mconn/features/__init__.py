"""What networks compute, layer by layer: captured in one pass, and compared.

Units, Averaged -- features of any network: the units that its symmetry moves
capture -- the features of all examples
Reduction, along, between -- reduce features in bounded memory, along a path or between networks
coupling_along -- drift, best rotation, and connectivity with the blend of the ends' features
weak_additivity, commutativity -- when blends of networks have blends of features
linearity_defect -- how far layers are from affine maps of the inputs
WithOutputs, ActivatedBlend, Crossed -- features that are outputs, or single layers applied alone
"""

from mconn.features.capture import (
    Averaged as Averaged,
    FeatureFn as FeatureFn,
    Features as Features,
    Reduction as Reduction,
    Units as Units,
    along as along,
    between as between,
    capture as capture,
)
from mconn.features.commutativity import (
    LayerCommutativity as LayerCommutativity,
    commutativity as commutativity,
    weak_additivity as weak_additivity,
)
from mconn.features.coupling import (
    LayerCoupling as LayerCoupling,
    coupling_along as coupling_along,
)
from mconn.features.layer_maps import (
    OUTPUTS as OUTPUTS,
    ActivatedBlend as ActivatedBlend,
    Crossed as Crossed,
    WithOutputs as WithOutputs,
)
from mconn.features.linearity import linearity_defect as linearity_defect

__all__ = [
    "OUTPUTS",
    "ActivatedBlend",
    "Averaged",
    "Crossed",
    "FeatureFn",
    "Features",
    "LayerCommutativity",
    "LayerCoupling",
    "Reduction",
    "Units",
    "WithOutputs",
    "along",
    "between",
    "capture",
    "commutativity",
    "coupling_along",
    "linearity_defect",
    "weak_additivity",
]

"""What networks compute, layer by layer: captured in one pass, and compared.

Units, Averaged -- features of any network: the units that its symmetry moves
capture -- the features of all examples
Reduction, along, between -- reduce features in bounded memory, along a path or between networks
linear_cka, rbf_cka, minibatch_cka, cka_table, svcca, pwcca, procrustes -- how alike two layers are
sample_space_angles, neuron_space_angles, subspace_angles -- principal angles, in the space named
similarity_along, similarity_between, rotations_along -- the same in one pass over the examples
coupling_along -- drift, best rotation, and connectivity with the blend of the ends' features
weak_additivity, commutativity -- when blends of networks have blends of features
linearity_defect -- how far layers are from affine maps of the inputs
WithOutputs, ActivatedBlend, Crossed -- features that are outputs, or single layers applied alone
"""

from mconn.features.angles import (
    neuron_space_angles as neuron_space_angles,
    sample_space_angles as sample_space_angles,
    subspace_angles as subspace_angles,
)
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
from mconn.features.cca import (
    Canonical as Canonical,
    canonical as canonical,
    pwcca as pwcca,
    svcca as svcca,
)
from mconn.features.cka import (
    cka_table as cka_table,
    linear_cka as linear_cka,
    minibatch_cka as minibatch_cka,
    rbf_cka as rbf_cka,
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
from mconn.features.matrices import FewExamplesWarning as FewExamplesWarning
from mconn.features.procrustes import (
    Procrustes as Procrustes,
    Track as Track,
    procrustes as procrustes,
    track_rotations as track_rotations,
)
from mconn.features.similarity import (
    LayerSimilarity as LayerSimilarity,
    rotations_along as rotations_along,
    similarity_along as similarity_along,
    similarity_between as similarity_between,
)

__all__ = [
    "OUTPUTS",
    "ActivatedBlend",
    "Averaged",
    "Canonical",
    "Crossed",
    "FeatureFn",
    "Features",
    "FewExamplesWarning",
    "LayerCommutativity",
    "LayerCoupling",
    "LayerSimilarity",
    "Procrustes",
    "Reduction",
    "Track",
    "Units",
    "WithOutputs",
    "along",
    "between",
    "canonical",
    "capture",
    "cka_table",
    "commutativity",
    "coupling_along",
    "linear_cka",
    "linearity_defect",
    "minibatch_cka",
    "neuron_space_angles",
    "procrustes",
    "pwcca",
    "rbf_cka",
    "rotations_along",
    "sample_space_angles",
    "similarity_along",
    "similarity_between",
    "subspace_angles",
    "svcca",
    "track_rotations",
    "weak_additivity",
]

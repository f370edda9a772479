"""What networks compute, layer by layer: captured in one pass, and compared.

Units, Averaged -- features of any network: the units that its symmetry moves
capture -- the features of all examples
Reduction, along, between -- reduce features in bounded memory, along a path or between networks
linear_cka, rbf_cka, minibatch_cka, cka_table, cca, svcca, pwcca, procrustes -- how alike layers are
sample_space_angles, neuron_space_angles, subspace_angles -- principal angles, in the space named
similarity_along, similarity_between, rotations_along -- the same in one pass over the examples
coupling_along -- drift, best rotation, and connectivity with the blend of the ends' features
weak_additivity, commutativity -- when blends of networks have blends of features
linearity_defect -- how far layers are from affine maps of the inputs
WithOutputs, ActivatedBlend, Crossed -- features that are outputs, or single layers applied alone
"""

from mconn.features.capture import (
    OUTPUTS as OUTPUTS,
    Averaged as Averaged,
    FeatureFn as FeatureFn,
    Features as Features,
    Units as Units,
    WithOutputs as WithOutputs,
    capture as capture,
)
from mconn.features.cka import (
    cka_table as cka_table,
    linear_cka as linear_cka,
    minibatch_cka as minibatch_cka,
    rbf_cka as rbf_cka,
)
from mconn.features.coupling import (
    LayerCoupling as LayerCoupling,
    coupling_along as coupling_along,
)
from mconn.features.layers import (
    ActivatedBlend as ActivatedBlend,
    Crossed as Crossed,
    LayerCommutativity as LayerCommutativity,
    commutativity as commutativity,
    weak_additivity as weak_additivity,
)
from mconn.features.linearity import (
    linearity_defect as linearity_defect,
)
from mconn.features.procrustes import (
    Procrustes as Procrustes,
    Track as Track,
    procrustes as procrustes,
    track_rotations as track_rotations,
)
from mconn.features.reduction import (
    Reduction as Reduction,
    along as along,
    between as between,
)
from mconn.features.similarity import (
    LayerSimilarity as LayerSimilarity,
    rotations_along as rotations_along,
    similarity_along as similarity_along,
    similarity_between as similarity_between,
)
from mconn.features.subspaces import (
    Canonical as Canonical,
    FewExamplesWarning as FewExamplesWarning,
    cca as cca,
    neuron_space_angles as neuron_space_angles,
    pwcca as pwcca,
    sample_space_angles as sample_space_angles,
    subspace_angles as subspace_angles,
    svcca as svcca,
)

"""Rows 1 to 13: connectedness, features, flatness, transport, groups, cues."""

from mconn.ledger import Evidence, Statement

CORRECTIONS = (
    Statement(
        number=1,
        said="Two networks are connected if the loss along a path never exceeds that of the ends.",
        where="part 1, 2.1; part 2, 1",
        right="Papers use different barriers, which are different numbers; the split, the "
        "reference, the grid and the treatment of BatchNorm have to be said, and a "
        "maximum over a grid is a lower bound. A barrier comes with an allowance.",
        source="definitions of Entezari et al. 2022, Ainsworth et al. 2023, Frankle et al. "
        "2020, Garipov et al. 2018",
        verdict="conditional",
        condition="on the kind of barrier, the grid, the split and the allowance",
        evidence=(
            Evidence("barrier_kinds", "never-negative"),
            Evidence("barrier_kinds", "half-the-difference"),
            Evidence("barrier_kinds", "chord-and-mean-end"),
            Evidence("barrier_kinds", "chord-above-higher-end"),
            Evidence("barrier_kinds", "different-numbers"),
            Evidence("barrier_kinds", "finer-grid"),
            Evidence("digits_curves", "decomposition"),
        ),
    ),
    Statement(
        number=2,
        said="Each point on a linearly connected path is an orthogonal change of basis of "
        "the features.",
        where="part 1, 3.1",
        right="Only the end is a re-based copy of a network. Between the ends features are "
        "close to the linear mixture of those of the ends, which is no isometry: their "
        "variance falls.",
        source="Zhou et al. 2023; Jordan et al. 2023",
        published="Variance ratios of pilots: .87 and .72 matched, .22 naive; 1 for a rotation.",
        verdict="refuted",
        evidence=(
            Evidence("feature_drift", "blend"),
            Evidence("feature_drift", "variance-lost"),
            Evidence("feature_drift", "half-way/variance-ratio"),
            Evidence("variance_collapse", "ratio-falls"),
        ),
    ),
    Statement(
        number=3,
        said="A low loss along the path means orthogonally related representations, and a "
        "barrier forces them to rotate (the coupling theorem).",
        where="part 1, 3.2",
        right="False both ways. Weak additivity and commutativity give layer-wise linear "
        "feature connectivity, and that a small error on the path; nothing follows "
        "conversely.",
        source="Zhou et al. 2023, theorem 1 and lemma 1",
        verdict="refuted",
        evidence=(
            Evidence("coupling_counterexamples", "unread-unit"),
            Evidence("coupling_counterexamples", "rescaled-units"),
            Evidence("coupling_counterexamples", "rotation-either-way"),
            Evidence("coupling_counterexamples", "permuted-copy"),
            Evidence("feature_drift", "rotations-alike"),
            Evidence("feature_drift", "rotation-is-no-barrier"),
            Evidence("feature_drift", "aligned-closer"),
        ),
    ),
    Statement(
        number=4,
        said="Attribute directions stay within O(sqrt(epsilon)) of their span if the barrier "
        "is epsilon.",
        where="part 1, 3.2",
        right="A barrier says nothing about features: a unit that nothing reads changes at no "
        "loss.",
        source="closed form; there is no source for the statement",
        verdict="refuted",
        evidence=(
            Evidence("coupling_counterexamples", "attribute-turns"),
            Evidence("coupling_counterexamples", "angle-closed-form"),
            Evidence("word_ladder", "neuron-space"),
        ),
    ),
    Statement(
        number=5,
        said="Analogy accuracy collapses exactly where the loss along the path bumps.",
        where="part 1, 3.3",
        right="Exact parallelograms are kept by every linear mixture of linearly related "
        "embeddings; accuracy falls through noise, loss of rank or the ranking by "
        "cosines only.",
        source="linear algebra; pilots of this project",
        published="Pilot: barrier .90, midpoint accuracy .94.",
        verdict="refuted",
        evidence=(
            Evidence("word_ladder", "no-collapse"),
            Evidence("word_ladder", "lost-dimension"),
            Evidence("word_text", "no-collapse"),
        ),
    ),
    Statement(
        number=6,
        said="The Hessian's top eigenvalue along the path is O(1/m), so that wide networks "
        "have no barrier.",
        where="part 1, 2.3; part 2, 3.3",
        right="The exponent depends on the parametrisation, and the largest eigenvalue bounds "
        "the sag of the loss, not its barrier, which takes negative curvature in the "
        "line's direction. With ReLU the kinks carry a part that no Hessian shows.",
        source="the curvature identity; pilots of this project",
        published="Slopes at initialisation +.88 standard, +.10 NTK, -1.03 mean field.",
        verdict="refuted",
        evidence=(
            Evidence("path_curvature", "not-inverse-width/standard"),
            Evidence("path_curvature", "not-inverse-width/ntk"),
            Evidence("path_curvature", "barrier-stays"),
            Evidence("path_curvature", "negative-under-hump"),
            Evidence("path_curvature", "largest-is-no-barrier"),
            Evidence("path_curvature", "kinks-are-missed"),
        ),
    ),
    Statement(
        number=7,
        said="Two-layer ReLU networks of width d^2 / epsilon^2 are linearly connected with "
        "high probability.",
        where="part 2, 2 and 5",
        right="The theorem has bounded activations and no explicit width; explicit widths are "
        "for independent random units and exponential in the dimension of their inputs.",
        source="Ferbach et al. 2024, theorems 3.1, 5.2 and 5.3",
        verdict="refuted",
        published="W_2 falls as m^(-1/d) for d from 3: slopes of pilots -.19, -.11, -.06.",
        evidence=(
            Evidence("wasserstein", "slope/5"),
            Evidence("wasserstein", "slope/10"),
            Evidence("wasserstein", "slope/20"),
        ),
    ),
    Statement(
        number=8,
        said="The distance to the matched network is at most C times W_2 of the units' "
        "distributions.",
        where="part 2, 3.2",
        right="For one hidden layer it is an equality, |A - P B| = sqrt(m) W_2, with a unit's "
        "weights in, bias and weights out as one vector. Deep networks are not one "
        "transport problem, and a small distance alone bounds no barrier.",
        source="Birkhoff's theorem; Ferbach et al. 2024, lemma B.3",
        verdict="conditional",
        condition="on one hidden layer, for which it is an equality",
        evidence=(
            Evidence("wasserstein", "least-squared-distance"),
            Evidence("wasserstein", "unmatched-further"),
        ),
    ),
    Statement(
        number=9,
        said="Minima in the same orbit of the symmetry group are connected by curves of zero loss.",
        where="part 1, 2.3; part 2, 1 and 3.1",
        right="Only within one connected component. Permutations are isolated from each "
        "other: the arc exp(t log P) leaves the group of a ReLU network. One spare unit "
        "joins them.",
        source="Zhao et al. 2025, section 5; Simsek et al. 2021",
        verdict="conditional",
        condition="on the component: scalings and matrices of positive determinant, not "
        "permutations without a spare unit",
        evidence=(
            Evidence("symmetry_orbits", "flat/orbit/relu-scaling"),
            Evidence("symmetry_orbits", "flat/orbit/attention-matrices"),
            Evidence("symmetry_orbits", "blocked/orbit"),
            Evidence("symmetry_orbits", "no-arc"),
            Evidence("symmetry_limits", "spare-unit-path"),
        ),
    ),
    Statement(
        number=10,
        said="Skip connections enlarge the symmetry group and so make connectivity likelier.",
        where="part 1, 2.3; part 2, 2 and 3.1",
        right="A skip ties both of its sides and makes the group smaller. What falls is the "
        "number of connected components of the minimum, from 4 to 3 for three scalar "
        "layers.",
        source="Zhao et al. 2025, proposition 4.3",
        verdict="refuted",
        published="Components 4 without and 3 with a skip, for width one.",
        evidence=(
            Evidence("skip_connections", "fewer/linear"),
            Evidence("skip_connections", "fewer/relu-mlp"),
            Evidence("skip_connections", "fewer/resnet"),
            Evidence("connected_components", "flood-fill/3-scalar-layers-with-a-skip"),
        ),
    ),
    Statement(
        number=11,
        said="Permutations explain almost all barriers, for ImageNet, GPT and BERT as well.",
        where="part 1, 2.2; part 2, 1 and 2",
        right="They explain most of it for wide MLPs that fit their data. A part is left for "
        "narrow, deep and plain networks; there are networks that no permutation "
        "connects; transformers need orthogonal and learned maps.",
        source="Ainsworth et al. 2023, figure 2 and appendix A.6; Jordan et al. 2023; Theus et "
        "al. 2025",
        verdict="conditional",
        condition="on width, depth, normaliser and training",
        published="ImageNet ResNet-50: 67 % of the barrier taken away, not all.",
        evidence=(
            Evidence("digits_mlp", "order/train"),
            Evidence("barrier_vs_width", "falls/activations"),
            Evidence("barrier_vs_depth", "rises/activations"),
            Evidence("counterexample", "half-way-error/both-swapped"),
            Evidence("variance_collapse", "ratio-falls/activations"),
        ),
    ),
    Statement(
        number=12,
        said="If two networks rely on different cues, no permutation aligns them, and a "
        "barrier shows it.",
        where="part 1, 2.2 and 3.3; part 2, 4 and 5",
        right="That different mechanisms mean a barrier is proved for interpolating ReLU "
        "networks of one hidden layer and mechanisms of different complexity; the "
        "converse is a conjecture. Here matched lines between different mechanisms have "
        "none, and naive lines between networks of one mechanism have one.",
        source="Lubana et al. 2023, figures 3 and 4, conjecture 1",
        verdict="refuted",
        published="Pilot: RI .995, RC .128, NC .76; barrier .63 naive and 0 matched.",
        evidence=(
            Evidence("mechanisms", "cue-is-followed"),
            Evidence("mechanisms", "matched-no-barrier"),
            Evidence("mechanisms", "same-mechanism-barrier"),
            Evidence("mechanisms", "mechanism-changes"),
        ),
    ),
    Statement(
        number=13,
        said="Audit: a large angle and a flat loss mean symmetry. Audit: a barrier and a "
        "small angle mean symmetry.",
        where="part 1, 4; part 2, 7",
        right="The two rules contradict each other, and neither follows. Sample-space angles "
        "do not change under the group, neuron-space angles do. Align first: a barrier "
        "that is left speaks against a symmetry, without proving it.",
        source="linear algebra; pilots of this project",
        published="Permuted copies: sample space 0 degrees, neuron space 84 to 90 degrees.",
        verdict="refuted",
        evidence=(
            Evidence("feature_drift", "copy-cka"),
            Evidence("feature_drift", "copy-neuron-angles"),
            Evidence("feature_drift", "angle-is-no-barrier"),
            Evidence("feature_drift", "copy-aligned"),
        ),
    ),
)

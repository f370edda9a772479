"""Rows 14 to 25: curves, fine-tuning, words, thresholds, numbers, basins, training."""

from mconn.ledger import Evidence, Statement

CONNECTIVITY = (
    Statement(
        number=14,
        said="Bezier curves minimise the highest loss, lose no accuracy, and their control "
        "point moves a few percent.",
        where="part 2, 2 and 4",
        right="They minimise the mean loss over the curve. Small rises are left, and the "
        "control point lies a large part of the ends' distance away from their middle.",
        source="Garipov et al. 2018, section 3 and table 2",
        verdict="refuted",
        published="VGG16 on CIFAR-100: error 27.5 % at the ends, 30.1 % at most on the curve.",
        evidence=(
            Evidence("published_curves", "mean-misses-maximum"),
            Evidence("digits_curves", "middle-point-moves/bezier"),
            Evidence("digits_curves", "no-barrier/bezier"),
        ),
    ),
    Statement(
        number=15,
        said="Connectivity-based fine-tuning moves along a path of low loss that takes the "
        "cue out.",
        where="part 1, 4",
        right="It pushes a barrier up on images with the cue, on the line back to where it "
        "began, and draws representations with and without the cue together.",
        source="Lubana et al. 2023, section 5 and table 1",
        verdict="refuted",
        published="CIFAR-10, 60 % cue: RI 8.75 % against 83.4 % for fine-tuning.",
        evidence=(
            Evidence("mechanisms", "raised-barrier"),
            Evidence("mechanisms", "no-raised-barrier"),
            Evidence("mechanisms", "less-reliance"),
        ),
    ),
    Statement(
        number=16,
        said="Generalised connectivity joins Llama checkpoints of different sizes; "
        "permutations, semi-permutations and orthogonal maps are nested.",
        where="part 2, 2 and 5",
        right="Small ViTs and GPT-2s trained from scratch. Rotary positions break the "
        "orthogonal symmetry of queries and keys, a semi-permutation need not be "
        "orthogonal, and the mean of two query-key products is no head of that size.",
        source="Theus et al. 2025",
        verdict="refuted",
        published="Test barriers with learned maps 0 to .02 for the small data sets, .42 for "
        "BookCorpus.",
        evidence=(
            Evidence("symmetry_limits", "rotary"),
            Evidence(
                "symmetry_limits",
                "function-changes/queries-and-keys-with-rotary-positions-are-turned",
            ),
            Evidence("symmetry_limits", "semi-permutation"),
            Evidence("symmetry_limits", "mean-of-products"),
        ),
    ),
    Statement(
        number=17,
        said="SGNS factorises the shifted PMI, so analogies are exact parallelograms under "
        "mild independence.",
        where="part 1, 1.2",
        right="The factorisation is exact only if the dimension is at least the rank and all "
        "counts are positive; parallelograms need conditions on the csPMI; clipping "
        "destroys them.",
        source="Levy and Goldberg 2014; Ethayarajh et al. 2019; Allen and Hospedales 2019; "
        "Korchinski et al. 2025",
        published="Pilots: accuracy .03, .14, .61, 1.00 at dimension 2, 4, 6, 7; .2 clipped.",
        verdict="conditional",
        condition="on a dimension of at least the rank, on frequencies that keep the conditions on "
        "the csPMI, and on no clipping",
        evidence=(
            Evidence("word_dimension", "factorises"),
            Evidence("word_dimension", "misses-below-rank"),
            Evidence("word_dimension", "exact-at-rank"),
            Evidence("word_dimension", "clipping"),
            Evidence("word_geometry", "conditions"),
            Evidence("word_geometry", "errors-add-up"),
        ),
    ),
    Statement(
        number=18,
        said="Early layers act affinely, so that directions persist through the network.",
        where="part 1, 1.2",
        right="Normalisers, attention and ReLU are nonlinear; only the residual stream adds.",
        source="the networks' definition",
        verdict="refuted",
        evidence=(
            Evidence("feature_drift", "not-affine"),
            Evidence("feature_drift", "first-layer-affine"),
        ),
    ),
    Statement(
        number=19,
        said="A path is flat if the barrier is at most 1e-3.",
        where="part 2, 6",
        right="The threshold is arbitrary. It lies below the width of a barrier's interval on "
        "usual test sets, lets pass networks that learned nothing, and knows no scale. "
        "State the barrier with its interval.",
        source="the bootstrap over examples",
        verdict="refuted",
        evidence=(
            Evidence("barrier_kinds", "interval-wider"),
            Evidence("barrier_kinds", "untrained-pass"),
            Evidence("barrier_kinds", "no-scale"),
        ),
    ),
    Statement(
        number=20,
        said="Soups of three CLIP checkpoints gain 1.3 mAP; 5 to 10 points of a curve give "
        "85 % of the ensemble's gain at a fifth of the compute; audits found "
        "ResNet-50's texture bias.",
        where="part 2, 7 and 8",
        right="No source has these numbers. The nearest: a greedy soup of 72 CLIP ViT-B/32 "
        "gains .64 points of top-1; 50 points on a ResNet-164 chain have 21.03 % error, "
        "three networks 21.01.",
        source="Wortsman et al. 2022; Garipov et al. 2018, appendix A.6",
        untestable="unsupported numbers, about networks and data that are not at hand",
    ),
    Statement(
        number=21,
        said="Input-space connectivity reveals paths that reactivate hidden triggers.",
        where="part 2, 7",
        right="The work that is cited interpolates in weight space between the backdoored and "
        "the purified network. Input-space connectivity is another work.",
        source="Min et al. 2024; Vrabel et al. 2025",
        untestable="an error of attribution",
    ),
    Statement(
        number=22,
        said="Permuting and scaling W_k, and W_(k+1) inversely, leaves the function.",
        where="part 1, 3.1; part 2, 3.1",
        right="The bias, normalisers' scales and running statistics go with the units; "
        "scaling is a symmetry of ReLU and the like only; an epsilon in BatchNorm makes "
        "its own symmetry approximate; GroupNorm allows permutations that keep its "
        "groups only.",
        source="closed form",
        verdict="conditional",
        condition="on biases and normalisers going along, and on the activation",
        evidence=(
            Evidence("symmetry_limits", "function-stays"),
            Evidence("symmetry_limits", "function-changes"),
            Evidence("symmetry_atlas", "closed-form/resnet-20"),
            Evidence("digits_mlp", "certificate"),
        ),
    ),
    Statement(
        number=23,
        said="That the valley is at least two-dimensional is a finding of Bezier surfaces.",
        where="part 2, 2",
        right="Complexes of low loss with ten dimensions were found four years before.",
        source="Benton et al. 2021",
        untestable="an error of attribution; that fitted surfaces and complexes are low is row 30",
    ),
    Statement(
        number=24,
        said="Networks that are connected in pairs lie in one convex valley.",
        where="part 1, summary; part 2, take-home",
        right="Low lines between all pairs make no basin: a bump on the triangle vanishes on "
        "its edges. Aligned networks show it; a star network is the weaker statement "
        "that was tested.",
        source="closed form; Sonthalia et al. 2024",
        verdict="refuted",
        published="27 l_1 l_2 l_3: 0 on the edges, 1 at the centre.",
        evidence=(
            Evidence("many_models", "closed-form"),
            Evidence("many_models", "centre"),
        ),
    ),
    Statement(
        number=25,
        said="Whether networks connect after matching is a matter of architecture and data.",
        where="part 2, 2 and 3",
        right="It depends on the optimiser, its rate and its weight decay as well, among "
        "fitted networks, too.",
        source="S. Fort's replication of Ainsworth et al. 2023",
        verdict="refuted",
        published="MNIST connects for SGD with a large rate or Adam with a small one only.",
        evidence=(
            Evidence("optimiser_dependence", "depends"),
            Evidence(
                "optimiser_dependence",
                "order/sgd-rate-0.3",
            ),
        ),
    ),
)

"""Rows from 26 on: the other statements of the notes that can be put to the test."""

from mconn.ledger import Evidence, Statement

FURTHER = (
    Statement(
        number=26,
        said="Word analogies are solved by adding vectors: king - man + woman is near queen.",
        where="part 1, 1.1",
        right="For a corpus of binary attributes, exactly, from as many dimensions on as the "
        "rank; from samples as far as their noise allows. Excluding the three query "
        "words flatters it.",
        source="Korchinski et al. 2025; Levy and Goldberg 2014",
        verdict="conditional",
        condition="on the dimension, on the length of the text, and on leaving out the words of "
        "the question",
        published="Pilots: accuracy .03, .14, .61, 1.00 at dimension 2, 4, 6, 7.",
        evidence=(
            Evidence("word_dimension", "accuracy"),
            Evidence("word_dimension", "corpus"),
            Evidence("word_text", "order-of-words"),
            Evidence("word_text", "question-words"),
        ),
    ),
    Statement(
        number=27,
        said="Independently trained networks are joined by curves of low loss without any "
        "alignment.",
        where="part 1, 2.2; part 2, 2",
        right="So it is. Garipov et al. use Bezier curves and chains with one bend, Draxler "
        "et al. chains that an elastic band relaxes.",
        source="Garipov et al. 2018, table 2; Draxler et al. 2018",
        verdict="holds",
        published="VGG16 on CIFAR-10: test error 90 % at most on the line, 7.0 % on the curve.",
        evidence=(
            Evidence("digits_curves", "line-has-barrier/bezier"),
            Evidence("digits_curves", "stays-low/bezier"),
            Evidence("elastic_band", "half-as-high"),
            Evidence("elastic_band", "test-barrier-halved"),
        ),
    ),
    Statement(
        number=28,
        said="The straight line works for wide networks, and narrow ones fail.",
        where="part 1, 2.3; part 2, 5",
        right="The matched barrier falls with the width where networks of all widths fit "
        "their data; at a fixed length of training before that it can rise.",
        source="Ainsworth et al. 2023, figure 4; Entezari et al. 2022",
        verdict="conditional",
        condition="on networks of all widths fitting their data",
        published="Pilots: activations .51, .11, .03, .007 at widths 16, 64, 256, 1024.",
        evidence=(
            Evidence("barrier_vs_width", "falls/naive"),
            Evidence("barrier_vs_width", "falls/activations"),
        ),
    ),
    Statement(
        number=29,
        said="Training brings the units of different seeds into the same distribution, so that "
        "aligned networks connect.",
        where="part 1, 2.3; part 2, 3.2",
        right="The matched barrier rises first, while the networks leave their initialisation, "
        "and falls later; the naive one stays.",
        source="Ainsworth et al. 2023, figure 3; pilots of this project",
        verdict="conditional",
        condition="on long training: the matched barrier peaks at about ten epochs here",
        evidence=(
            Evidence("barrier_vs_epochs", "rises-and-falls/weights"),
            Evidence("barrier_vs_epochs", "rises-and-falls/activations"),
        ),
    ),
    Statement(
        number=30,
        said="A surface of low loss runs through many minima at once.",
        where="part 2, 2 and 4",
        right="So it does, for fitted squares and triangles, and for complexes of simplexes.",
        source="Ren et al. 2025; Benton et al. 2021",
        verdict="holds",
        evidence=(
            Evidence("bezier_surface", "mean-loss/square/train"),
            Evidence("bezier_surface", "mean-loss/triangle/train"),
            Evidence("bezier_surface", "both-parameters-move"),
            Evidence("simplex_volume", "volume-falls"),
        ),
    ),
    Statement(
        number=31,
        said="The connected components of the minimum can be counted explicitly.",
        where="part 2, 2",
        right="For deep linear networks with square layers: two to the power of the depth "
        "minus one.",
        source="Zhao et al. 2025, section 4",
        verdict="holds",
        published="2, 4, 8.",
        evidence=(
            Evidence("connected_components", "flood-fill/2-scalar-layers"),
            Evidence("connected_components", "flood-fill/3-scalar-layers"),
            Evidence("connected_components", "flood-fill/4-scalar-layers"),
            Evidence("connected_components", "discovered-group"),
        ),
    ),
    Statement(
        number=32,
        said="After alignment, averaging the weights of several networks keeps or improves "
        "performance.",
        where="part 1, 4; part 2, 7",
        right="Not so for independently trained MLPs: the mean of five is far worse than "
        "each. A soup is made of fine-tunes of one network.",
        source="Ainsworth et al. 2023, appendix A.10; Wortsman et al. 2022",
        verdict="refuted",
        published="Five MNIST MLPs, merged: test loss 43 % lower than that of one.",
        evidence=(
            Evidence("many_models", "mean-of-all", fails=True),
            Evidence("many_models:decayed", "mean-of-all", fails=True),
            Evidence("many_models", "mean-together"),
        ),
    ),
    Statement(
        number=33,
        said="Connectivity is symmetry plus mechanism: what is left after alignment is mechanism.",
        where="part 2, 2",
        right="Deep plain networks of one mechanism keep a barrier, because their units lose "
        "variance half way; restoring it takes a part of the barrier away.",
        source="Jordan et al. 2023, figures 1 and 3",
        published="Fashion-MNIST, ten hidden layers of 128: 10.0, 26.7 and 70.1 % half way.",
        verdict="refuted",
        evidence=(
            Evidence("variance_collapse", "order/naive-activations-activations-repair"),
            Evidence("variance_collapse", "ratio-falls/activations"),
            Evidence("variance_collapse", "goal"),
        ),
    ),
    Statement(
        number=34,
        said="Empirical tangent kernels tell the corrections of finite width.",
        where="part 1, 5; part 2, 8",
        right="In the tangent-kernel parametrisation the kernel's drift falls as one over the "
        "width, and the first order of the tangent hierarchy tells its first steps for smooth "
        "activations. Adam at one rate slows the fall, and with ReLU derivatives miss the units "
        "that switch.",
        source="Jacot et al. 2018; Huang and Yau 2020",
        published="Slopes of -1/2 to -1 against the width, from theory.",
        verdict="conditional",
        condition="on the parametrisation, the optimiser and a smooth activation",
        evidence=(
            Evidence("tangent_drift", "relative-drift"),
            Evidence("tangent_drift", "variance"),
            Evidence("tangent_drift", "drift-adam"),
            Evidence("tangent_drift", "first-order"),
            Evidence("tangent_drift", "first-order-misses-relu"),
        ),
    ),
    Statement(
        number=35,
        said="Networks on a curve are diverse enough to be ensembled.",
        where="part 2, 7",
        right="Half way along the curve a network differs about as much from the first end as "
        "the other end does.",
        source="Garipov et al. 2018, figure 2, right",
        verdict="holds",
        published="The full gain of two networks from t = .4 on.",
        evidence=(Evidence("digits_curves", "differs-half-way"),),
    ),
    Statement(
        number=36,
        said="Averaging checkpoints along a line of low loss improves calibration and accuracy.",
        where="part 1, 4; part 2, 7",
        right="Published of checkpoints of one training and of fine-tunes of one network. Between "
        "independently trained networks the average is worse than both, aligned or not.",
        source="Izmailov et al. 2018; Wortsman et al. 2022",
        published="VGG16 on CIFAR-100: SGD 72.55 %, SWA 74.27 %.",
        verdict="conditional",
        condition="on checkpoints of one training, which are not measured here",
        evidence=(Evidence("feature_drift", "average"),),
    ),
    Statement(
        number=37,
        said="Images of one class are joined by paths of low loss in input space.",
        where="part 1, 5; part 2, 8",
        right="After one optimised corner the path between two of them is flat.",
        source="Vrabel et al. 2025",
    ),
    Statement(
        number=38,
        said="Paths show whether a purified network is still vulnerable.",
        where="part 2, 7",
        right="A curve fitted on few clean samples passes through networks without the backdoor.",
        source="Zhao et al. 2020; Min et al. 2024",
        published="CIFAR-10 VGG at t = .1: clean 88 %, attack 1.1 %, with 2500 samples.",
    ),
    Statement(
        number=39,
        said="Other symmetries than permutations support connectivity.",
        where="part 1, 5",
        right="Continuous ones do: curves inside the orbits of scalings and of invertible "
        "matrices are flat, in ReLU networks and in attention. How large they are is "
        "known in closed form.",
        source="Zhao et al. 2025, section 5",
        verdict="holds",
        evidence=(
            Evidence("symmetry_orbits", "flat"),
            Evidence("symmetry_atlas", "closed-form/gpt-2"),
            Evidence("symmetry_atlas", "closed-form/llama"),
        ),
    ),
    Statement(
        number=40,
        said="A discrete sequence of permutations is a step-wise curve with a barrier of zero.",
        where="part 2, 1",
        right="A sequence is no path. On the straight line between two of its steps the loss "
        "rises, as it does between any two networks of an orbit, without bound for scalings; a "
        "chain through a spare unit has a loss of zero.",
        source="Zhao et al. 2025, proposition 5.3; Simsek et al. 2021",
        published="Half way to a scaling by m: (1 - (1 + 1/m) (1 + m) / 4)^2 of the output zero's "
        "loss.",
        verdict="refuted",
        evidence=(
            Evidence("symmetry_limits", "line-is-blocked"),
            Evidence("symmetry_limits", "spare-unit-path"),
            Evidence("symmetry_orbits", "blocked/line"),
            Evidence("symmetry_orbits", "blow-up"),
        ),
    ),
    Statement(
        number=41,
        said="A drop of similarity between representations shows a change of mechanism.",
        where="part 2, 5 and 6",
        right="Lubana et al. measure losses on counterfactual inputs, and no similarity of "
        "representations. A unit that nothing reads, or rescaled units, make features as unlike as "
        "one likes in a network that answers every input as before.",
        source="Lubana et al. 2023; Kornblith et al. 2019",
        verdict="refuted",
        evidence=(
            Evidence("coupling_counterexamples", "unread-unit"),
            Evidence("coupling_counterexamples", "rescaled-units"),
        ),
    ),
    Statement(
        number=42,
        said="Principal angles of attribute subspaces warn of a divergence of mechanisms in "
        "training.",
        where="part 1, 5",
        right="The angle between seeds in sample space falls while the barrier between them "
        "rises: it tells what they have in common, and the barrier depends on the order of their "
        "units, which it cannot see.",
        source="this project's study of watched training",
        verdict="refuted",
        evidence=(
            Evidence(
                "watched_training",
                "alarm/the-angle-between-attribute-subspaces-in-sample-space",
                fails=True,
            ),
            Evidence("watched_training", "alarm/dissimilarity-1-cka", fails=True),
            Evidence("watched_training", "naive-barrier-rises"),
            Evidence("watched_training", "features-alike"),
        ),
    ),
    Statement(
        number=43,
        said="Aligned fine-tunes of large language models merge without forgetting.",
        where="part 1, 4; part 2, 7",
        right="Nothing was published for independently trained ones without learned maps.",
        source="Theus et al. 2025",
        untestable="language models of that size are not at hand",
    ),
    Statement(
        number=44,
        said="Semi-permutations or adapters connect convolutional networks with transformers.",
        where="part 2, 5 and 8",
        right="The work that is cited has nothing on it.",
        source="Theus et al. 2025",
        untestable="nobody has stated which map it would be",
    ),
    Statement(
        number=45,
        said="Word-level semantic probes transfer across a soup of checkpoints on a line of low "
        "loss.",
        where="part 1, 4",
        right="Half way between embeddings after an orthogonal map, which leaves no barrier, "
        "analogies are answered no worse than at the ends; after none they do not collapse either.",
        source="this project's study of real texts",
        verdict="holds",
        evidence=(
            Evidence("word_text", "orthogonal-no-barrier"),
            Evidence("word_text", "orthogonal-answers"),
        ),
    ),
)

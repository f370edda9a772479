"""Products with Hessian, Gauss-Newton and Fisher matrices and with one's own operators."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mconn import curvature
from mconn.errors import ConfigError, DataError, DivergenceError, StructureError
from tests import zoo
from tests.curvature.problems import (
    APPLY,
    BATCH,
    COUNT,
    KEY,
    LOSS,
    NORMALISED,
    PAIRS,
    PROBES,
    QUADRATURE,
    RECTIFIED,
    ROWS,
    Counting,
    columns,
    dense,
    examples,
    explicit,
    flat,
    hessian,
    multiply,
    network,
    of_matrix,
    rotated,
)


def squared(outputs, labels):
    return 0.5 * jnp.square(outputs - jax.nn.one_hot(labels, 3)).sum(axis=1)


def newton_of_squares(params, data):
    jacobian, _, _ = explicit(params, data)
    return np.einsum("nip,niq->pq", jacobian, jacobian) / COUNT


def newton(params, data):
    """The Hessian of the cross-entropy by the logits is diag(p) - p p^T."""
    jacobian, shares, _ = explicit(params, data)
    between = np.eye(3) * shares[:, None] - shares[:, None] * shares[:, :, None]
    return np.einsum("nip,nij,njq->pq", jacobian, between, jacobian, optimize=True) / COUNT


def every_label_by_its_probability(params, data):
    _, shares, slopes = explicit(params, data)
    return np.einsum("ny,nyp,nyq->pq", shares, slopes, slopes, optimize=True) / COUNT


def labels_of_the_data(params, data):
    own = explicit(params, data)[2][np.arange(COUNT), data.labels]
    return own.T @ own / COUNT


KINDS = {
    "hessian": (curvature.hessian, LOSS, {}, dense),
    "gauss-newton": (curvature.gauss_newton, APPLY, {}, newton),
    "gauss-newton of squares": (
        curvature.gauss_newton,
        APPLY,
        {"loss": squared},
        newton_of_squares,
    ),
    "fisher": (curvature.fisher, APPLY, {}, every_label_by_its_probability),
    "empirical fisher": (curvature.empirical_fisher, LOSS, {}, labels_of_the_data),
}
MAKERS = {
    name: (make, function) for name, (make, function, options, _) in KINDS.items() if not options
}
USES = {curvature.eigenpairs: PAIRS, curvature.trace: PROBES, curvature.density: QUADRATURE}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_its_matrix_whatever_the_batches(kind):
    make, function, options, expected = KINDS[kind]
    params, data, vector = network(), examples(), network(5)
    matrix = expected(params, data)
    operator = make(function, params, data, batch_size=BATCH, **options)
    np.testing.assert_allclose(columns(operator), matrix, rtol=0, atol=1e-13)
    in_one = make(function, params, data, **options)
    np.testing.assert_allclose(flat(in_one(vector)), matrix @ flat(vector), rtol=0, atol=1e-12)
    if kind != "hessian":
        assert np.linalg.eigvalsh(matrix).min() > -1e-13


def test_the_kinds_differ_where_they_should():
    params, data = network(), examples()
    matrices = {kind: expected(params, data) for kind, (*_, expected) in KINDS.items()}
    fisher, own = matrices["fisher"], matrices["empirical fisher"]
    np.testing.assert_allclose(fisher, matrices["gauss-newton"], rtol=0, atol=1e-13)
    assert np.linalg.norm(own - fisher) > 0.3 * np.linalg.norm(fisher)
    # Its rank is at most the number of examples; that of the Fisher matrix is above it.
    assert np.linalg.matrix_rank(own) == COUNT < np.linalg.matrix_rank(fisher)
    # What Gauss-Newton leaves out of the Hessian is not small.
    assert np.linalg.eigvalsh(matrices["hessian"]).min() < -0.05
    # A filled-up batch whose repeated examples count would give another mean.
    repeated = dense(params, data, weights=np.r_[np.ones(COUNT - 1), 2] / 12)
    assert abs(repeated - matrices["hessian"]).max() > 0.01


def test_labels_do_not_matter_to_the_fisher_matrix():
    params, data, vector = network(), examples(), network(5)
    other = {"inputs": data.inputs, "labels": (data.labels + 1) % 3}
    found, again, pair = (
        curvature.fisher(APPLY, params, each, batch_size=BATCH) @ vector
        for each in (data, other, (data.inputs, data.labels))
    )
    np.testing.assert_array_equal(flat(found), flat(again))
    np.testing.assert_array_equal(flat(found), flat(pair))


def test_rectifiers_have_the_hessian_of_their_piece():
    params, data = network(apply=zoo.mlp), examples()
    first = columns(curvature.gauss_newton(zoo.mlp, params, data, batch_size=BATCH))
    second = columns(curvature.hessian(RECTIFIED, params, data, batch_size=BATCH))
    # Within a piece the outputs are linear in every layer alone, so that the diagonal blocks are
    # those of Gauss-Newton.
    for block in (slice(0, 36), slice(36, 64), slice(64, ROWS)):
        np.testing.assert_allclose(second[block, block], first[block, block], atol=1e-13)
    assert abs(second - first).max() > 1e-2


def test_statistics_of_a_normaliser_are_held():
    params, data = network(apply=zoo.normalised), examples()
    operator = curvature.hessian(NORMALISED, params, data, batch_size=BATCH)
    assert all(leaf is None for leaf in operator.template["batch_stats"]["BatchNorm_0"].values())
    whole = dense(params, data, NORMALISED)
    held = len(flat(params["batch_stats"]))  # in front, as names are sorted
    np.testing.assert_allclose(columns(operator), whole[held:, held:], rtol=0, atol=1e-12)


def test_vectors_are_trees_or_arrays_of_their_entries():
    operator, vector = hessian(), network(5)
    product = operator @ vector
    assert jax.tree.structure(product) == jax.tree.structure(vector)
    np.testing.assert_array_equal(flat(operator(vector)), flat(product))
    np.testing.assert_allclose(operator @ flat(vector), flat(product), rtol=0, atol=1e-14)
    with pytest.raises(
        StructureError, match=r"is float64\[79\] in the operator's .* float64\[78\]"
    ):
        operator @ np.ones(78)
    with pytest.raises(StructureError, match=r"'rest' is .*the operator's vectors and .*this one"):
        of_matrix(np.eye(30)) @ {"first": np.zeros(1), "rest": np.zeros(7)}


def test_the_leaves_that_move_can_be_chosen():
    params, data = network(), examples()
    leaves = ["params/Dense_1/bias", "params/Dense_0/kernel"]
    operator = curvature.hessian(LOSS, params, data, leaves=leaves, batch_size=BATCH)
    assert operator.moving == ("params/Dense_0/kernel", "params/Dense_1/bias")
    rows = np.r_[6:36, 36:40]
    expected = dense(params, data)[np.ix_(rows, rows)]
    np.testing.assert_allclose(columns(operator), expected, rtol=0, atol=1e-13)
    vector = operator.restrict(network(5))
    assert jax.tree.structure(vector) == jax.tree.structure(operator.template)
    np.testing.assert_allclose(flat(operator @ vector), expected @ flat(vector), atol=1e-13)


def test_blocks_of_layers_are_those_of_the_matrix():
    tree = {"scale": np.zeros(2), "a": {"b": np.zeros(1), "c": np.zeros(3), "d": {"b": 1.0}}}
    assert curvature.layers(tree) == {"a": ("a/b", "a/c"), "a/d": ("a/d/b",), "scale": ("scale",)}
    counting = Counting(LOSS)
    whole, traces = dense(network(), examples()), []
    for seed in (1, 0):
        blocks = curvature.layer_blocks(hessian(seed, loss=counting))
        assert list(blocks) == ["params/Dense_0", "params/Dense_1", "params/Dense_2"]
        found = [columns(block) for block in blocks.values()]
        traces.append(counting.traces)
    assert traces[0] == traces[1]  # another network runs the same programs
    assert [len(block) for block in found] == [36, 28, 15]
    for start, block in zip((0, 36, 64), found, strict=True):
        rows = slice(start, start + len(block))
        np.testing.assert_allclose(block, whole[rows, rows], rtol=0, atol=1e-13)
    leaves = ["params/Dense_0/kernel", "params/Dense_2/bias"]
    some = curvature.layer_blocks(curvature.hessian(LOSS, network(), examples(), leaves=leaves))
    assert {name: block.moving for name, block in some.items()} == {
        "params/Dense_0": ("params/Dense_0/kernel",),
        "params/Dense_2": ("params/Dense_2/bias",),
    }


def test_integers_are_held():
    def loss(params, batch):
        return {"loss": params["steps"] * (batch.inputs @ params["weights"]) ** 2}

    data = examples()
    operator = curvature.hessian(loss, {"steps": 3, "weights": np.zeros(5)}, data)
    assert operator.moving == ("weights",)
    expected = 6 * data.inputs.T @ data.inputs / COUNT
    np.testing.assert_allclose(columns(operator), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("kind", "batch_size"), [("hessian", BATCH), ("gauss-newton", 100), ("fisher", BATCH)]
)
def test_half_precision_stays_half_and_is_right_to_rounding(kind, batch_size):
    make, function, _, expected = KINDS[kind]
    whole = expected(network(), examples()) @ flat(network(5))
    half = make(
        function, network(dtype=jnp.bfloat16), examples(dtype=np.float32), batch_size=batch_size
    )
    found = half @ network(5, dtype=jnp.bfloat16)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(found))
    difference = flat(found).astype(np.float64) - whole
    assert np.linalg.norm(difference) < 0.03 * np.linalg.norm(whole)


@pytest.mark.parametrize("batch_size", [10_000, 100_000])
def test_the_number_of_examples_need_not_fit_half_precision(batch_size):
    def loss(params, batch):
        return {"loss": params["weight"] ** 2 * batch}

    data = np.full(70_000, 1e-3, np.float32)
    operator = curvature.hessian(loss, {"weight": np.float16(1)}, data, batch_size=batch_size)
    assert (operator @ {"weight": np.float16(1)})["weight"] == pytest.approx(2e-3, rel=1e-2)


@pytest.mark.parametrize("batch_size", [BATCH, 100])
def test_other_weights_and_data_run_the_same_program(batch_size):
    counting, vector = Counting(LOSS), network(5)
    operator = curvature.hessian(counting, network(0), examples(1), batch_size=batch_size)
    first = flat(operator @ vector)
    once = counting.traces
    other = curvature.hessian(counting, network(1), examples(2), batch_size=batch_size)
    assert not np.allclose(flat(other @ vector), first)
    assert not np.allclose(flat(operator.at(network(1)) @ vector), first)
    assert counting.traces == once


def test_other_arguments_of_a_custom_operator_run_the_same_program():
    counting, matrix = Counting(multiply), rotated(np.arange(30.0))
    vector = np.arange(30.0)
    np.testing.assert_allclose(of_matrix(matrix, counting) @ vector, matrix @ vector)
    once = counting.traces
    np.testing.assert_array_equal(of_matrix(np.eye(30), counting) @ vector, vector)
    assert counting.traces == once == 1


def test_an_operator_that_is_not_symmetric_is_refused():
    for matrix in (np.triu(np.ones((30, 30))), np.eye(30) + 0.1 * np.eye(30, k=1)):
        for use, sizes in {**USES, curvature.check_symmetric: {}}.items():
            with pytest.raises(StructureError, match=r"not symmetric: .* differ by .* of its size"):
                use(of_matrix(matrix), **sizes)
        curvature.check_symmetric(of_matrix(matrix + matrix.T))


@pytest.mark.parametrize("scale", [0, 1e-30, 1, 1e15])
def test_symmetry_has_no_unit(scale):
    symmetric, other = rotated(np.arange(30.0) - 2), np.triu(np.ones((30, 30)))
    curvature.check_symmetric(of_matrix((scale * symmetric).astype(np.float32)), KEY)
    if scale:
        with pytest.raises(StructureError, match="not symmetric"):
            curvature.check_symmetric(of_matrix((scale * other).astype(np.float32)), KEY)


def test_rounding_in_single_precision_is_no_asymmetry():
    matrix = rotated(10.0 ** np.linspace(-6, 3, 300), dtype=np.float32)
    for seed in range(5):
        curvature.check_symmetric(of_matrix(matrix), jax.random.key(seed))


def test_products_that_are_not_finite_are_named():
    broken = network()
    broken["params"]["Dense_1"]["bias"] = np.full(4, np.nan)
    matrix = np.diag(np.r_[np.nan, np.ones(29)])
    for use, sizes in USES.items():
        with pytest.raises(DivergenceError, match="a product with the Custom is not finite"):
            use(of_matrix(matrix), KEY, **sizes)
        with pytest.raises(DivergenceError, match="a product with the Hessian is not finite"):
            use(hessian().at(broken), KEY, **sizes)


def without_loss(params, batch):
    return {"error": batch.labels * 1.0}


@pytest.mark.parametrize("make", [curvature.hessian, curvature.empirical_fisher])
def test_a_loss_is_needed(make):
    with pytest.raises(StructureError, match="no metric 'loss' to differentiate"):
        make(without_loss, network(), examples()) @ network()


def test_bad_input_is_refused():
    params, data = network(), examples()
    for make, function in MAKERS.values():
        with pytest.raises(ConfigError, match="batch_size is 0: it must be at least 1"):
            make(function, params, data, batch_size=0)
        with pytest.raises(DataError, match="non-zero number of examples"):
            make(function, params, data.head(0))
        with pytest.raises(StructureError, match="'nothing' is none of the parameters: choose am"):
            make(function, params, data, leaves=["nothing"])
        with pytest.raises(StructureError, match="no leaf is to move: choose among params/Dense_0"):
            make(function, params, data, leaves=[])
    operator = curvature.hessian(LOSS, params, data, leaves=["params/Dense_1/bias"])
    assert operator.dimension == 4 < ROWS
    with pytest.raises(StructureError, match="'params/Dense_0/bias' is none of the parameters"):
        operator.block(["params/Dense_0/bias"])
    with pytest.raises(StructureError, match="no leaf is to move: choose among none"):
        curvature.hessian(LOSS, {"steps": 3}, data)
    nothing = curvature.Custom(multiply, np.eye(0), {})
    for use in (curvature.trace, curvature.density, curvature.check_symmetric):
        with pytest.raises(ConfigError, match="1 vectors are asked for and the operator has 0"):
            use(nothing, KEY)
    with pytest.raises(ConfigError, match="the operator has 0 rows"):
        curvature.eigenpairs(nothing, KEY)
    for use in (*USES, curvature.check_symmetric):
        use = inspect.unwrap(use)  # without the checks of types that tests add
        with pytest.raises(StructureError, match="operator is a ndarray, not a Operator: make it"):
            use(np.eye(3))

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sparse

from mconn import align, landscape, paths, symmetry
from mconn.errors import ConfigError, DataError, MconnError, StructureError
from mconn.words import (
    RUNGS,
    AttributeModel,
    ExactConfig,
    Rule,
    SampledConfig,
    Section,
    Window,
    align_embeddings,
    along,
    count_words,
    embedding_symmetry,
    entry_examples,
    entry_losses,
    exact_examples,
    exact_losses,
    expected_accuracy,
    factorise,
    pair_examples,
    pair_losses,
    parallelogram_defect,
    place_questions,
    pmi,
    sgns_loss,
    sgns_weights,
    train_exact,
)
from mconn.words.coupling import products
from mconn.words.questions import pairs_of_questions

MODEL = AttributeModel((0.3, 0.4, 0.5, 0.6))
WEIGHTS = sgns_weights(MODEL.joint)
DATA = exact_examples(WEIGHTS)
QUESTIONS = MODEL.questions()
ALL = np.concatenate(list(QUESTIONS.values()))
OPTIMUM = factorise(pmi(MODEL.joint, shift=np.log(5)).matrix, 5)
TS = np.linspace(0, 1, 5)
PMI = pmi(MODEL.joint).matrix


def test_the_mean_over_words_is_the_objective():
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal((16, 3)) for name in ("words", "contexts")}
    found = exact_losses(params, {name: jnp.asarray(leaf) for name, leaf in DATA.items()})["loss"]
    assert found.shape == (16,)
    assert float(found.mean()) == pytest.approx(float(sgns_loss(params, WEIGHTS)), rel=1e-5)


def test_pairs_of_a_text_have_the_windows_and_the_negative_samples_of_training():
    text = [["a", "b", "c", "a"], ["b", "c"], ["unknown", "a"]] * 20
    vocabulary = count_words(text, largest=3)
    config = SampledConfig(2, Window(1, "flat"), negatives=4)
    found = pair_examples(text, vocabulary, config, seed=1)
    near = {("a", "b"), ("b", "c"), ("c", "a")}
    near |= {(second, first) for first, second in near}
    words = np.array(vocabulary.words)
    seen = set(zip(words[found["word"]].tolist(), words[found["context"]].tolist(), strict=True))
    assert seen == near
    assert len(found["word"]) == 2 * 4 * 20
    assert found["negatives"].shape == (160, 4)
    assert len(pair_examples(text, vocabulary, config, most=7)["word"]) == 7
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal((3, 2)) for name in ("words", "contexts")}
    logits = params["words"] @ params["contexts"].T
    expected = [
        np.logaddexp(0, -logits[word, context]) + np.logaddexp(0, logits[word, negatives]).sum()
        for word, context, negatives in zip(*found.values(), strict=True)
    ]
    batch = {name: jnp.asarray(leaf) for name, leaf in found.items()}
    np.testing.assert_allclose(pair_losses(params, batch)["loss"], expected, rtol=1e-5)
    with pytest.raises(ConfigError, match="most is 0"):
        pair_examples(text, vocabulary, config, most=0)
    with pytest.raises(DataError, match="has a neighbour"):
        pair_examples([["a"]], vocabulary, config)


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_drawn_entries_stand_for_all(share):
    rng = np.random.default_rng(0)
    matrix = rng.normal(2, 1, (60, 50)) * (rng.random((60, 50)) < share)
    params = {"words": rng.standard_normal((60, 3)), "contexts": rng.standard_normal((50, 3))}
    expected = np.square(params["words"] @ params["contexts"].T - matrix).mean()

    def mean(examples):
        batch = {name: jnp.asarray(leaf) for name, leaf in examples.items()}
        return float(entry_losses(params, batch)["loss"].mean())

    table = sparse.csr_array(matrix)
    whole = entry_examples(matrix)
    assert len(whole["word"]) == 3000
    assert mean(whole) == pytest.approx(expected, rel=1e-5)
    table.data[:1] = 0  # a stored zero is no entry, and stays stored
    stored, matrix = table.nnz, table.toarray()
    expected = np.square(params["words"] @ params["contexts"].T - matrix).mean()
    drawn = [entry_examples(table, most=801, seed=s) for s in range(20)]
    assert table.nnz == stored
    assert all(len(each["word"]) == 801 for each in drawn)
    losses = [mean(each) for each in drawn]
    assert abs(np.mean(losses) - expected) < 3.5 * np.std(losses) / np.sqrt(20)
    with pytest.raises(ConfigError, match="most is 0"):
        entry_examples(matrix, most=0)


def test_the_ends_of_a_path_are_the_embeddings_themselves():
    rng = np.random.default_rng(0)
    other = {name: leaf + rng.normal(0, 0.5, leaf.shape) for name, leaf in OPTIMUM.items()}
    rule = Rule("multiply")
    found = along(paths.line(OPTIMUM, other), 5, DATA, QUESTIONS, rule=rule)
    for place, params in ((0, OPTIMUM), (-1, other)):
        single = {name: leaf.astype(np.float32) for name, leaf in params.items()}
        words = single["words"].astype(float)
        expected = expected_accuracy(words, ALL, rule, tolerance=1e-6)
        assert found.accuracy[place] == pytest.approx(expected)
        np.testing.assert_allclose(found.defect[place], parallelogram_defect(words, ALL), atol=1e-6)
        loss = float(sgns_loss(single, WEIGHTS))
        assert found.profile.mean("loss")[place] == pytest.approx(loss, rel=1e-5)
    assert found.right.shape == (5, len(ALL))
    assert found.angles["sample"].shape == (5, 4)
    assert found.largest_angle("sample")[0] == pytest.approx(0, abs=1e-6)
    assert found.largest_angle("sample")[-1] > 0.05
    rows = found.rows()
    assert [row["t"] for row in rows] == TS.tolist()
    assert rows[2]["accuracy"] == found.accuracy[2]
    assert rows[-1]["neuron_angle"] == np.rad2deg(found.angles["neuron"][-1].max())
    assert rows[0]["defect"] < 1e-3 < rows[-1]["defect"]


def test_on_the_orbit_loss_and_sample_space_stay_and_neuron_space_turns(key):
    group = embedding_symmetry(OPTIMUM)
    tangent = {group.generators[0].name: np.random.default_rng(0).normal(0, 0.3, (5, 5))}
    path = jax.jit(lambda tangent, params: paths.orbit_along(group, tangent, params))
    found = along(path(tangent, OPTIMUM), TS, DATA, QUESTIONS)
    np.testing.assert_allclose(np.ptp(found.profile.mean("loss")), 0, atol=1e-5)
    assert found.largest_angle("sample").max() < 1e-3
    assert found.largest_angle("neuron")[-1] > 0.1
    # Invertible maps keep parallelograms.
    assert found.defect.max() < 1e-4


def test_blends_down_the_ladder_lose_their_barrier_and_keep_their_analogies():
    config = ExactConfig(6, steps=1500, scale=0.3)
    trained, _ = train_exact(WEIGHTS, config, jax.random.split(jax.random.key(0)))
    a, b = ({name: np.asarray(leaf[i]) for name, leaf in trained.items()} for i in range(2))
    found = {
        rung: along(paths.line(a, each.params), TS, DATA, QUESTIONS)
        for rung, each in align_embeddings(a, b).items()
    }
    barriers = {
        rung: landscape.barrier(each.profile, resamples=1).value for rung, each in found.items()
    }
    assert barriers["naive"] > 0.1
    assert barriers["permutation"] < barriers["naive"] / 2
    assert max(barriers["orthogonal"], barriers["general linear"]) < 1e-3
    for rung in ("orthogonal", "general linear"):
        assert (found[rung].accuracy == 1).all()


def test_a_blend_that_loses_an_attribute_loses_its_analogies():
    mirror = np.eye(5)
    # The singular vectors are the attributes, and the constant; the second is a strong attribute.
    mirror[1, 1] = -1
    moved = {name: leaf @ mirror for name, leaf in OPTIMUM.items()}
    found = along(paths.line(OPTIMUM, moved), TS, DATA, QUESTIONS)
    assert found.accuracy[[0, -1]].tolist() == [1, 1]
    assert found.accuracy[2] < 0.7
    assert found.singular[2, -1] < 1e-5
    assert np.isnan(found.angles["neuron"][2]).sum() == 1
    assert landscape.barrier(found.profile, resamples=1).value > 0.01


def test_what_the_loss_does_not_see_destroys_analogies_at_no_barrier():
    rng = np.random.default_rng(0)
    contexts = np.pad(OPTIMUM["contexts"], ((0, 0), (0, 1)))
    noise = 20 * rng.standard_normal((16, 1))
    a, b = (
        {"words": np.concatenate([OPTIMUM["words"], each], axis=1), "contexts": contexts}
        for each in (0 * noise, noise)
    )
    found = along(paths.line(a, b), TS, DATA, QUESTIONS)
    np.testing.assert_allclose(np.ptp(found.profile.mean("loss")), 0, atol=1e-6)
    assert found.accuracy[0] == 1
    assert found.accuracy[-1] < 0.5
    assert found.largest_angle("neuron")[-1] > 1
    assert found.largest_angle("sample").max() < 1e-3


def test_a_point_without_any_vector_is_wrong_and_not_an_error():
    opposite = {name: -leaf for name, leaf in OPTIMUM.items()}
    found = along(paths.line(OPTIMUM, opposite), TS, DATA, QUESTIONS)
    assert found.accuracy.tolist() == [1, 1, 0, 1, 1]
    assert np.isnan(found.largest_angle("sample")[2])
    assert np.isnan(found.rows()[2]["defect"])


def test_questions_of_a_file_are_asked_by_section():
    words = ("dog", "Dogs", "cat", "cats", "ox")
    sections = [
        Section("plural", (("dog", "dogs", "cat", "cats"), ("cat", "cats", "dog", "dogs"))),
        Section("nothing", (("a", "b", "c", "d"),)),
    ]
    found = place_questions(words, sections)
    assert list(found) == ["plural"]
    np.testing.assert_array_equal(found["plural"], [[0, 1, 2, 3], [2, 3, 0, 1]])
    assert place_questions(words, sections, folds=False) == {}
    params = {name: np.eye(5)[:, :4] for name in ("words", "contexts")}
    data = exact_examples(sgns_weights(np.ones((5, 5))))
    path = paths.line(params, params)
    assert along(path, TS, data, found).right.shape == (5, 2)
    for questions in ({}, {"empty": np.zeros((0, 4), int)}):
        with pytest.raises(DataError, match="no question"):
            along(path, TS, data, questions)


def test_the_pairs_of_an_attribute_are_those_of_its_questions():
    for (name, questions), k in zip(QUESTIONS.items(), itertools.count(), strict=False):
        assert name == f"attribute {k + 1}"
        np.testing.assert_array_equal(pairs_of_questions(questions), MODEL.pairs(k))


def embedding(seed=0, words=20, contexts=15, dimension=6):
    rng = np.random.default_rng(seed)
    return {
        "words": rng.standard_normal((words, dimension)),
        "contexts": rng.standard_normal((contexts, dimension)),
    }


def map_of(kind, dimension=6):
    rng = np.random.default_rng(3)
    if kind == "permutation":
        return np.eye(dimension)[rng.permutation(dimension)]
    turn = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    if kind == "orthogonal":
        return turn
    return turn @ np.diag(np.geomspace(0.2, 5, dimension)) @ turn[::-1]


def test_the_group_of_an_embedding_is_general_linear(key):
    params = embedding()
    group = embedding_symmetry(params)
    (generator,) = group.generators
    assert (generator.kind, generator.size, generator.exact) == ("general linear", 6, True)
    powers = {site.leaf: site.power for site in generator.sites}
    assert powers["words"] == -powers["contexts"]
    symmetry.certify(group, products, params, key=key).check()


@pytest.mark.parametrize("kind", RUNGS[1:])
def test_a_planted_map_is_found_from_its_rung_on(kind):
    a = embedding()
    map_ = map_of(kind)
    b = {"words": a["words"] @ map_, "contexts": a["contexts"] @ np.linalg.inv(map_).T}
    with jax.enable_x64(True):
        found = align_embeddings(a, b)
    assert list(found) == list(RUNGS)
    size = np.sqrt(sum((leaf**2).sum() for leaf in a.values()))
    for place, rung in enumerate(RUNGS):
        if place < RUNGS.index(kind):
            assert found[rung].distance > 0.1 * size
        else:
            assert found[rung].distance < 1e-6 * size


def test_every_rung_is_closer_and_computes_the_same():
    a, b = embedding(0), embedding(1)
    with jax.enable_x64(True):
        found = align_embeddings(a, b)
        distances = [found[rung].distance for rung in RUNGS]
        assert (np.diff(distances) < 0).all()
        group = embedding_symmetry(a)
        for rung in found.values():
            np.testing.assert_allclose(products(rung.params), products(b), atol=1e-9)
            moved = symmetry.act(group, rung.element, b)
            np.testing.assert_allclose(moved["words"], rung.params["words"])
            gaps = [a[name] - rung.params[name] for name in a]
            assert rung.distance == pytest.approx(np.sqrt(sum((gap**2).sum() for gap in gaps)))
    assert found["naive"].match is None
    assert isinstance(found["orthogonal"].match, align.Match)
    np.testing.assert_array_equal(found["naive"].params["words"], b["words"])


def test_splits_of_the_singular_values_differ_by_more_than_a_rotation():
    matrix = np.random.default_rng(0).standard_normal((20, 15))
    a, b = (factorise(matrix, 6, power=power) for power in (0.5, 1.0))
    with jax.enable_x64(True):
        found = align_embeddings(double(a), double(b), ("orthogonal", "general linear"))
    assert list(found) == ["orthogonal", "general linear"]
    assert found["orthogonal"].distance > 1
    assert found["general linear"].distance < 1e-6


def test_embeddings_of_a_rank_below_their_dimension_are_aligned():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((20, 4)) @ rng.standard_normal((4, 15))
    params = double(factorise(matrix, 6))
    assert np.linalg.matrix_rank(params["words"], tol=1e-6) == 4
    map_ = map_of("orthogonal")
    with jax.enable_x64(True):
        found = align_embeddings(params, {name: leaf @ map_ for name, leaf in params.items()})
    for rung in ("orthogonal", "general linear"):
        assert found[rung].distance < 1e-3


def double(params):
    return {name: leaf.astype(np.float64) for name, leaf in params.items()}


def test_what_is_no_embedding_is_refused():
    a = embedding()
    with pytest.raises(StructureError, match="the leaves are words: an embedding has words and"):
        align_embeddings({"words": a["words"]}, a)
    with pytest.raises(StructureError, match="give two matrices of the same dimension"):
        embedding_symmetry({"words": a["words"], "contexts": a["contexts"][:, :3]})
    with pytest.raises(StructureError, match="words"):
        align_embeddings(a, embedding(words=19))
    with pytest.raises(ConfigError, match="rung 'affine'"):
        align_embeddings(a, a, ("affine",))
    broken = a | {"words": np.full_like(a["words"], np.nan)}
    with pytest.raises(MconnError, match="words"):
        align_embeddings(a, broken)

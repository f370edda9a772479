"""SGNS on a text, its noise, subwords, and GloVe."""

import numpy as np
import pytest

from mconn.errors import ConfigError, DataError, DivergenceError
from mconn.words import (
    AttributeModel,
    GloveConfig,
    SampledConfig,
    Subwords,
    Vocabulary,
    Window,
    composed,
    count_words,
    pair_examples,
    pmi,
    sample_sentences,
    train_glove,
    train_sampled,
)

MODEL = AttributeModel((0.3, 0.5, 0.7))
UNEQUAL = AttributeModel((0.3, 0.5, 0.7), spread=0.8, seed=1)


@pytest.fixture(scope="module")
def drawn():
    return list(sample_sentences(MODEL.joint, MODEL.words, 40_000, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def vocabulary(drawn):
    return count_words(drawn)


def config(**options):
    given = {
        "dimension": 6,
        "window": Window(1, "flat"),
        "smoothing": 1.0,
        "epochs": 5,
        "batch_size": 500,
        "learning_rate": 0.2,
    }
    return SampledConfig(**{**given, **options})


def products(found, vocabulary, seed):
    """The products of words and contexts in the model's order."""
    order = [vocabulary.index[word] for word in MODEL.words]
    params = found.params(seed)
    return (params["words"] @ params["contexts"].T)[np.ix_(order, order)]


def test_sampled_training_reaches_the_shifted_pmi(drawn, vocabulary):
    found = train_sampled(drawn, vocabulary, config(negatives=3), (0, 1))
    assert found.words.shape == (2, 8, 6)
    target = pmi(MODEL.joint, shift=np.log(3)).matrix
    for seed in range(2):
        logits = products(found, vocabulary, seed)
        assert np.corrcoef(logits.ravel(), target.ravel())[0, 1] > 0.98
        assert np.abs(logits - target).mean() < 0.15
    assert (found.losses[:, -1] < found.losses[:, 0]).all()
    assert np.abs(found.words[0] - found.words[1]).max() > 0.1
    # Five passes over both directions of all pairs, less what fills no call.
    assert 0.9 < found.pairs / (5 * 2 * 40_000) <= 1


@pytest.fixture(scope="module")
def unequal():
    rng = np.random.default_rng(0)
    text = list(sample_sentences(UNEQUAL.joint, UNEQUAL.words, 40_000, rng))
    return text, count_words(text)


@pytest.mark.parametrize("smoothing", [0.0, 0.75, 1.0])
def test_noise_is_drawn_by_the_power_of_the_frequencies(unequal, smoothing):
    text, vocabulary = unequal
    drawn = pair_examples(text, vocabulary, config(smoothing=smoothing))["negatives"]
    shares = np.bincount(drawn.ravel(), minlength=8) / drawn.size
    expected = vocabulary.counts**smoothing / (vocabulary.counts**smoothing).sum()
    error = (shares - expected) / np.sqrt(expected / drawn.size)
    assert np.abs(error).max() < 4
    # Other powers are far from these frequencies.
    assert vocabulary.counts.max() > 3 * vocabulary.counts.min()


def test_training_draws_its_noise_by_the_power_of_the_frequencies(unequal):
    # The optimum log P(w, c) / (k P(w) Q(c)) has the power in it, context by context.
    text, vocabulary = unequal
    found = train_sampled(text, vocabulary, config(negatives=3, smoothing=0.75, epochs=4), (0, 1))
    frequencies = np.log(UNEQUAL.joint.sum(axis=0))
    target = pmi(UNEQUAL.joint, shift=np.log(3), smoothing=0.75).matrix
    for seed in range(2):
        error = np.average(products(found, vocabulary, seed) - target, axis=0)
        # With the powers 0 and 1 the slopes are -.75 and .25.
        assert np.polyfit(frequencies, error, 1)[0] == pytest.approx(0, abs=0.1)


def test_seeds_together_are_those_alone(drawn, vocabulary):
    short = drawn[:3000]
    together = train_sampled(short, vocabulary, config(epochs=2), (4, 5))
    alone = train_sampled(short, vocabulary, config(epochs=2), (5,))
    np.testing.assert_allclose(together.words[1], alone.words[0], rtol=1e-4, atol=1e-6)
    again = train_sampled(short, vocabulary, config(epochs=2), (5,))
    np.testing.assert_array_equal(alone.words, again.words)


def test_pairs_are_those_within_the_drawn_windows():
    text = [["x", "y", "z", "x"] * 500]
    flat, dynamic = (
        pair_examples(text, count_words(text), config(window=Window(2, weighting)))["word"]
        for weighting in ("flat", "dynamic")
    )
    assert len(flat) == 2 * (1999 + 1998)
    assert len(dynamic) == pytest.approx(2 * (1999 + 1998 / 2), rel=0.05)


def test_subwords_share_their_vectors(drawn, vocabulary):
    subwords = Subwords(2, 3, buckets=50)
    found = train_sampled(drawn[:3000], vocabulary, config(epochs=2, subwords=subwords), (0,))
    parts = subwords.parts(vocabulary.words)
    assert found.parts.shape == (1, len(vocabulary) + 50, 6)
    np.testing.assert_allclose(found.words[0], composed(parts, found.parts[0]), atol=1e-6)
    # A word that the text has not is made of the n-grams alone.
    place = vocabulary.index["+-+"]
    outside = composed(subwords.outside("+-+", len(vocabulary)), found.parts[0])[0]
    own, count = found.parts[0, place], parts.shares[place, 0]
    expected = count * own + (1 - count) * outside
    np.testing.assert_allclose(found.words[0, place], expected, atol=1e-5)


def test_grams_are_those_between_the_marks():
    assert Subwords(3, 4).grams("abc") == ["<ab", "<abc", "abc", "abc>", "bc>"]
    assert Subwords(1, 2).grams("ab") == ["<a", "a", "ab", "b", "b>"]
    with pytest.raises(ConfigError, match="has no n-gram"):
        Subwords(9, 9).outside("ab", 3)
    with pytest.raises(ConfigError, match="shortest"):
        Subwords(4, 3)


def test_hashes_are_those_of_fasttext():
    pytest.importorskip("gensim", reason="needs gensim")
    from gensim.models.fasttext import ft_ngram_hashes

    for word in ("night", "Ünïcode", "日本", "a"):
        subwords = Subwords(3, 6, 10_007)
        assert subwords.hashes(word) == list(ft_ngram_hashes(word, 3, 6, 10_007))


def test_glove_fits_the_logarithm_of_the_counts():
    counts = 10_000 * MODEL.joint
    config = GloveConfig(6, epochs=400, batch_size=16, learning_rate=0.3)
    found = train_glove(counts, config, (0, 1))
    fitted = found.words @ found.contexts.swapaxes(1, 2)
    fitted = fitted + found.word_biases[:, :, None] + found.context_biases[:, None]
    assert np.abs(fitted - np.log(counts)).max() < 0.05
    assert (found.losses[:, -1] < 1e-3 * found.losses[:, 0]).all()


def test_texts_without_pairs_are_refused():
    lonely = Vocabulary(("a", "b"), np.array([2, 1]), 3)
    with pytest.raises(DataError, match="no word of the vocabulary has a neighbour"):
        train_sampled([["a"], ["b"], ["a"]], lonely, config(), (0,))
    with pytest.raises(DataError, match="the text has no word of the vocabulary"):
        train_sampled([["c"]], lonely, config(), (0,))
    with pytest.raises(DataError, match="no word occurs with any other"):
        train_glove(np.zeros((3, 3)), GloveConfig(2), (0,))


@pytest.mark.parametrize(
    "name", ["dimension", "shared", "epochs", "batch_size", "learning_rate", "negatives"]
)
def test_configs_that_make_no_sense_are_refused(name):
    value = type(getattr(config(), name))(0)
    with pytest.raises(ConfigError, match=name):
        config(**{name: value})
    if name not in ("shared", "negatives"):
        with pytest.raises(ConfigError, match=name):
            GloveConfig(**{name: value})
    with pytest.raises(ConfigError, match="harmonic"):
        config(window=Window(2, "harmonic"))


def test_diverging_trainings_are_errors(drawn, vocabulary):
    with pytest.raises(DivergenceError, match="seed 7"):
        train_sampled(drawn[:3000], vocabulary, config(learning_rate=1e38, epochs=2), (7,))
    with pytest.raises(DivergenceError, match="seed 7"):
        train_glove(1000 * MODEL.joint, GloveConfig(4, learning_rate=1e38), (7,))

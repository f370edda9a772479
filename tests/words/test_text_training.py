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
    pmi,
    sample_sentences,
    train_glove,
    train_sampled,
)
from mconn.words.sampled import pairs_of, whole
from mconn.words.windows import blocks

MODEL = AttributeModel((0.3, 0.5, 0.7))
PAIRS = Window(1, "flat")


@pytest.fixture(scope="module")
def drawn():
    return list(sample_sentences(MODEL.joint, MODEL.words, 40_000, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def vocabulary(drawn):
    return count_words(drawn)


def config(**options):
    given = {
        "dimension": 6,
        "window": PAIRS,
        "smoothing": 1.0,
        "epochs": 8,
        "batch_size": 500,
        "learning_rate": 0.2,
    }
    return SampledConfig(**{**given, **options})


def test_sampled_training_reaches_the_shifted_pmi(drawn, vocabulary):
    found = train_sampled(drawn, vocabulary, config(negatives=3), (0, 1))
    assert found.words.shape == (2, 8, 6)
    order = [vocabulary.index[word] for word in MODEL.words]
    target = pmi(MODEL.joint, shift=np.log(3)).matrix
    for seed in range(2):
        params = found.params(seed)
        logits = (params["words"] @ params["contexts"].T)[np.ix_(order, order)]
        assert np.corrcoef(logits.ravel(), target.ravel())[0, 1] > 0.98
        assert np.abs(logits - target).mean() < 0.15
    assert (found.losses[:, -1] < found.losses[:, 0]).all()
    assert np.abs(found.words[0] - found.words[1]).max() > 0.1
    # Eight passes over both directions of all pairs, less what fills no call.
    assert 0.9 < found.pairs / (8 * 2 * 40_000) <= 1


def test_seeds_together_are_those_alone(drawn, vocabulary):
    short = drawn[:3000]
    together = train_sampled(short, vocabulary, config(epochs=2), (4, 5))
    alone = train_sampled(short, vocabulary, config(epochs=2), (5,))
    np.testing.assert_allclose(together.words[1], alone.words[0], rtol=1e-4, atol=1e-6)
    again = train_sampled(short, vocabulary, config(epochs=2), (5,))
    np.testing.assert_array_equal(alone.words, again.words)


def test_pairs_are_those_within_the_drawn_windows(drawn, vocabulary):
    text = [["x", "y", "z", "x"] * 500]
    small = count_words(text)
    encoded = whole(blocks(text, small))
    generator = np.random.default_rng(0)
    flat = pairs_of(encoded, small, config(window=Window(2, "flat")), generator)
    assert len(flat) == 2 * (1999 + 1998)
    dynamic = pairs_of(encoded, small, config(window=Window(2, "dynamic")), generator)
    assert len(dynamic) == pytest.approx(2 * (1999 + 1998 / 2), rel=0.05)


def test_subwords_share_their_vectors(drawn, vocabulary):
    subwords = Subwords(2, 3, buckets=50)
    found = train_sampled(drawn, vocabulary, config(epochs=2, subwords=subwords), (0,))
    parts = subwords.parts(vocabulary.words)
    assert found.parts.shape == (1, len(vocabulary) + 50, 6)
    np.testing.assert_allclose(found.words[0], composed(parts, found.parts[0]), atol=1e-6)
    # A word that the text has not is made of the n-grams alone.
    place = vocabulary.index["+-+"]
    outside = composed(subwords.outside("+-+", len(vocabulary)), found.parts[0])[0]
    own, count = found.parts[0, place], parts.shares[place, 0]
    np.testing.assert_allclose(
        found.words[0, place], count * own + (1 - count) * outside, atol=1e-5
    )


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
    "options",
    [
        {"dimension": 0},
        {"shared": 0},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"negatives": 0},
        {"window": Window(2, "harmonic")},
    ],
)
def test_configs_that_make_no_sense_are_refused(options):
    with pytest.raises(
        ConfigError, match="harmonic" if "window" in options else next(iter(options))
    ):
        config(**options)


@pytest.mark.parametrize("name", ["dimension", "epochs", "batch_size", "learning_rate"])
def test_glove_configs_that_make_no_sense_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        GloveConfig(**{name: type(getattr(GloveConfig(), name))(0)})


def test_diverging_trainings_are_errors(drawn, vocabulary):
    with pytest.raises(DivergenceError, match="seed 7"):
        train_sampled(drawn[:2000], vocabulary, config(learning_rate=1e38, epochs=2), (7,))
    with pytest.raises(DivergenceError, match="seed 7"):
        train_glove(1000 * MODEL.joint, GloveConfig(4, learning_rate=1e38), (7,))

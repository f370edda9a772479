"""Embeddings of WikiText-2 and Tiny Shakespeare: analogies, and lines after every symmetry.

SGNS, SGNS with subwords, GloVe and PMI-SVD, three seeds, dimension 100, some 570 000 words, of
which every tenth piece of text is held out. Accuracy on Google's questions is a few per cent: the
corpus is small. It needs the texts and the questions in a data folder. Minutes on two cores::

    mconn run configs/word_text.py --data-dir DIR
"""

from experiments.words.texts import WordText
from experiments.words.texts_stages import TextLines, TextSource, TextVectors
from mconn import words

ALL = ("wikitext2-valid", "wikitext2-test", "tinyshakespeare")


def word_text(
    texts: tuple[str, ...] = ALL,
    dimension: int = 100,
    epochs: int = 10,
    seeds: int = 3,
    least_count: int = 5,
    points: int = 11,
) -> WordText:
    """Real text: train and count, ask Google's questions, align, walk, measure.

    Args:
        texts: of the corpus.
        dimension: of the embeddings.
        epochs: of SGNS.
        seeds: of every method.
        least_count: rarer words are left out.
        points: on each line; an odd number.
    """
    vectors = TextVectors(
        TextSource(texts, least_count), words.SampledConfig(dimension, epochs=epochs), seeds=seeds
    )
    return WordText(TextLines(vectors, points))


def smoke() -> WordText:
    """The same at a size for tests: Shakespeare alone, two seeds, five points."""
    vectors = TextVectors(
        TextSource(("tinyshakespeare",), 20),
        words.SampledConfig(20, epochs=2),
        words.Subwords(buckets=2000),
        glove_epochs=2,
        seeds=2,
    )
    return WordText(TextLines(vectors, points=5, examples=5000))

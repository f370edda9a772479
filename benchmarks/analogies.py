"""Google's analogy questions, and the training of SGNS, against gensim.

Both sides run in one process, on the same vectors and the same text; gensim uses its own threads
for training and NumPy's for questions, as this package does. Questions: the answers must be the
same one by one, and the whole file at least 15 times faster with 50 000 words of 300 dimensions::

    pip install .[benchmark]
    python -m benchmarks.analogies --data-dir ../shared/data [--words 50000] [--dimension 300]

With ``--share 10`` gensim answers every tenth question only, and its time is multiplied. Where
gensim is not installed, this package is timed alone.
"""

import importlib
import importlib.util
import logging
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mconn.words import (
    Rule,
    SampledConfig,
    Section,
    Vectors,
    Window,
    answer,
    corpus,
    count_words,
    evaluate_analogies,
    place_questions,
    question_file,
    read_questions,
    train_sampled,
)


def gensim_models() -> Any:
    """The module, of which the types are not known here."""
    return importlib.import_module("gensim.models")


def made_vectors(sections: list[Section], words: int, dimension: int) -> Vectors:
    """Random vectors of the questions' words, in which relations exist, and of others."""
    rng = np.random.default_rng(0)
    asked = sorted({word for section in sections for row in section.questions for word in row})
    matrix = rng.standard_normal((words, dimension)).astype(np.float32)
    names = [*asked, *(f"other{i}" for i in range(words - len(asked)))]
    order = rng.permutation(words)
    place = {names[old]: new for new, old in enumerate(order)}
    for section in sections:
        relation = 0.7 * rng.standard_normal(dimension)
        for a, b, _, _ in section.questions:
            matrix[place[b]] = 0.8 * matrix[place[a]] + relation
    return Vectors(tuple(names[old] for old in order), matrix)


def our_questions(sections: list[Section], vectors: Vectors) -> None:
    """Print the seconds of all questions, and the peak of NumPy's memory."""
    for method in ("add", "multiply"):
        tracemalloc.start()
        evaluate_analogies(vectors, sections, Rule(method))
        memory = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        start = time.perf_counter()
        score = evaluate_analogies(vectors, sections, Rule(method))[-1]
        seconds = time.perf_counter() - start
        Console().print(
            f"{method}: {score.accuracy.of} questions in {seconds:.2f} s, {memory:.0f} MiB"
        )


def compare_questions(sections: list[Section], vectors: Vectors, share: int) -> list[list[Any]]:
    """The rows of the table: 3CosAdd by the evaluation of both, 3CosMul question by question."""
    theirs: Any = gensim_models().KeyedVectors(vectors.matrix.shape[1])
    theirs.add_vectors(list(vectors.words), vectors.matrix)
    theirs.fill_norms()
    few = [Section(each.name, each.questions[::share]) for each in sections]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.txt"
        file.write_text(
            "\n".join(
                line
                for each in few
                for line in (f": {each.name}", *(" ".join(row) for row in each.questions))
            )
        )
        start = time.perf_counter()
        _, expected = theirs.evaluate_word_analogies(str(file))
        slow = share * (time.perf_counter() - start)
    start = time.perf_counter()
    scores = evaluate_analogies(vectors, sections)
    fast = time.perf_counter() - start
    different, asked = 0, 0
    for each, score, their in zip(few, evaluate_analogies(vectors, few), expected, strict=False):
        right = {
            tuple(word.upper() for word in each.questions[place])
            for place, is_right in zip(score.covered, score.right, strict=True)
            if is_right
        }
        different += len(right ^ set(their["correct"]))
        asked += len(score.covered)
    tracemalloc.start()
    evaluate_analogies(vectors, sections)
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    rows = [["3CosAdd", f"{scores[-1].accuracy.value:.3f}", slow, fast, different, asked, memory]]

    places = np.concatenate(list(place_questions(vectors.words, sections).values()))
    start = time.perf_counter()
    found = answer(vectors.matrix, places[:, :3], Rule("multiply", epsilon=1e-6))
    fast = time.perf_counter() - start
    some = range(0, len(places), share)
    start = time.perf_counter()
    best = []
    for a, b, c in (places[i, :3].tolist() for i in some):
        words = vectors.words
        best.append(
            theirs.most_similar_cosmul(positive=[words[b], words[c]], negative=[words[a]], topn=1)
        )
    slow = share * (time.perf_counter() - start)
    different = sum(
        vectors.words[found[i]] != near[0][0] for i, near in zip(some, best, strict=True)
    )
    accuracy = f"{(found == places[:, 3]).mean():.3f}"
    return [*rows, ["3CosMul", accuracy, slow, fast, different, len(best), float("nan")]]


def compare_training(data_dir: Path | None, epochs: int) -> list[list[Any]]:
    """Seconds per epoch and seed, of SGNS with the same sizes on WikiText-2 and Shakespeare."""
    names = ("wikitext2-valid", "wikitext2-test", "tinyshakespeare")
    text = list(corpus(names, data_dir))
    vocabulary = count_words(text)
    rows = []
    for workers in (1, 2):
        start = time.perf_counter()
        gensim_models().Word2Vec(text, vector_size=100, window=5, min_count=5, sg=1, negative=5,
                                 sample=1e-3, epochs=epochs, workers=workers)  # fmt: skip
        rows.append([f"gensim, {workers} threads", (time.perf_counter() - start) / epochs])
    for seeds in ((0,), (0, 1, 2)):
        config = SampledConfig(100, Window(5, "dynamic", 1e-3), epochs=epochs)
        train_sampled(text[:200], vocabulary, config, seeds)
        start = time.perf_counter()
        train_sampled(text, vocabulary, config, seeds)
        seconds = (time.perf_counter() - start) / epochs / len(seeds)
        rows.append([f"mconn, {len(seeds)} seeds", seconds])
    return rows


def main(
    data_dir: Path | None = None,
    words: int = 50_000,
    dimension: int = 300,
    share: int = 1,
    epochs: int = 3,
) -> None:
    """Print the tables.

    Args:
        data_dir: folder of the question file and the texts, beside $MCONN_DATA.
        words: of the vocabulary.
        dimension: of the vectors.
        share: gensim answers every so-manyth question.
        epochs: of the training; 0 leaves it out.
    """
    logging.disable(logging.WARNING)
    sections = read_questions(question_file(data_dir))
    vectors = made_vectors(sections, words, dimension)
    if importlib.util.find_spec("gensim") is None:
        Console().print("gensim is not installed: pip install .[benchmark]")
        our_questions(sections, vectors)
        return
    count = sum(len(each.questions) for each in sections)
    table = Table(title=f"{count} questions, {words} words of {dimension} dimensions")
    heads = ("method", "accuracy", "gensim s", "mconn s", "ratio", "differ", "of", "peak MiB")
    for head in heads:
        table.add_column(head, justify="left" if head == "method" else "right")
    for method, accuracy, slow, fast, different, asked, memory in compare_questions(
        sections, vectors, share
    ):
        numbers = (f"{slow:.1f}", f"{fast:.2f}", f"{slow / fast:.1f}", str(different), str(asked))
        table.add_row(method, accuracy, *numbers, f"{memory:.0f}")
    Console().print(table)
    if epochs:
        table = Table("side", "s per epoch and seed", "ratio to gensim, 1 thread")
        rows = compare_training(data_dir, epochs)
        base = rows[0][1]
        for side, seconds in rows:
            table.add_row(side, f"{seconds:.2f}", f"{base / seconds:.2f}")
        Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)

"""``mconn analogy``: word vectors from a file, and how many analogy questions they answer."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.console import Console
from rich.table import Table

import mconn
from mconn.checks import check_choice
from mconn.errors import ConfigError
from mconn.options import AnalogyOptions

if TYPE_CHECKING:
    from mconn.words import Score

HELP = """\
usage: mconn analogy VECTORS --questions FILE [--option value ...]

Answer analogy questions (a is to b as c is to ?) with word vectors, and print accuracy with its
interval and coverage for every section of the questions.

VECTORS             a file of word2vec (text or binary) or GloVe
--questions FILE    sections ": name" of lines of four words, as Google's questions-words.txt
--method NAME ...   add (3CosAdd), multiply (3CosMul) or direction (PairDirection)
--keep-words        do not leave out the three words of the question; that lowers the accuracy
--json FILE         write the numbers, and the answer to every question, to a file

  mconn analogy VECTORS --help   all options

Try

  mconn analogy vectors.bin --questions questions-words.txt --method add multiply
"""


def analogy(words: list[str]) -> int:
    """Read, answer, print.

    Raises:
        MconnError: one sentence for whatever the user can mend.
    """
    file, options = parsed(words)
    check(options)
    assert options.questions is not None

    from mconn.words import Rule, evaluate_analogies, read_questions, read_vectors

    rules = {name: Rule(name, not options.keep_words, options.epsilon) for name in options.method}
    sections = read_questions(options.questions)
    vectors = read_vectors(file, options.format, options.restrict)
    found = {
        method: evaluate_analogies(
            vectors,
            sections,
            rule,
            folds=not options.case_sensitive,
            restrict=options.restrict,
            level=options.level,
        )
        for method, rule in rules.items()
    }
    show(found, options)
    if options.json is not None:
        write(options.json, told(file, options, vectors.words, sections, found))
        sys.stdout.write(f"written: {options.json}\n")
    return 0


def parsed(words: list[str]) -> tuple[Path, AnalogyOptions]:
    """The file of vectors and the options.

    Raises:
        ConfigError: if an option stands before the file.
    """
    if words[0].startswith("-"):
        raise ConfigError(
            f"the vectors come first, before '{words[0]}': mconn analogy VECTORS --questions FILE"
        )
    options = tyro.cli(
        AnalogyOptions,
        args=words[1:],
        prog="mconn analogy VECTORS",
        description="Answer analogy questions with word vectors.",
    )
    return Path(words[0]), options


def check(options: AnalogyOptions) -> None:
    """Refuse options that make no sense, before anything is read.

    Raises:
        ConfigError: naming the option.
    """
    from mconn.words import FORMATS, METHODS

    if options.questions is None:
        raise ConfigError("there is no --questions: name a file of analogy questions")
    if not options.method:
        raise ConfigError(f"there is no method: choose among {', '.join(METHODS)}")
    check_choice("format", options.format, FORMATS)
    if options.restrict < 4:
        raise ConfigError(f"restrict is {options.restrict}: an analogy needs four words")
    if not 0 < options.level < 1:
        raise ConfigError(f"level is {options.level}: choose a number between 0 and 1")
    if options.json is not None and not options.json.parent.is_dir():
        raise ConfigError(
            f"'{options.json}' cannot be written: name a file in a folder that exists"
        )


def show(found: dict[str, list["Score"]], options: AnalogyOptions) -> None:
    """Print a table per method."""
    for method, scores in found.items():
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("section", no_wrap=True)
        for head in ("covered", f"{method} (%)", f"{100 * options.level:g} % interval"):
            table.add_column(head, justify="right", no_wrap=True)
        for score in scores:
            low, high = score.accuracy.interval
            is_empty = not score.accuracy.of
            table.add_row(
                score.name,
                f"{len(score.covered)} of {score.asked}",
                "-" if is_empty else f"{100 * score.accuracy.value:.1f}",
                "" if is_empty else f"[{100 * low:.1f}, {100 * high:.1f}]",
                style="bold" if score is scores[-1] else None,
            )
        Console().print(table)
        sys.stdout.write("\n")
    total = next(iter(found.values()))[-1]
    kept = "may be answers" if options.keep_words else "are left out as answers"
    sys.stdout.write(f"the words of a question {kept}\n")
    sys.stdout.write("intervals are Wilson's, over questions\n")
    if total.malformed:
        sys.stdout.write(f"{total.malformed} lines without four words were left out\n")


def told(
    file: Path,
    options: AnalogyOptions,
    words: tuple[str, ...],
    sections: list[Any],
    found: dict[str, list["Score"]],
) -> dict[str, Any]:
    """What is written to the file."""
    return {
        "vectors": str(file),
        "questions": str(options.questions),
        "mconn": mconn.__version__,
        "words": len(words),
        "excludes question words": not options.keep_words,
        "folds case": not options.case_sensitive,
        "restrict": options.restrict,
        "interval": "Wilson",
        "level": options.level,
        "methods": {
            method: {
                "total": summary(scores[-1]),
                "sections": [
                    summary(score) | {"answers": answered(section.questions, score, words)}
                    for section, score in zip(sections, scores, strict=False)
                ],
            }
            for method, scores in found.items()
        },
    }


def summary(score: "Score") -> dict[str, Any]:
    """The numbers of a section; no accuracy where nothing is covered."""
    accuracy = score.accuracy
    known = accuracy.of > 0
    return {
        "name": score.name,
        "questions": score.asked,
        "covered": accuracy.of,
        "right": accuracy.right,
        "accuracy": accuracy.value if known else None,
        "interval": list(accuracy.interval) if known else None,
        "malformed": score.malformed,
    }


def answered(
    questions: tuple[tuple[str, ...], ...], score: "Score", words: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The covered questions with their answers."""
    return [
        {"question": list(questions[place]), "answer": words[answer], "right": bool(right)}
        for place, answer, right in zip(score.covered, score.answers, score.right, strict=True)
    ]


def write(file: Path, stored: Any) -> None:
    """Write a file of JSON.

    Raises:
        ConfigError: if it cannot be written.
    """
    from mconn.experiment.store import write_json

    try:
        write_json(file, stored)
    except OSError as error:
        raise ConfigError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error

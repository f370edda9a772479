"""``mconn analogy``: word vectors from a file, and how many analogy questions they answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

import mconn
from mconn.checks import check_choice
from mconn.cli.options import Call, Command, Flag, say, writing
from mconn.errors import ConfigError

if TYPE_CHECKING:
    from mconn.words import Score


@dataclass(frozen=True, kw_only=True)
class Analogy(Command):
    """What word vectors know: a is to b as c is to ?

    Answers analogy questions, and prints accuracy with its interval and coverage for every section
    of the questions. Try

      mconn analogy vectors.bin --questions questions-words.txt --method add multiply
    """

    vectors: Positional[Path]
    """A file of word2vec (text or binary) or GloVe."""

    questions: Path
    """Sections ": name" of lines of four words, as Google's questions-words.txt."""

    method: tuple[str, ...] = ("add",)
    """add (3CosAdd), multiply (3CosMul) or direction (PairDirection); one or more."""

    keep_words: Flag = False
    """Do not leave out the three words of a question; that lowers the accuracy."""

    epsilon: float = 1e-3
    """Of multiply; gensim has 1e-6."""

    restrict: int = 300_000
    """Use that many words from the start of the file."""

    case_sensitive: Flag = False
    """Tell upper from lower case."""

    format: str = "auto"
    """Of the vectors: auto, word2vec, binary or glove."""

    level: float = 0.95
    """Confidence level of the intervals (Wilson's)."""

    json: Path | None = None
    """File to write the numbers to, and the answer to every question."""

    def run(self, call: Call) -> None:
        """Read, answer, print."""
        self._check()

        from mconn.experiment import write_json
        from mconn.words import Rule, evaluate_analogies, read_questions, read_vectors

        rules = {name: Rule(name, not self.keep_words, self.epsilon) for name in self.method}
        sections = read_questions(self.questions)
        vectors = read_vectors(self.vectors, self.format, self.restrict)
        found = {
            method: evaluate_analogies(
                vectors,
                sections,
                rule,
                folds=not self.case_sensitive,
                restrict=self.restrict,
                level=self.level,
            )
            for method, rule in rules.items()
        }
        _show(found, self)
        if self.json is not None:
            with writing(self.json):
                write_json(self.json, _told(self, vectors.words, sections, found))
            say(f"written: {self.json}")

    def _check(self) -> None:
        from mconn.words import FORMATS, METHODS

        if not self.method:
            raise ConfigError(f"there is no method: choose among {', '.join(METHODS)}")
        check_choice("format", self.format, FORMATS)
        if self.restrict < 4:
            raise ConfigError(f"restrict is {self.restrict}: an analogy needs four words")
        if not 0 < self.level < 1:
            raise ConfigError(f"level is {self.level}: choose a number between 0 and 1")
        if self.json is not None and not self.json.parent.is_dir():
            raise ConfigError(
                f"'{self.json}' cannot be written: name a file in a folder that exists"
            )


def _show(found: dict[str, list["Score"]], options: Analogy) -> None:
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
        say("")
    total = next(iter(found.values()))[-1]
    kept = "may be answers" if options.keep_words else "are left out as answers"
    say(f"the words of a question {kept}")
    say("intervals are Wilson's, over questions")
    if total.malformed:
        say(f"{total.malformed} lines without four words were left out")


def _told(
    options: Analogy,
    words: tuple[str, ...],
    sections: list[Any],
    found: dict[str, list["Score"]],
) -> dict[str, Any]:
    return {
        "vectors": str(options.vectors),
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
                "total": _summary(scores[-1]),
                "sections": [
                    _summary(score) | {"answers": _answered(section.questions, score, words)}
                    for section, score in zip(sections, scores, strict=False)
                ],
            }
            for method, scores in found.items()
        },
    }


def _summary(score: "Score") -> dict[str, Any]:
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


def _answered(
    questions: tuple[tuple[str, ...], ...], score: "Score", words: tuple[str, ...]
) -> list[dict[str, Any]]:
    return [
        {"question": list(questions[place]), "answer": words[answer], "right": bool(right)}
        for place, answer, right in zip(score.covered, score.answers, score.right, strict=True)
    ]

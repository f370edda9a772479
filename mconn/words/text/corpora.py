"""The texts and the question file of the data folder.

Tiny Shakespeare is A. Karpathy's excerpt (2015); WikiText-2 is S. Merity et al., *Pointer Sentinel
Mixture Models*, ICLR 2017; the questions are T. Mikolov et al., *Efficient Estimation of Word
Representations in Vector Space*, ICLR workshop 2013.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from mconn.checks import check_choice
from mconn.data.folders import find_folder
from mconn.errors import DataError
from mconn.words.text.tokens import sentences

CORPORA = {
    "tinyshakespeare": "tinyshakespeare.txt",
    "wikitext2-valid": "wikitext2-valid.txt",
    "wikitext2-test": "wikitext2-test.txt",
}
QUESTIONS = "questions-words.txt"


def corpus(names: Sequence[str], data_dir: Path | None = None) -> Iterator[list[str]]:
    """The words of some corpora, one after the other.

    Args:
        names: among ``tinyshakespeare``, ``wikitext2-valid`` and ``wikitext2-test``.
        data_dir: the folder of the files, beside $MCONN_DATA.

    Raises:
        DataError: if a file is missing.
        ConfigError: if a name is unknown.
    """
    files = []
    for name in names:
        check_choice("corpus", name, CORPORA)
        files.append(data_file(CORPORA[name], data_dir))
    return itertools.chain.from_iterable(sentences(file) for file in files)


def question_file(data_dir: Path | None = None) -> Path:
    """The file of Google's analogy questions.

    Raises:
        DataError: if it is missing.
    """
    return data_file(QUESTIONS, data_dir)


def data_file(name: str, data_dir: Path | None) -> Path:
    """A file of the data folder.

    Raises:
        DataError: if it is missing.
    """
    folder = find_folder("words", [name], data_dir)
    if folder is None:
        raise DataError(
            f"{name} is in no data folder: put it into one, and name that with --data-dir or "
            "$MCONN_DATA"
        )
    return folder / name

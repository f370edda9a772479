"""A text of any length as short lists of words, read piece by piece."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from mconn.checks import check_choice
from mconn.errors import DataError

Sentences: TypeAlias = Iterable[list[str]]
"""Lists of words; no window reaches from one into the next."""

CHARACTERS = 1 << 16
"""The longest piece of a line that is held at once."""

# Letters with inner apostrophes, or digits; marks such as <unk> are found to be left out.
WORD = re.compile(r"<\w+>|[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+")
SPLITS = ("words", "spaces")


def sentences(
    source: Path | Iterable[str], *, lower: bool = True, split: str = "words"
) -> Iterator[list[str]]:
    """The lines of a text as lists of words.

    A line that is longer than 65536 characters, as in a file that is one single line, comes in
    pieces, cut at a space; memory holds one piece at a time.

    Args:
        source: a file of UTF-8, or lines of text from anywhere.
        lower: whether to fold upper case.
        split: ``words`` takes runs of letters (with apostrophes inside) and of digits, without
            punctuation and without marks such as ``<unk>``; ``spaces`` takes what stands between
            spaces, for a text whose tokens are told apart already.

    Yields:
        Non-empty lists of words.

    Raises:
        DataError: if the file is missing or not UTF-8, naming it.
        ConfigError: if ``split`` is unknown.
    """
    check_choice("split", split, SPLITS)
    for line in pieces_of(source) if isinstance(source, Path) else source:
        text = line.lower() if lower else line
        if split == "spaces":
            words = text.split()
        else:
            words = [word for word in WORD.findall(text) if word[0] != "<"]
        if words:
            yield words


def pieces_of(file: Path) -> Iterator[str]:
    """The lines of a file, long ones in pieces."""
    try:
        with file.open(encoding="utf-8") as stream:
            rest = ""
            while piece := stream.readline(CHARACTERS):
                line, rest = rest + piece, ""
                if not line.endswith("\n") and len(piece) == CHARACTERS:
                    place = line.rfind(" ")
                    if place > 0:
                        line, rest = line[:place], line[place:]
                yield line
            if rest:
                yield rest
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8 (byte {error.start} of a block cannot be read): convert it, "
            "with iconv for example"
        ) from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): name a text file") from error

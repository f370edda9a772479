"""Words with their vectors, and files of them: word2vec's text and binary formats, GloVe's text.

Both texts are lines of a word and its numbers, and differ in word2vec's first line, which holds the
number of words and the dimension. In word2vec's binary format, after that line each word is
followed by a space, its numbers as little-endian float32, and in most files a line break.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from mconn.checks import check_choice
from mconn.errors import DataError


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and a vector for each, in the order of the file or the vocabulary.

    Attributes:
        words: no two of them are the same.
        matrix: a row per word.
    """

    words: tuple[str, ...]
    matrix: Float[np.ndarray, "words dimension"]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.matrix):
            raise DataError(
                f"there are {len(self.words)} words and {len(self.matrix)} vectors: give one each"
            )
        if len(self.words) < 2:
            raise DataError(f"there are {len(self.words)} words: vectors of two are the least")
        if len(self.index) != len(self.words):
            twice = next(w for i, w in enumerate(self.words) if self.index[w] != i)
            raise DataError(f"the word '{twice}' has two vectors: leave one of them out")
        if not np.isfinite(self.matrix).all():
            row = int(np.argmin(np.isfinite(self.matrix).all(axis=1)))
            raise DataError(f"the vector of '{self.words[row]}' is not finite: leave the word out")

    def __len__(self) -> int:
        return len(self.words)

    @functools.cached_property
    def index(self) -> Mapping[str, int]:
        """The place of every word."""
        return {word: place for place, word in enumerate(self.words)}

    def of(self, words: Sequence[str]) -> Float[np.ndarray, "some dimension"]:
        """The vectors of some words.

        Raises:
            DataError: naming a word that has none.
        """
        for word in words:
            if word not in self.index:
                raise DataError(f"'{word}' has no vector: it is not among the {len(self)} words")
        return self.matrix[[self.index[word] for word in words]]


FORMATS = ("auto", "word2vec", "binary", "glove")
_REMEDY = "download or write the file again, or name its format"
_HEAD = 1 << 12
"""Bytes within which the first line must end, and the first word of a binary file."""


def read_vectors(file: Path, form: str = "auto", most: int | None = None) -> Vectors:
    """Read a file of vectors, as float32.

    Args:
        file: its path.
        form: ``word2vec`` (text), ``binary`` or ``glove``; ``auto`` looks at the first bytes.
        most: words that are read at most, from the start; the whole file if None.

    Raises:
        DataError: if the file is missing, truncated, not UTF-8 or malformed, naming the line or
            the word at which that shows.
        ConfigError: if the format is unknown.
    """
    check_choice("format", form, FORMATS)
    try:
        with file.open("rb") as stream:
            if form == "auto":
                form = _guess(stream.read(_HEAD))
                stream.seek(0)
            if form == "binary":
                return _read_binary(stream, file, most)
            return _read_text(stream, file, has_header=form == "word2vec", most=most)
    except OSError as error:
        raise DataError(
            f"the vectors {file} cannot be read ({error.strerror}): name a file that exists"
        ) from error


def _guess(head: bytes) -> str:
    first, _, rest = head.partition(b"\n")
    if _sizes(first) is None:
        return "glove"
    # A line of text continues the word with digits; binary numbers are hardly ever all printable.
    numbers = rest.partition(b" ")[2][:64]
    return "word2vec" if all(byte in b"+-.eE0123456789 \t\r\n" for byte in numbers) else "binary"


def _sizes(line: bytes) -> tuple[int, int] | None:
    found = line.split()
    if len(found) == 2 and all(each.isdigit() for each in found):
        return int(found[0]), int(found[1])
    return None


def _read_header(stream: BinaryIO, file: Path) -> tuple[int, int]:
    found = _sizes(stream.readline(_HEAD))
    if found is None or min(found) < 1:
        raise DataError(
            f"{file} does not begin with its number of words and its dimension: {_REMEDY}"
        )
    return found


def _read_text(stream: BinaryIO, file: Path, *, has_header: bool, most: int | None) -> Vectors:
    count, dimension = _read_header(stream, file) if has_header else (None, None)
    words: list[str] = []
    rows: list[np.ndarray] = []
    for number, line in enumerate(stream, start=2 if has_header else 1):
        if most is not None and len(words) == most:
            break
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{file}, line {number} is not UTF-8: {_REMEDY}") from error
        if not text.strip():
            continue
        if dimension is None:
            dimension = len(text.rstrip().split(" ")) - 1
        word, row = _split_line(text, dimension, f"{file}, line {number}")
        words.append(word)
        rows.append(row)
    if not rows:
        raise DataError(f"{file} holds no vectors: {_REMEDY}")
    if (
        count is not None
        and len(words) != count
        and (most is None or len(words) < min(count, most))
    ):
        short = "is truncated: it " if len(words) < count else ""
        raise DataError(f"{file} {short}promises {count} words and holds {len(words)}: {_REMEDY}")
    return Vectors(tuple(words), np.stack(rows))


def _split_line(text: str, dimension: int, place: str) -> tuple[str, np.ndarray]:
    parts = text.rstrip().rsplit(" ", dimension)
    try:
        row = np.array(parts[1:], np.float32)
    except ValueError as error:
        raise DataError(f"{place} has something else than numbers: {_REMEDY}") from error
    if len(row) != dimension or dimension < 1 or not parts[0]:
        raise DataError(
            f"{place} has {len(row)} numbers, the dimension is {max(dimension, 0)}: {_REMEDY}"
        )
    if " " in parts[0] and _is_number(parts[0].rpartition(" ")[2]):
        raise DataError(f"{place} has more than {dimension} numbers, the dimension: {_REMEDY}")
    return parts[0], row


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_binary(stream: BinaryIO, file: Path, most: int | None) -> Vectors:
    promised, dimension = _read_header(stream, file)
    count = min(promised, most or promised)
    if 4 * dimension * count > file.stat().st_size:
        raise DataError(
            f"{file} is truncated: {promised} words of dimension {dimension} do not fit into its "
            f"{file.stat().st_size} bytes: {_REMEDY}"
        )
    matrix = np.empty((count, dimension), np.float32)
    words = []
    for place in range(count):
        try:
            words.append(_read_word(stream).decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: word {place + 1} of {promised} is not UTF-8: {_REMEDY}"
            ) from error
        numbers = stream.read(4 * dimension)
        if len(numbers) < 4 * dimension or not words[-1]:
            raise DataError(
                f"{file} is truncated or malformed at word {place + 1} of {promised}: {_REMEDY}"
            )
        matrix[place] = np.frombuffer(numbers, "<f4")
    if most is None and stream.read(2).strip():
        raise DataError(f"{file} goes on after its {promised} words: {_REMEDY}")
    return Vectors(tuple(words), matrix)


def _read_word(stream: BinaryIO) -> bytes:
    found = bytearray()
    while len(found) < _HEAD:
        byte = stream.read(1)
        if byte == b" ":
            return bytes(found).lstrip(b"\r\n")
        if not byte:
            break
        found += byte
    return b""


def write_vectors(file: Path, vectors: Vectors, form: str = "word2vec") -> None:
    """Write a file that `read_vectors` and the programs of the formats read.

    Numbers in text have nine digits, which give the same float32 back.

    Args:
        file: its path.
        vectors: the words and their vectors.
        form: ``word2vec`` (text), ``binary`` or ``glove``.

    Raises:
        DataError: if a word cannot be written in the format, or the file cannot be written.
    """
    check_choice("format", form, FORMATS[1:])
    for word in vectors.words:
        if not word or any(space in word for space in " \n\r\t"):
            raise DataError(f"the word '{word}' is empty or has a space: rename it")
    try:
        with file.open("wb") as stream:
            if form != "glove":
                stream.write(f"{len(vectors)} {vectors.matrix.shape[1]}\n".encode())
            stream.writelines(_lines(vectors, is_binary=form == "binary"))
    except OSError as error:
        raise DataError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error


def _lines(vectors: Vectors, *, is_binary: bool) -> Iterator[bytes]:
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        if is_binary:
            yield word.encode() + b" " + row.astype("<f4").tobytes() + b"\n"
        else:
            numbers = " ".join(f"{value:.9g}" for value in row.astype(np.float32))
            yield f"{word} {numbers}\n".encode()

"""Vectors in files: word2vec's text and binary formats, and GloVe's text.

Both texts are lines of a word and its numbers, and differ in word2vec's first line, which holds the
number of words and the dimension. In word2vec's binary format, after that line each word is
followed by a space, its numbers as little-endian float32, and in most files a line break.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mconn.checks import check_choice
from mconn.errors import DataError
from mconn.words.vectors.vectors import Vectors

FORMATS = ("auto", "word2vec", "binary", "glove")
REMEDY = "download or write the file again, or name its format"
HEAD = 1 << 12
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
                form = guess(stream.read(HEAD))
                stream.seek(0)
            if form == "binary":
                return read_binary(stream, file, most)
            return read_text(stream, file, has_header=form == "word2vec", most=most)
    except OSError as error:
        raise DataError(
            f"the vectors {file} cannot be read ({error.strerror}): name a file that exists"
        ) from error


def guess(head: bytes) -> str:
    """The format of a file that begins like that."""
    first, _, rest = head.partition(b"\n")
    if sizes(first) is None:
        return "glove"
    # A line of text continues the word with digits; binary numbers are hardly ever all printable.
    numbers = rest.partition(b" ")[2][:64]
    return "word2vec" if all(byte in b"+-.eE0123456789 \t\r\n" for byte in numbers) else "binary"


def sizes(line: bytes) -> tuple[int, int] | None:
    """The number of words and the dimension that a line holds, or None if it holds other things."""
    found = line.split()
    if len(found) == 2 and all(each.isdigit() for each in found):
        return int(found[0]), int(found[1])
    return None


def read_header(stream: BinaryIO, file: Path) -> tuple[int, int]:
    """The first line of a word2vec file.

    Raises:
        DataError: if it is none.
    """
    found = sizes(stream.readline(HEAD))
    if found is None or min(found) < 1:
        raise DataError(
            f"{file} does not begin with its number of words and its dimension: {REMEDY}"
        )
    return found


def read_text(stream: BinaryIO, file: Path, *, has_header: bool, most: int | None) -> Vectors:
    """Read lines of a word and its numbers.

    Raises:
        DataError: naming the line at fault.
    """
    count, dimension = read_header(stream, file) if has_header else (None, None)
    words: list[str] = []
    rows: list[np.ndarray] = []
    for number, line in enumerate(stream, start=2 if has_header else 1):
        if most is not None and len(words) == most:
            break
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{file}, line {number} is not UTF-8: {REMEDY}") from error
        if not text.strip():
            continue
        if dimension is None:
            dimension = len(text.rstrip().split(" ")) - 1
        word, row = split_line(text, dimension, f"{file}, line {number}")
        words.append(word)
        rows.append(row)
    if not rows:
        raise DataError(f"{file} holds no vectors: {REMEDY}")
    if count is not None and len(words) < min(count, most or count):
        raise DataError(
            f"{file} is truncated: it promises {count} words and holds {len(words)}: {REMEDY}"
        )
    if count is not None and most is None and len(words) > count:
        raise DataError(f"{file} promises {count} words and holds {len(words)}: {REMEDY}")
    return Vectors(tuple(words), np.stack(rows))


def split_line(text: str, dimension: int, place: str) -> tuple[str, np.ndarray]:
    """The word and its vector; a word may have spaces inside, as some of GloVe's have.

    Raises:
        DataError: naming the line.
    """
    parts = text.rstrip().rsplit(" ", dimension)
    try:
        row = np.array(parts[1:], np.float32)
    except ValueError as error:
        raise DataError(f"{place} has something else than numbers: {REMEDY}") from error
    if len(row) != dimension or dimension < 1 or not parts[0]:
        raise DataError(
            f"{place} has {len(row)} numbers, the dimension is {max(dimension, 0)}: {REMEDY}"
        )
    if " " in parts[0] and is_number(parts[0].rpartition(" ")[2]):
        raise DataError(f"{place} has more than {dimension} numbers, the dimension: {REMEDY}")
    return parts[0], row


def is_number(text: str) -> bool:
    """Whether a text is written like a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_binary(stream: BinaryIO, file: Path, most: int | None) -> Vectors:
    """Read word2vec's binary format, one word after the other.

    Raises:
        DataError: naming the number of the word at fault.
    """
    promised, dimension = read_header(stream, file)
    count = min(promised, most or promised)
    if 4 * dimension * count > file.stat().st_size:
        raise DataError(
            f"{file} is truncated: {promised} words of dimension {dimension} do not fit into its "
            f"{file.stat().st_size} bytes: {REMEDY}"
        )
    matrix = np.empty((count, dimension), np.float32)
    words = []
    for place in range(count):
        try:
            words.append(read_word(stream).decode("utf-8"))
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: word {place + 1} of {promised} is not UTF-8: {REMEDY}"
            ) from error
        numbers = stream.read(4 * dimension)
        if len(numbers) < 4 * dimension or not words[-1]:
            raise DataError(
                f"{file} is truncated or malformed at word {place + 1} of {promised}: {REMEDY}"
            )
        matrix[place] = np.frombuffer(numbers, "<f4")
    if most is None and stream.read(2).strip():
        raise DataError(f"{file} goes on after its {promised} words: {REMEDY}")
    return Vectors(tuple(words), matrix)


def read_word(stream: BinaryIO) -> bytes:
    """The bytes up to the next space; empty if there is none within reach."""
    found = bytearray()
    while len(found) < HEAD:
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
            stream.writelines(lines(vectors, is_binary=form == "binary"))
    except OSError as error:
        raise DataError(
            f"'{file}' cannot be written ({error.strerror}): name a file in a folder that exists"
        ) from error


def lines(vectors: Vectors, *, is_binary: bool) -> Iterator[bytes]:
    """The lines of a file."""
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        if is_binary:
            yield word.encode() + b" " + row.astype("<f4").tobytes() + b"\n"
        else:
            numbers = " ".join(f"{value:.9g}" for value in row.astype(np.float32))
            yield f"{word} {numbers}\n".encode()

"""``mconn analogy``, from a file of vectors to the table and the file of numbers."""

import json

import numpy as np
import pytest

from mconn import cli
from mconn.words import AttributeModel, Vectors, factorise, pmi, write_vectors

MODEL = AttributeModel((0.4, 0.5, 0.6))
NAMES = ("cat", "cats", "dog", "dogs", "Ox", "oxen", "fox", "foxes")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matrix = factorise(pmi(MODEL.joint).matrix, 4)["words"]
    write_vectors(tmp_path / "vectors.bin", Vectors(NAMES, matrix.astype(np.float32)), "binary")
    lines = [
        ": plural",
        "cat cats dog dogs",
        "CAT CATS OX OXEN",
        "cat cats hen hens",
        "three words x",
    ]
    lines += [": nothing", "a b c d", ": other", "dog cat dogs cats"]
    (tmp_path / "questions.txt").write_text("\n".join(lines))
    return tmp_path


def call(*words):
    return cli.main(["analogy", "vectors.bin", "--questions", "questions.txt", *words])


def test_a_table_says_accuracy_interval_and_coverage(folder, capsys):
    assert call("--method", "add", "multiply") == 0
    told = capsys.readouterr().out
    assert "2 of 3" in told
    assert "0 of 1" in told
    assert told.count("covered") == 2, "a table per method"
    assert max(map(len, told.splitlines())) <= 80
    rows = {line.split()[0]: line for line in told.splitlines() if line}
    assert rows["plural"].count("100.0") == 2
    assert "-" in rows["nothing"]
    assert "3 of 5" in rows["total"]
    assert "are left out as answers\nintervals are Wilson's" in told
    assert "1 lines without four words were left out" in told


def test_the_numbers_and_every_answer_are_written(folder, capsys):
    assert call("--json", "numbers.json", "--keep-words", "--level", "0.9") == 0
    assert "may be answers" in capsys.readouterr().out
    told = json.loads((folder / "numbers.json").read_text())
    assert told["excludes question words"] is False
    assert told["level"] == 0.9
    assert told["words"] == 8
    method = told["methods"]["add"]
    plural, nothing, _ = method["sections"]
    assert (plural["questions"], plural["covered"], plural["malformed"]) == (3, 2, 1)
    assert plural["answers"][1]["question"] == ["CAT", "CATS", "OX", "OXEN"]
    assert {answer["answer"] for answer in plural["answers"]} <= set(NAMES)
    assert (nothing["accuracy"], nothing["interval"]) == (None, None)
    right = sum(answer["right"] for each in method["sections"] for answer in each["answers"])
    assert method["total"]["right"] == right


def test_it_is_a_command(folder, capsys):
    assert cli.main(["analogy", "vectors.bin", "--questions", "questions.txt"]) == 0
    assert "3 of 5" in capsys.readouterr().out
    assert cli.main(["analogy", "--help"]) == 0
    assert "--case-sensitive" in capsys.readouterr().out
    assert cli.main(["analogy"]) == 2
    capsys.readouterr()
    assert cli.main(["analogy", "none.bin", "--questions", "questions.txt"]) == 2
    assert capsys.readouterr().err.startswith("mconn: the vectors none.bin cannot be read")
    assert cli.main(["analogy", "vectors.bin", "--question", "questions.txt"]) == 2


def test_case_can_be_told_apart(folder):
    assert call("--case-sensitive", "--json", "numbers.json") == 0
    told = json.loads((folder / "numbers.json").read_text())
    assert told["methods"]["add"]["total"]["covered"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vectors.bin", "--questions", "questions.txt", "--method", "sum"], "method 'sum'"),
        (
            ["vectors.bin", "--questions", "questions.txt", "--epsilon", "0"],
            "epsilon is 0",
        ),
        (["vectors.bin", "--questions", "questions.txt", "--restrict", "3"], "restrict is 3"),
        (["vectors.bin", "--questions", "questions.txt", "--level", "1"], "level is 1"),
        (["vectors.bin", "--questions", "questions.txt", "--format", "npz"], "format 'npz'"),
        (["vectors.bin", "--questions", "questions.txt", "--json", "no/file"], "cannot be written"),
        (["vectors.bin", "--questions", "questions.txt", "--json", "."], "cannot be written"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(folder, capsys, words, said):
    assert cli.main(["analogy", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_files_that_cannot_be_used_are_refused(folder, capsys):
    (folder / "short.bin").write_bytes((folder / "vectors.bin").read_bytes()[:-9])
    (folder / "other.txt").write_text(": one\na b c d\n")
    for vectors, questions, said in (
        ("short.bin", "questions.txt", "short.bin is truncated"),
        ("vectors.bin", "other.txt", "none of the 1 questions has vectors"),
        ("vectors.bin", "none", "the questions none cannot be read"),
        ("none", "questions.txt", "the vectors none cannot be read"),
    ):
        assert cli.main(["analogy", vectors, "--questions", questions]) == 2
        assert said in capsys.readouterr().err

"""Stage results know the code that made them."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mconn.experiment import RunFolder, code, run
from mconn.experiment.code import code_digest, code_of, forget_code
from mconn.experiment.config import load
from mconn.experiment.stages import Sweep, Train

FILES = {
    "maths/__init__.py": "from maths.sums import add as add\nfrom maths.products import multiply",
    "maths/sums.py": '"""Sums."""\nfrom maths import table\n\n\ndef add(a, b):\n    return a + b\n',
    "maths/products.py": "FACTOR = 2\n\n\ndef multiply(a, b, add=0):\n    return a * b * FACTOR\n",
    "maths/table.py": "RULES = {}\n\n\ndef rule(f):\n    RULES[f.__name__] = f\n    return f\n",
    "maths/rules/__init__.py": "from maths.rules import own as own\n",
    "maths/rules/own.py": "from maths.table import rule\n\n\n@rule\ndef zero():\n    return 0\n",
    "maths/lazy.py": "COUNT = 1\n\n\ndef late():\n    from maths import rules, table\n\n"
    "    global COUNT\n    COUNT = COUNT + 1\n    return table.RULES\n",
    "studies/study.py": """
from dataclasses import dataclass

import maths
from maths import multiply
from mconn.experiment import Experiment, Report, Result, Stage

@dataclass(frozen=True)
class Unit:
    size: int = 1

    def double(self):
        return maths.add(self.size, self.size)

@dataclass(frozen=True)
class Early(Stage):
    unit: Unit = Unit()

    def run(self, inputs, context):
        return Result(facts={"n": self.unit.double(), "by": "first"})

@dataclass(frozen=True)
class Late(Stage):
    early: Early = Early()

    def run(self, inputs, context):
        from maths.lazy import late

        late()
        return Result(facts={"n": multiply(inputs["early"].facts["n"], 3)})

@dataclass(frozen=True)
class Study(Experiment):
    late: Late = Late()

    def stages(self):
        return {"early": self.late.early, "late": self.late}

    def report(self, results):
        return Report("A study", "How many?", f"{results['late'].facts['n']} it is")

def study() -> Study:
    return Study()
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A throw-away package of stages, importable until the test ends."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    forget(*FILES)


def forget(*files: str) -> None:
    for name in files:
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for each in [each for each in sys.modules if each.startswith(module)]:
            del sys.modules[each]
    forget_code()


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    forget(*FILES)


def again(folder: Path, accept: bool = False) -> tuple[RunFolder, list[str]]:
    """The run, and the stages that were really run."""
    experiment = load(str(folder / "studies" / "study.py")).build()
    done = run(experiment, folder / "results", accept_older=accept)
    stages = json.loads((done.path / "stages.json").read_text())
    return done, [each["name"] for each in stages if not each["from_store"]]


@pytest.mark.parametrize(
    ("file", "old", "new", "reruns"),
    [
        ("maths/products.py", "FACTOR = 2", "FACTOR = 3", ["late"]),
        ("maths/sums.py", "a + b", "b + a", ["early", "late"]),
        ("maths/rules/own.py", "return 0", "return 1", ["late"]),  # registered, imported lazily
        ("maths/lazy.py", "table.RULES", "dict(table.RULES)", ["late"]),
        ("maths/lazy.py", "COUNT = 1", "COUNT = 2", ["late"]),  # used as a global that is changed
        ("studies/study.py", "self.size, self.size", "self.size, 1 * self.size", ["early", "late"]),
        ("studies/study.py", "facts['n']}", "facts['n']:d}", []),  # the report alone
        ("maths/sums.py", "Sums.", "Sums, in words.", None),
        ("maths/sums.py", "    return a", "    # a comment\n    return a", None),
        ("maths/products.py", "FACTOR = 2", "OTHER = 1\nFACTOR = 2", None),
    ],
)
def test_a_stage_runs_again_if_its_code_has_changed_and_only_then(
    folder: Path, file: str, old: str, new: str, reruns: list[str] | None
) -> None:
    first, made = again(folder)
    assert made == ["early", "late"]
    drawn = first.report.stat().st_mtime_ns
    change(folder, file, old, new)
    second, made = again(folder)
    assert second == first
    assert (second.report.stat().st_mtime_ns == drawn) == (reruns is None)
    assert made == (["early", "late"] if reruns is None else reruns)  # of the run that reported


def test_results_of_other_code_are_used_on_request_and_marked(folder: Path) -> None:
    again(folder)
    change(folder, "maths/sums.py", "a + b", "a + b + 1")
    change(folder, "studies/study.py", "'n']} it", "'n']}, it")
    done, made = again(folder, accept=True)
    assert made == []
    assert done.record["summary"] == "12, it is"
    assert set(done.record["older"]) == {"early", "late"}
    assert "Results of other code were accepted: early by " in done.report.read_text()
    # What is made from them is no result of the code as it is.
    change(folder, "studies/study.py", "maths.lazy import late", "maths.lazy import late as late")
    for entry in (folder / "results" / "store").glob("Late-*"):
        entry.rename(entry.with_name(f"gone-{entry.name}"))
    done, made = again(folder, accept=True)
    assert made == ["late"]
    assert done.record["older"]["late"] == "from results of other code"
    done, made = again(folder)
    assert (made, done.record["older"]) == (["early", "late"], {})
    assert done.record["summary"] == "18, it is"


def test_a_whole_module_that_is_passed_on_counts_as_a_whole(folder: Path) -> None:
    (folder / "maths" / "user.py").write_text(
        "import maths.products as p\n\n\ndef use(other):\n    return getattr(p, other)\n"
    )
    sys.path.insert(0, str(folder))
    import maths.user  # pyright: ignore[reportMissingImports]

    found = code_of(maths.user.use)
    assert {("maths.products", "FACTOR"), ("maths.products", "multiply")} <= found
    assert not any(module == "maths.sums" for module, _ in found)


def test_doubling_every_barrier_sweeps_again_and_trains_nothing_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = (Train, Sweep)
    before = [code_digest([kind]) for kind in kinds]
    (module,) = {module for module, name in code_of(Sweep) if name == "barriers"}
    file = Path(str(sys.modules[module].__file__))
    read: Callable[[Path], bytes] = code._read

    def doubled(path: Path) -> bytes:
        text = read(path)
        if path != file:
            return text
        head, _, rest = text.partition(b"def barriers(")
        return head + b"def barriers(" + rest.replace(b"return ", b"return 2 * ", 1)

    forget_code()
    with monkeypatch.context() as patch:
        patch.setattr(code, "_read", doubled)
        after = [code_digest([kind]) for kind in kinds]
    forget_code()
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False]
    assert before == [code_digest([kind]) for kind in kinds]


def test_training_knows_its_model_and_its_optimiser_but_no_measure() -> None:
    reached = {module for module, _ in code_of(Train)}
    assert any(module.startswith("mconn.training") for module in reached)
    above = ("mconn.landscape", "mconn.symmetry", "mconn.align", "mconn.paths", "mconn.features")
    assert not any(module.startswith(above) for module in reached)
    rules = {module for module, _ in code_of(Sweep) if module.startswith("mconn.symmetry.rules.")}
    assert len(rules) >= 4  # registered by decorators, used by no name

"""Imports go down: no module climbs, each stands on a floor, and areas meet at their doors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mconn

ROOT = Path(__file__).parents[1]
ABOVE = ("experiments", "benchmarks", "configs")
"""What stands on the whole of mconn."""

DOORS = {"mconn.experiment.stages"}
"""Packages inside an area that others may enter as well."""


def floors(text: str) -> list[list[str]]:
    """The areas of each floor, from the top to the ground."""
    names = [re.split(r"  +", line.strip())[0].split() for line in text.splitlines()]
    return [line for line in names if line]


def table() -> str:
    found = re.search(r"floors below its own:\n\n(.*?)\n\n", mconn.__doc__ or "", re.DOTALL)
    assert found is not None
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE)


LEVELS = {area: height for height, floor in enumerate(reversed(floors(table()))) for area in floor}


def area_of(module: str) -> str:
    """The area of a module of mconn, which is a file on the ground floors."""
    return [*module.split("."), ""][1]


def is_package(module: str) -> bool:
    return (ROOT / module.replace(".", "/") / "__init__.py").is_file()


def is_module(module: str) -> bool:
    return is_package(module) or (ROOT / f"{module.replace('.', '/')}.py").is_file()


def taken(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The modules of mconn that a file imports, with the name that it takes from each."""
    local = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    local |= {node.id for node in stored if not isinstance(node.ctx, ast.Load)}
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.startswith("mconn."):
                    yield each.name, ""
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mconn":
            for each in node.names:
                whole = f"{node.module}.{each.name}"
                if node.module == "mconn" and is_module(whole):
                    modules[each.asname or each.name] = whole
                    yield whole, ""
                elif node.module != "mconn":
                    yield str(node.module), each.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(base := node.value, ast.Name):
            name = "" if base.id in local else modules.get(base.id, "")
            yield from [(name, node.attr)] if name else []


def offered(module: str) -> set[str] | None:
    """The names that an area's ``__init__`` offers; None for a file of the ground."""
    file = ROOT / module.replace(".", "/") / "__init__.py"
    if not file.is_file():
        return None
    tree = ast.parse(file.read_text())
    aliases = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import))
    names = {each.asname or each.name for node in aliases for each in node.names}
    names |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {name for name in names if not name.startswith("_")} | {"__version__", "__doc__"}


def faults(file: str, text: str) -> Iterator[str]:
    """What is wrong with a file's imports, in words."""
    own = area_of(file.removesuffix(".py").replace("/", ".")) if file.startswith("mconn/") else ""
    if own and own not in LEVELS and own != "__init__":
        yield f"{file} stands on no floor"
        return
    for module, name in dict.fromkeys(taken(ast.parse(text))):
        area = area_of(module)
        if area == own or own == "__init__" or area not in LEVELS:
            continue
        if own and LEVELS[area] >= LEVELS[own]:
            yield f"{file} climbs to {module}"
        if module.count(".") > 1 and module not in DOORS:
            yield f"{file} takes {name or 'a module'} from {module}, behind the door of {area}"
            continue
        names = offered(module)
        inner = f"{module}.{name}"
        missing = bool(name) and names is not None and name not in names and inner not in DOORS
        if missing and is_module(inner):
            yield f"{file} takes a module from {inner}, behind the door of {area}"
        elif name.startswith("_") and not name.startswith("__"):
            yield f"{file} takes {name} from {module}, which keeps it to itself"
        elif missing:
            yield f"{file} takes {name} from {module}, which does not offer it"


def test_every_import_goes_down_and_through_a_door() -> None:
    files = [each for name in ("mconn", *ABOVE) for each in sorted((ROOT / name).rglob("*.py"))]
    assert len(files) > 200
    named = [(each.relative_to(ROOT).as_posix(), each.read_text()) for each in files]
    found = [fault for name, text in named for fault in faults(name, text)]
    assert not found, "\n".join(found)


def test_every_area_of_the_list_is_there() -> None:
    missing = {area for area in LEVELS if not is_module(f"mconn.{area}")}
    assert not missing
    assert len(LEVELS) == sum(map(len, floors(table())))


def test_the_documents_list_the_same_floors() -> None:
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"floors below its own:\n\n```\n(.*?)\n```", readme, re.DOTALL)
    assert block is not None
    assert block[1] == table()
    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == floors(table())


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("mconn/paths/fit.py", "from mconn import landscape", "climbs to mconn.landscape"),
        ("mconn/paths/fit.py", "def f():\n    import mconn.align", "climbs to mconn.align"),
        ("mconn/features/cka.py", "from mconn.curvature import trace", "climbs to mconn.curvature"),
        ("mconn/trees.py", "from mconn.symmetry import Group", "climbs to mconn.symmetry"),
        ("mconn/new.py", "import jax", "stands on no floor"),
        ("mconn/new/part.py", "", "stands on no floor"),
        ("mconn/cli/run.py", "from mconn.paths.fit import fit", "behind the door of paths"),
        ("experiments/a.py", "import mconn.paths.fit", "behind the door of paths"),
        ("experiments/a.py", "from mconn.paths import _fit", "keeps it to itself"),
        ("experiments/a.py", "from mconn.paths import fti", "does not offer it"),
        ("benchmarks/a.py", "from mconn import paths\npaths.fti()", "does not offer it"),
        ("mconn/cli/run.py", "from mconn import paths as p\np.fit()", ""),
        ("mconn/paths/fit.py", "from mconn.paths.path import x\nfrom mconn import trees", ""),
        ("experiments/a.py", "from mconn.experiment.stages import Train", ""),
        ("experiments/a.py", "import mconn\nfrom mconn.errors import ConfigError", ""),
    ],
)
def test_a_planted_import_is_noticed(file: str, text: str, fault: str) -> None:
    found = list(faults(file, text))
    assert len(found) == bool(fault)
    assert all(fault in each for each in found)


def test_names_of_test_files_are_unique() -> None:
    # pytest imports them by their names alone, as the folders of tests are no packages.
    names = [each.name for each in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))

"""The code that makes a result: what a class reaches by its imports, and the commit it stands in.

`code_digest` follows the names that a class uses, from definition to definition, through imports at
the top of a file and inside functions, as far as they lie in the user's own files: mconn, and all
that is not installed. A package's ``__init__`` counts for the names that are taken from it, not for
all that it imports. Of a module that is reached count as well its statements with side effects,
such as the registration of a rule. Comments, docstrings and types that are only annotated do not
change the digest. Nothing is imported or run for it.
"""

import ast
import functools
import hashlib
import importlib.machinery
import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = ("mconn", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "ott-jax", "numpy")

_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_FRAME = ("mconn.experiment.stage", "mconn.progress", "mconn.errors")
"""They carry the work, and show it, but do none of it."""

Node = tuple[str, str]
"""A module and a top-level name of it; ``*`` for all of it, and nothing for its side effects."""

Place = tuple[str, tuple[str, ...]]
"""A module, and the attributes that are taken from it one after the other."""


def code_digest(values: Iterable[Any]) -> str:
    """The sha256 of all code of the user's own that classes or functions use.

    Args:
        values: classes or functions, of the top level of a module or defined inside of one.
    """
    found = sorted(code_of(*values))
    texts = (f"{module}:{name}\n{_text(module, name)}" for module, name in found)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def code_of(*values: Any) -> frozenset[Node]:
    """The definitions that `code_digest` reads."""
    names = {(each.__module__, (each.__qualname__.partition(".")[0],)) for each in values}
    return _closure(tuple(sorted(names)))


def forget_code() -> None:
    """Read files anew, which are otherwise read once per process."""
    for cached in (_closure, _uses, _text, _source, _locate):
        cached.cache_clear()


def versions(folder: Path) -> dict[str, Any]:
    """Versions, device and commit, as JSON values.

    Args:
        folder: a folder of the repository that holds the experiment's code.
    """
    import jax

    device = jax.devices()[0]
    return {
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{len(jax.devices())} x {device.device_kind}",
        "matmul_precision": jax.config.values["jax_default_matmul_precision"] or "default",
        "code": _commit(folder),
    }


def _commit(folder: Path) -> dict[str, Any] | None:
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    return {"commit": head, "changed": bool(_git(folder, "status", "--porcelain"))}


def source_folder(value: object) -> Path:
    """The folder of the module that defines an object's class; the current one in a notebook."""
    file = getattr(sys.modules.get(type(value).__module__), "__file__", None)
    return Path(file).absolute().parent if file else Path.cwd()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


@dataclass
class _Source:
    """What one file, or the folder of a package without ``__init__``, has at its top level.

    Attributes:
        module: its name.
        package: the name that relative imports begin with.
        definitions: statements that bind a name.
        imports: where an imported name is from, also under ``if TYPE_CHECKING``.
        effects: statements that do more than bind names.
        stars: modules whose names are all imported.
    """

    module: str
    package: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Place] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)

    def read(self, statement: ast.stmt) -> None:
        """Sort a statement of the top level."""
        test = ast.unparse(statement.test) if isinstance(statement, ast.If) else ""
        if "__name__" in test:  # what a file does as a script
            return
        for inner in [statement] if _is_definition(statement) else ast.walk(statement):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                bound = _bindings(inner, self.package)
                self.stars += [bound.pop("*")[0]] if "*" in bound else []
                self.imports |= bound
        if "TYPE_CHECKING" in test:
            return
        bound = {} if isinstance(statement, ast.Import | ast.ImportFrom) else _bound(statement, "")
        for name in (name for name, place in bound.items() if place is None):
            self.definitions.setdefault(name, []).append(statement)
        if self._has_effect(statement):
            self.effects.append(statement)

    def _has_effect(self, statement: ast.AST) -> bool:
        if _is_definition(statement):  # a decorator of one's own may register what it decorates
            return any(self._is_own(each) for each in getattr(statement, "decorator_list", []))
        if isinstance(statement, ast.Expr):
            return not isinstance(statement.value, ast.Constant)
        if isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return any(map(_locate, _imported(statement, self)))
        return any(map(self._has_effect, ast.iter_child_nodes(statement)))

    def _is_own(self, decorator: ast.expr) -> bool:
        name = ast.unparse(decorator).partition("(")[0].partition(".")[0]
        at = self.imports.get(name, ("", ()))[0]
        return name in self.definitions or _locate(at) is not None


class _Uses(ast.NodeVisitor):
    """The places that a statement uses, by Python's rules of scopes."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.scopes: list[dict[str, Place | None]] = []
        self.places: set[Place] = set()
        self.modules: set[str] = set()

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.modules.update(_imported(node, self.source))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        names: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            self._use((inner.id, *names))
        else:
            self.visit(inner)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        given = node.args
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        for each in (*given.defaults, *given.kw_defaults, *getattr(node, "decorator_list", [])):
            if each is not None:
                self.visit(each)
        scope: dict[str, Place | None] = {
            each.arg: None for each in ast.walk(given) if isinstance(each, ast.arg)
        }
        for each in body:
            scope |= _bound(each, self.source.package)
        inside = (inner for each in body for inner in ast.walk(each))
        changed = {name for each in inside if isinstance(each, ast.Global) for name in each.names}
        scope = {name: place for name, place in scope.items() if name not in changed}
        self._inside(scope, body)

    def visit_ListComp(self, node: ast.AST) -> None:
        generators = (each for each in ast.iter_child_nodes(node))
        targets = (each.target for each in generators if isinstance(each, ast.comprehension))
        names = (name for target in targets for name in _stored(target))
        self._inside(dict.fromkeys(names), ast.iter_child_nodes(node))

    visit_ImportFrom = visit_Import
    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef
    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def _inside(self, scope: dict[str, Place | None], nodes: Iterable[ast.AST]) -> None:
        self.scopes.append(scope)
        for each in nodes:
            self.visit(each)
        self.scopes.pop()

    def _use(self, names: tuple[str, ...]) -> None:
        for scope in reversed(self.scopes):
            if names[0] in scope:
                place = scope[names[0]]
                if place is not None:
                    self.places.add((place[0], (*place[1], *names[1:])))
                return
        self.places.add((self.source.module, names))


@functools.cache
def _closure(starts: tuple[Place, ...]) -> frozenset[Node]:
    seen: set[Node] = set()
    left = [node for start in starts for node in _nodes(start)]
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left += _uses(*node)
    return frozenset(seen)


@functools.cache
def _uses(module: str, name: str) -> frozenset[Node]:
    source = _source(module)
    assert source is not None
    places: set[Place] = set()
    modules: set[str] = set()
    if name == "*":
        places = {(module, (each,)) for each in (*source.definitions, *source.imports)}
        places |= {(star, ()) for star in source.stars}
    else:
        visitor = _Uses(source)
        for statement in source.definitions[name] if name else source.effects:
            visitor.visit(statement)
        places, modules = visitor.places, visitor.modules
    # Python runs the module, and the packages that it lies in, for their side effects.
    modules.add(module if name else module.rpartition(".")[0])
    found = {node for place in places for node in _nodes(place)}
    return frozenset(found | {(each, "") for each in modules if _source(each) is not None})


def _nodes(place: Place) -> Iterator[Node]:
    (module, names), seen = place, set()
    while (module, names) not in seen:
        seen.add((module, names))
        source = _source(module)
        if source is None:
            return
        if not names:
            yield module, "*"
            return
        name, rest = names[0], names[1:]
        if name in source.definitions:
            yield module, name
        inner, imported = f"{module}.{name}", source.imports.get(name)
        if imported is not None and imported != (module, (name,)):
            module, names = imported[0], (*imported[1], *rest)
        elif name in source.definitions:
            return
        elif _source(inner) is not None:
            module, names = inner, rest
        else:
            for star in source.stars:
                yield from _nodes((star, names))
            if "__getattr__" in source.definitions and not name.startswith("__"):
                yield module, "*"
            return


@functools.cache
def _locate(module: str) -> tuple[Path | None, tuple[str, ...]] | None:
    top, _, below = module.partition(".")
    if not top or top in sys.stdlib_module_names or module in _FRAME:
        return None
    loaded = sys.modules.get(module)
    file, folders = getattr(loaded, "__file__", None), tuple(getattr(loaded, "__path__", ()))
    if not (file or folders):
        parent = _locate(module.rpartition(".")[0]) if below else (None, ())
        where = [*parent[1]] if parent and below else None
        spec = None if parent is None else importlib.machinery.PathFinder.find_spec(module, where)
        if spec is None:
            return None
        file, folders = spec.origin, tuple(spec.submodule_search_locations or ())
    place = Path(*([file] if file else folders[:1]))
    is_installed = {"site-packages", "dist-packages"} & set(place.parts)
    if (is_installed and top != "mconn") or (file and not file.endswith(".py")):
        return None
    return Path(file) if file else None, folders


@functools.cache
def _source(module: str) -> _Source | None:
    located = _locate(module)
    if located is None:
        return None
    file, folders = located
    source = _Source(module, module if folders else module.rpartition(".")[0])
    if file is not None:
        tree = ast.parse(_read(file))
        for node in ast.walk(tree):
            for block in ("body", "orelse", "finalbody"):
                statements = getattr(node, block, None)
                if isinstance(statements, list):
                    kept = [each for each in statements if not _is_docstring(each)]
                    setattr(node, block, kept or [ast.Pass()] if statements else [])
        for statement in tree.body:
            source.read(statement)
    return source


def _read(file: Path) -> bytes:
    return file.read_bytes()


@functools.cache
def _text(module: str, name: str) -> str:
    source = _source(module)
    if source is None or name == "*":
        return ""
    statements = source.definitions[name] if name else source.effects
    kept = [each for each in statements if not isinstance(each, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, kept))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _bindings(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, Place]:
    if isinstance(node, ast.Import):
        named = {each.asname: each.name for each in node.names if each.asname}
        tops = {each.name.partition(".")[0] for each in node.names if not each.asname}
        return {name: (module, ()) for name, module in (named | {top: top for top in tops}).items()}
    at = _base(node, package)
    return {each.asname or each.name: (at, (each.name,)) for each in node.names}


def _base(node: ast.ImportFrom, package: str) -> str:
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def _imported(node: ast.Import | ast.ImportFrom, source: _Source) -> list[str]:
    at = "" if isinstance(node, ast.Import) else f"{_base(node, source.package)}."
    return [f"{at}{each.name}" for each in node.names]


def _stored(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id


def _bound(node: ast.AST, package: str) -> dict[str, Place | None]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return dict(_bindings(node, package))
    name = getattr(node, "name", None)
    bound: dict[str, Place | None] = {name: None} if isinstance(name, str) else {}
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        bound[node.id] = None
    if not _is_definition(node) and not isinstance(node, _COMPREHENSIONS | ast.Lambda):
        for each in ast.iter_child_nodes(node):
            bound |= _bound(each, package)
    return bound

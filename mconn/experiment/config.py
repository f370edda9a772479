"""Config files: plain typed Python functions that return an experiment."""

import difflib
import importlib.util
import inspect
import sys
import traceback
import typing
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mconn.errors import ConfigError, MconnError
from mconn.experiment.code import forget_code
from mconn.experiment.report import Experiment


@dataclass(frozen=True)
class Config:
    """A config function and where it comes from."""

    file: Path
    name: str
    function: Callable[..., Experiment]

    @property
    def run_name(self) -> str:
        """What its runs are called: the file's name, and the function's where it differs."""
        return self.name if self.name == self.file.stem else f"{self.file.stem}-{self.name}"

    def build(self, *arguments: Any, **options: Any) -> Experiment:
        """Call the function.

        Raises:
            ConfigError: naming file and line, if the function fails or returns something else.
        """
        with _blamed(self.file):
            experiment = self.function(*arguments, **options)
        if not isinstance(experiment, Experiment):
            raise ConfigError(
                f"{self.name} in {self.file} returned {type(experiment).__name__}: "
                "a config function returns an Experiment"
            )
        return experiment


def load(target: str) -> Config:
    """The config function that ``FILE`` or ``FILE:name`` names.

    Without a name it is the function called like the file, or else the only public function whose
    return type is an experiment. The config's folder and that folder's parent become importable, so
    that a config can use the modules beside it from any working directory.

    Raises:
        ConfigError: naming the file and, where there is one, the line at fault.
    """
    file, _, name = target.partition(":")
    path = Path(file).absolute()
    if not path.is_file():
        near = [str(each) for each in sorted(Path(file).parent.glob("*.py"))]
        nearest = difflib.get_close_matches(file, near, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigError(f"there is no config file '{file}'{hint}: name a Python file that exists")
    if path.suffix != ".py":
        raise ConfigError(f"config file '{file}' is not a Python file: its name must end in .py")
    module = _execute(path)
    if not name:
        return Config(path, *_choose(module, path))
    function = getattr(module, name, None)
    if not inspect.isfunction(function):
        known = functions(module)
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
        raise ConfigError(
            f"there is no function '{name}' in {file}{hint}: it has {', '.join(known) or 'none'}"
        )
    return Config(path, name, function)


def _execute(path: Path) -> ModuleType:
    for folder in (path.parent, path.parents[1]):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = f"{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"config file '{path}' is not a Python file: its name must end in .py")
    if name in sys.modules:
        forget_code()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _blamed(path):
        spec.loader.exec_module(module)
    return module


def _choose(module: ModuleType, path: Path) -> tuple[str, Callable[..., Experiment]]:
    known = functions(module)
    if path.stem in known:
        return path.stem, known[path.stem]
    if len(known) == 1:
        return next(iter(known.items()))
    if not known:
        raise ConfigError(
            f"{path} has no config function: write one that is annotated to return an Experiment"
        )
    raise ConfigError(
        f"{path} has several config functions: name one, as in `{path.name}:{next(iter(known))}`; "
        f"it has {', '.join(known)}"
    )


def functions(module: ModuleType) -> dict[str, Callable[..., Experiment]]:
    """The public functions of a module's own that are annotated to return an experiment."""
    found = {}
    for name, value in vars(module).items():
        own = inspect.isfunction(value) and value.__module__ == module.__name__
        if own and not name.startswith("_"):
            with _blamed(Path(str(module.__file__))):
                returned = typing.get_type_hints(value).get("return")
            if inspect.isclass(returned) and issubclass(returned, Experiment):
                found[name] = value
    return found


@contextmanager
def _blamed(path: Path) -> Any:
    try:
        yield
    except MconnError:
        raise
    except SyntaxError as error:
        place = f"{error.filename or path}, line {error.lineno}"
        raise ConfigError(f"config file {place}: {error.msg}: mend the file") from error
    except Exception as error:
        # The innermost line of the user's own code, which may lie in a module beside the config.
        root = str(path.parents[1])
        own = [
            f"{frame.filename}, line {frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename.startswith(root) and "site-packages" not in frame.filename
        ]
        place = own[-1] if own else str(path)
        if not place.startswith(str(path)):
            place = f"{path} fails in {place}"
        text = " ".join(str(error).split())
        raise ConfigError(f"config file {place}: {type(error).__name__}: {text}") from error

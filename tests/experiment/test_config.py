import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toys import sums, write_config

from mconn.errors import ConfigError
from mconn.experiment.config import load

GOOD = """
from mconn.experiment import Experiment
from toys import Sums, sums

def adding(count: int = 3) -> Experiment:
    return sums(count)

def other() -> Sums:
    return sums(7)

def helper(n: int) -> int:
    return n
"""


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("configs.", "beside", "studies")):
            del sys.modules[name]


def test_the_function_called_like_the_file_is_the_default(tmp_path: Path) -> None:
    config = load(str(write_config(tmp_path, "adding", GOOD)))
    assert config.name == "adding"
    assert config.build(count=4) == sums(4)


def test_another_function_is_chosen_by_name(tmp_path: Path) -> None:
    path = write_config(tmp_path, "adding", GOOD)
    assert load(f"{path}:other").build() == sums(7)


def test_the_only_function_is_the_default(tmp_path: Path) -> None:
    text = "from toys import Sums, sums\ndef anything() -> Sums:\n    return sums(5)\n"
    assert load(str(write_config(tmp_path, "file", text))).name == "anything"


def test_configs_use_the_modules_beside_them_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "study.py").write_text("COUNT = 6\n")
    write_config(tmp_path, "beside", "from studies.study import COUNT\n")
    text = (
        "from beside import COUNT\nfrom toys import Sums, sums\n"
        "def main() -> Sums:\n    return sums(COUNT)\n"
    )
    path = write_config(tmp_path, "main", text)
    monkeypatch.chdir(Path(path.anchor))
    assert load(str(path)).build() == sums(6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", r"broken\.py, line 1: .*: mend the file"),
        (
            "x = 1\nraise RuntimeError('no\\n luck')\n",
            r"broken\.py, line 2: RuntimeError: no luck$",
        ),
        ("import nothing_like_it\n", r"line 1: ModuleNotFoundError: No module named"),
        ("def f() -> int:\n    return 1\n", "has no config function"),
        ("def f() -> Nothing:\n    return 1\n", "NameError: name 'Nothing' is not defined"),
        (
            GOOD,
            r"several config functions: name one, as in `broken\.py:adding`; it has adding, oth",
        ),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(str(write_config(tmp_path, "broken", text)))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    path = write_config(tmp_path, "adding", GOOD)
    wrong = str(path.with_name("addign.py"))
    with pytest.raises(ConfigError, match=r"did you mean '.*adding\.py'\?"):
        load(wrong)


def test_a_file_that_is_not_python_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("width: 3")
    with pytest.raises(ConfigError, match=r"its name must end in \.py"):
        load(str(path))


def test_a_missing_function_names_the_nearest(tmp_path: Path) -> None:
    path = write_config(tmp_path, "adding", GOOD)
    with pytest.raises(ConfigError, match=r"did you mean 'other'\?\): it has adding, other$"):
        load(f"{path}:othre")


def test_a_function_that_fails_is_named_with_its_line(tmp_path: Path) -> None:
    text = "from toys import Sums\ndef f(n: int = 0) -> Sums:\n    return 1 / n\n"
    config = load(str(write_config(tmp_path, "f", text)))
    with pytest.raises(ConfigError, match=r"f\.py, line 3: ZeroDivisionError: division by zero$"):
        config.build()


def test_a_function_that_returns_something_else_is_refused(tmp_path: Path) -> None:
    text = "from toys import Sums\ndef f() -> Sums:\n    return 3\n"
    config = load(str(write_config(tmp_path, "f", text)))
    with pytest.raises(ConfigError, match=r"f in .* returned int: a config function"):
        config.build()


def test_mconn_s_own_errors_pass_unchanged(tmp_path: Path) -> None:
    text = (
        "from mconn.errors import ConfigError\nfrom toys import Sums\n"
        "def f() -> Sums:\n    raise ConfigError('width is negative: use a positive one')\n"
    )
    config = load(str(write_config(tmp_path, "f", text)))
    with pytest.raises(ConfigError, match=r"^width is negative"):
        config.build()


def test_a_module_beside_the_config_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "wrong.py").write_text("x = 1\n\n1 / 0\n")
    path = write_config(tmp_path, "f", "import studies.wrong\n")
    with pytest.raises(ConfigError, match=r"f\.py fails in .*wrong\.py, line 3: ZeroDivisionErr"):
        load(str(path))

"""The checkout of the repository, which holds the studies and the rows of its ledger."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from mconn.errors import ConfigError
from mconn.ledger.statements import Statement, check_numbers

ROWS = "experiments.ledger"
"""The module with the rows."""


@dataclass(frozen=True)
class Checkout:
    """A folder with the studies.

    Attributes:
        folder: the repository's own.
    """

    folder: Path

    @property
    def configs(self) -> Path:
        """The folder of the config files."""
        return self.folder / "configs"

    @property
    def records(self) -> Path:
        """The file of recorded runs."""
        return self.folder / "docs" / "claims.json"

    @property
    def page(self) -> Path:
        """The page of the documentation that is made from the records."""
        return self.folder / "docs" / "claims.md"

    def statements(self) -> tuple[Statement, ...]:
        """The rows.

        Raises:
            ConfigError: if the rows are not numbered in order, or name a config that does not
                exist.
        """
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        statements = importlib.import_module(ROWS).STATEMENTS
        check_numbers(statements)
        for statement in statements:
            for evidence in statement.evidence:
                file = self.configs / f"{evidence.study.partition(':')[0]}.py"
                if not file.is_file():
                    raise ConfigError(
                        f"row {statement.number} of the ledger names the study '{evidence.study}', "
                        f"but there is no {file}: name a config that exists"
                    )
        return statements


def find_checkout(folder: Path) -> Checkout:
    """The checkout that a folder lies in.

    Raises:
        ConfigError: if it lies in none.
    """
    rows = Path(*ROWS.split("."), "__init__.py")
    for each in (folder, *folder.parents):
        if (each / rows).is_file():
            return Checkout(each)
    raise ConfigError(
        f"{folder} lies in no checkout of mconn, which holds the studies and their recorded "
        "numbers: change into one, and try again"
    )

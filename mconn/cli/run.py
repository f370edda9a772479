"""``mconn run``."""

from collections.abc import Sequence
from dataclasses import dataclass

from tyro.conf import Positional

from mconn.cli.options import Call, ConfigFile, DataCommand, Flag, first_word, terminal


@dataclass(frozen=True, kw_only=True)
class Run(DataCommand):
    """Run an experiment, or go on where it was stopped."""

    config: Positional[ConfigFile]
    """A Python file with typed functions that return an experiment; its arguments are options."""

    accept_older: Flag = False
    """Use stored results of the same stages that other code has made; the report says which."""

    @staticmethod
    def config_file(words: Sequence[str]) -> str | None:
        """The first word."""
        return first_word(words)

    def run(self, call: Call) -> None:
        """Run, and print the headline numbers."""
        from mconn import experiment
        from mconn.cli.show import print_run

        folder = experiment.run(
            call.build(),
            self.results,
            name=call.name,
            data_dir=self.data_dir,
            accept_older=self.accept_older,
            progress=terminal(),
        )
        print_run(folder)

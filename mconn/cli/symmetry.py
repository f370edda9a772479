"""``mconn symmetry``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from mconn.cli.options import Call, Command, ConfigFile, Flag, first_word, say, writing


@dataclass(frozen=True, kw_only=True)
class Symmetry(Command):
    """The symmetry group of the network that an experiment would train."""

    config: Positional[ConfigFile]
    """A Python file with typed functions that return an experiment; its arguments are options."""

    json: Path | None = None
    """File to write the group to."""

    ignore_epsilon: Flag = False
    """Find as well what is a symmetry but for the epsilon of a normaliser."""

    @staticmethod
    def config_file(words: Sequence[str]) -> str | None:
        """The first word."""
        return first_word(words)

    def run(self, call: Call) -> None:
        """Discover, certify, print."""
        import jax

        from mconn import symmetry
        from mconn.experiment import write_json
        from mconn.saved import network_of

        network = network_of(call.build())
        group = symmetry.discover(
            network.apply, network.params, network.inputs, ignore_epsilon=self.ignore_epsilon
        )
        say(group.describe())
        params, inputs = network.draw(jax.random.key(0))
        certificate = symmetry.certify(group, network.apply, params, inputs, key=jax.random.key(1))
        say("certificate: largest relative change of the outputs, in float64")
        for name, change in certificate.changes.items():
            approximate = certificate.approximate.get(name)
            note = (
                "" if approximate is None else f" with epsilon at zero, {approximate:.1e} as it is"
            )
            say(f"  {name}: {change:.1e}{note}")
        certificate.check()
        if self.json is not None:
            with writing(self.json):
                write_json(self.json, symmetry.to_json(group))

"""How the units of one generator are matched, of networks of any widths."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mconn.align.solvers.assignment import assign
from mconn.align.solvers.semi_permutation import semi_permutation, shares
from mconn.align.solvers.transport import transport
from mconn.align.unequal.likeness import Likeness
from mconn.errors import ConfigError


@runtime_checkable
class Method(Protocol):
    """How the units of one generator are matched while the others are held."""

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """How much of every unit of a goes with every unit of b."""
        ...


@dataclass(frozen=True)
class SemiPermutation:
    """Each unit of the wider network is given to one of the narrower, each of which has some.

    Theus et al. 2025. Exact for one generator (`mconn.align.solvers.semi_permutation`).

    Attributes:
        evenly: give the units of the narrower network equally many, or one more, as LayerNorm
            needs. If not, a few units get many others, each with a small share of what they send
            out: merged digits networks 3 x 256 and 3 x 128 have a loss of .48 then, and of .31.
        fitted: copies share what a unit sends out so that the networks are closest; copies that
            get nothing stay alone. Otherwise all have equal shares.
        least: a unit of the wider network stays alone where to give it away would bring the
            networks closer by less than this, unless it is needed; minus infinity: none does.
    """

    evenly: bool = True
    fitted: bool = False
    least: float = -np.inf

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if n < m:
            return self.coupling(name, likeness.transposed).T
        given = semi_permutation(likeness.gain(m / n), evenly=self.evenly, least=self.least)
        norms = likeness.read_norms[1]
        if not self.fitted or not norms.all():
            return shares(given)
        return shares(given, likeness.read / norms)


@dataclass(frozen=True)
class Assignment:
    """Each unit of the narrower network is matched to one of the wider; the others stay alone.

    The linear assignment problem: exact for one generator.
    """

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if n > m:
            return self.coupling(name, likeness.transposed).T
        return np.eye(m)[assign(likeness.made + likeness.read)]


@dataclass(frozen=True)
class Transport:
    """Units are matched softly, as in OT fusion (Singh and Jaggi 2020); see `transport`.

    Attributes:
        epsilon: the temperature, in standard deviations of the similarities.
        tau: 1 is balanced; below, units that are like no other are matched less.
        rank: a bound on the coupling's rank, for wide layers.
    """

    epsilon: float = 0.05
    tau: float = 1.0
    rank: int | None = None

    def coupling(self, name: str, likeness: Likeness) -> Float[np.ndarray, "n m"]:
        """See :class:`Method`."""
        n, m = likeness.made.shape
        if self.rank is not None and self.rank > min(n, m):
            raise ConfigError(
                f"rank {self.rank} is more than the {min(n, m)} units of the generator '{name}': "
                "choose a smaller one"
            )
        norms = (likeness.made_norms[0] + likeness.read_norms[0]) / 2
        similarity = likeness.gain(m / n) - norms[:, None]
        return transport(similarity, epsilon=self.epsilon, tau=self.tau, rank=self.rank).matrix


METHODS: dict[str, type[SemiPermutation] | type[Assignment] | type[Transport]] = {
    "semi-permutation": SemiPermutation,
    "assignment": Assignment,
    "transport": Transport,
}

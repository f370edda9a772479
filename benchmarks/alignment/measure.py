"""What one process measures: systems that take turns on one case, or one first call."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.alignment.cases import Case, make, score
from benchmarks.alignment.systems import SYSTEMS

R = TypeVar("R")


@dataclass(frozen=True)
class Seconds:
    """Seconds of the process on its cores, and of the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Measured:
    """What a system found in its turns on one case, and how long each turn took.

    Attributes:
        case: the name of the case.
        family: ``random`` or ``planted``.
        system: the name of the system.
        permutations: how many permutations it knew of, and how many there are.
        objectives: the inner product with the moved network, in float64, of every turn.
        recovered: the fraction of units put back, of every turn; empty if none were moved.
        discovery: seconds of finding which axes are permuted together, of every turn.
        matching: seconds of finding the permutations, of every turn.
        first_discovery: seconds of the first discovery of a fresh process.
        first_matching: seconds of the first match of a fresh process, right after it.
    """

    case: str
    family: str
    system: str
    permutations: tuple[int, int]
    objectives: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    discovery: list[Seconds] = field(default_factory=list)
    matching: list[Seconds] = field(default_factory=list)
    first_discovery: Seconds | None = None
    first_matching: Seconds | None = None

    @property
    def objective(self) -> float:
        """The median over the turns."""
        return statistics.median(self.objectives)

    @property
    def cpu(self) -> float:
        """CPU seconds of a match, the median over the turns."""
        return statistics.median(seconds.cpu for seconds in self.matching)


def timed(function: Callable[[], R]) -> tuple[R, Seconds]:
    """The result of a call, and how long it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return result, Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def take_turns(name: str, family: str, systems: Sequence[str], repeats: int) -> list[Measured]:
    """Measure all systems on one case in one process, after a turn that is not counted."""
    case = make(name, family)
    measured = {key: first_turn(case, key) for key in systems}
    for turn in range(1, repeats + 1):
        for key in systems:
            take_turn(case, key, turn, measured[key])
    return list(measured.values())


def first_turn(case: Case, key: str) -> Measured:
    """What a system knows of; a turn is taken and not counted."""
    system = SYSTEMS[key]
    loaded = system.load(case)
    group = system.discover(case, loaded)
    found = system.read(case, loaded, group, system.match(case, group, 0))
    known = (system.count(case, group), len(found))
    return Measured(case.name, case.family, key, known)


def take_turn(case: Case, key: str, turn: int, measured: Measured) -> None:
    """Add a turn to what was measured."""
    system = SYSTEMS[key]
    loaded = system.load(case)
    group, discovery = timed(lambda: system.discover(case, loaded))
    found, matching = timed(lambda: system.match(case, group, turn))
    objective, recovered = score(case, system.read(case, loaded, group, found))
    measured.objectives.append(objective)
    measured.recovered.extend([] if recovered is None else [recovered])
    measured.discovery.append(discovery)
    measured.matching.append(matching)


def first_calls(name: str, family: str, key: str) -> tuple[Seconds, Seconds]:
    """How long discovery and match take as the first calls of the process."""
    case, system = make(name, family), SYSTEMS[key]
    loaded = system.load(case)
    group, discovery = timed(lambda: system.discover(case, loaded))
    return discovery, timed(lambda: system.match(case, group, 0))[1]

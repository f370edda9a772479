"""``python -m benchmarks.alignment``; see `main`."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from benchmarks.alignment.cases import reference
from benchmarks.alignment.machine import machine
from benchmarks.alignment.measure import Measured, first_calls, take_turns
from benchmarks.alignment.one_thread import alone
from benchmarks.alignment.residual import NOISES, VARIANTS, count_recoveries
from benchmarks.alignment.systems import SYSTEMS
from benchmarks.alignment.tables import comparison, recoveries
from mconn.checks import check_choice
from mconn.errors import ConfigError, MconnError

Family = Literal["random", "planted"]
Peer = Literal["plain", "rebasin"]

CASES = ("mlp128", "mlp512", "mlp1024", "vgg16_m16", "vgg16_m32", "resnet20_w4", "resnet20_w8")
SMALL = ("mlp128", "mlp512", "vgg16_m16", "resnet20_w4")


def main(
    cases: tuple[str, ...] = CASES,
    families: tuple[Family, ...] = ("random", "planted"),
    peers: tuple[Peer, ...] | None = None,
    repeats: int = 3,
    smoke: bool = False,
    residual: bool = False,
    runs: int = 20,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    markdown: Path | None = None,
) -> None:
    """Align the same weights with this library and with its peers.

    Args:
        cases: names of ../shared/bench/align_cases.py.
        families: independent networks, or a network and a noisy permuted copy of it.
        peers: the published algorithm in plain NumPy, and the package rebasin; by default the
            package on small cases only.
        repeats: turns that are counted.
        smoke: the smallest case only, in seconds.
        residual: count instead in how many runs a permuted residual network is recovered.
        runs: how many such runs.
        json_file: write all numbers there as well.
        markdown: write the table there as well.

    Raises:
        ConfigError: for a case that does not exist, or without a repeat or a run.
        DataError: where the cases are missing.
    """
    for case in cases:
        check_choice("case", case, reference().CASES)
    if min(repeats, runs) < 1:
        raise ConfigError(f"{repeats} repeats and {runs} runs are asked for: give at least 1")
    if smoke:
        cases, peers, repeats, runs = CASES[:1], ("plain",), 1, 2
    if residual:
        results = [
            alone(count_recoveries, variant, noise, runs)
            for variant in (VARIANTS[:1] if smoke else VARIANTS)
            for noise in NOISES
        ]
        table = recoveries(results)
    else:
        results = list(compared(cases, families, peers, repeats))
        table = comparison(results)
    table.show()
    if json_file:
        written = {"machine": alone(machine), "results": [asdict(result) for result in results]}
        json_file.write_text(json.dumps(written, indent=1) + "\n")
    if markdown:
        markdown.write_text(table.markdown())


def compared(
    cases: Sequence[str],
    families: Sequence[Family],
    peers: Sequence[Peer] | None,
    repeats: int,
) -> Iterator[Measured]:
    """Every system on every case; says which peer is missing."""
    wanted: Sequence[Peer] = ("plain", "rebasin") if peers is None else peers
    missing = {peer: why for peer in wanted if (why := SYSTEMS[peer].missing())}
    for why in missing.values():
        print(why)
    for case in cases:
        is_small = peers is not None or case in SMALL
        present = [peer for peer in wanted if peer not in missing]
        systems = ["mconn", *(peer for peer in present if is_small or peer == "plain")]
        for family in families:
            print(f"{case}, {family}", file=sys.stderr)
            for row in alone(take_turns, case, family, systems, repeats):
                discovery, matching = alone(first_calls, case, family, row.system)
                yield replace(row, first_discovery=discovery, first_matching=matching)


if __name__ == "__main__":
    try:
        tyro.cli(main, prog="python -m benchmarks.alignment")
    except MconnError as error:
        sys.exit(str(error))

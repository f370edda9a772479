"""Records and statements, shared by the tests of this folder."""

from typing import Any

from mconn.experiment import Claim
from mconn.ledger import Evidence, Record, Statement


def claim(statement: str, holds: bool = True, **rest: Any) -> Claim:
    return Claim(statement, "a paper", 1.0, 0.9, holds, id=statement, **rest)


def record(study: str, *claims: Claim, reported: str = "2026-01-02T00:00:00+00:00") -> Record:
    return Record(
        study=study,
        run=f"{study.replace(':', '-')}-0123456789",
        title=f"The study {study}",
        measured="2026-01-01T00:00:00+00:00",
        reported=reported,
        seconds=1.5,
        versions={"python": "3.11", "jax": "0.10"},
        device="2 x cpu",
        claims=claims,
    )


def statement(*evidence: Evidence, number: int = 1, **changes: Any) -> Statement:
    told: dict[str, Any] = {
        "number": number,
        "said": "all swans are white",
        "where": "part 1",
        "right": "Most are.",
        "source": "a bird watcher",
        "verdict": "refuted" if evidence else None,
        "evidence": evidence,
    }
    return Statement(**(told | changes))

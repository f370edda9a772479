"""The verdict on a statement, from what the studies found."""

from dataclasses import dataclass
from typing import Literal

from mconn.experiment import Claim
from mconn.ledger.records import Record, Records
from mconn.ledger.statements import Evidence, Statement, Verdict

Standing = Literal["supports", "contradicts", "missing"]
Kind = Verdict | Literal["open", "not measured", "not testable"]


@dataclass(frozen=True)
class Finding:
    """What the records say about one piece of evidence.

    Attributes:
        evidence: the claims that were asked for.
        record: where they were looked for; None if the study was not run.
        claims: those that were found.
    """

    evidence: Evidence
    record: Record | None
    claims: tuple[Claim, ...]

    @property
    def standing(self) -> Standing:
        """``supports`` if every claim came out as the verdict needs it."""
        if not self.claims:
            return "missing"
        as_needed = [claim.holds != self.evidence.fails for claim in self.claims]
        return "supports" if all(as_needed) else "contradicts"


@dataclass(frozen=True)
class Judged:
    """A statement with its findings."""

    statement: Statement
    findings: tuple[Finding, ...]

    @property
    def kind(self) -> Kind:
        """The verdict in a word or two.

        The statement's own stands only if all of its evidence was found and came out. One piece
        that contradicts it leaves the matter ``open``.
        """
        standings = {finding.standing for finding in self.findings}
        if self.statement.untestable:
            return "not testable"
        if "contradicts" in standings:
            return "open"
        if self.statement.verdict is None or "missing" in standings:
            return "not measured"
        return self.statement.verdict

    @property
    def small(self) -> bool:
        """Whether some of the evidence comes from sizes for tests only."""
        return any(each.record and each.record.size == "smoke" for each in self.findings)

    @property
    def verdict(self) -> str:
        """The verdict with its reason."""
        return f"{self.reasoned} (at a size for tests only)" if self.small else self.reasoned

    @property
    def reasoned(self) -> str:
        """The verdict with its reason, but without the size."""
        match self.kind:
            case "conditional":
                return f"conditional: {self.statement.condition}"
            case "not testable":
                return f"not testable here: {self.statement.untestable}"
            case "open":
                against = [each for each in self.findings if each.standing == "contradicts"]
                told = "; ".join(_contradiction(finding) for finding in against)
                return f"open: {told}"
            case "not measured" if self.statement.evidence:
                lacking = dict.fromkeys(
                    _lack(finding) for finding in self.findings if finding.standing == "missing"
                )
                return f"not measured: {'; '.join(lacking)}"
            case "not measured":
                return "not measured: there is no study yet"
            case settled:
                return settled


def judge(statement: Statement, records: Records) -> Judged:
    """Look up a statement's evidence.

    A study's own size counts; its size for tests only where nothing else was run.

    Args:
        statement: what is judged.
        records: by study.
    """
    return Judged(statement, tuple(find(each, records) for each in statement.evidence))


def find(evidence: Evidence, records: Records) -> Finding:
    """The claims that a piece of evidence names."""
    file = evidence.study.partition(":")[0]
    found = records.get(evidence.study) or records.get(f"{file}:smoke")
    claims = tuple(found.called(evidence.claim)) if found else ()
    return Finding(evidence, found, claims)


def _contradiction(finding: Finding) -> str:
    fails = finding.evidence.fails
    against = [claim for claim in finding.claims if claim.holds == fails]
    verb = "holds" if fails else "fails"
    return f"'{against[0].statement}' {verb} in {finding.evidence.study}"


def _lack(finding: Finding) -> str:
    study = finding.evidence.study
    if finding.record is None:
        return f"{study} was not run"
    return f"{finding.record.study} has no claim '{finding.evidence.claim}'"

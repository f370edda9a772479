"""`mconn claims` on the repository's own records, and on records of its own."""

import re
from pathlib import Path

import pytest

from mconn import cli
from mconn.ledger import find_checkout, read_records

ROOT = Path(__file__).parents[1]

CONFIG = """
from dataclasses import dataclass

from mconn.experiment import Claim, Experiment, Report


@dataclass(frozen=True)
class Claiming(Experiment):
    def stages(self):
        return {}

    def report(self, results):
        claims = (Claim("two is more than one", "arithmetic", "above 1", 2, True, id="more"),)
        return Report("Claiming", "What is more?", "two", claims=claims)


def claiming() -> Claiming:
    return Claiming()


def smoke() -> Claiming:
    return Claiming()
"""


@pytest.fixture
def claims(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        "mconn.cli.options.set_up_jax", lambda: None
    )  # its environment is for a fresh process
    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: str, folder: Path = ROOT) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        status = cli.main(["claims", *words, "--results", str(tmp_path / "results")])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_the_overview_has_every_statement_and_ends_with_the_counts(claims):
    status, out, _ = claims()
    assert status == 0
    statements = find_checkout(ROOT).statements()
    assert f"{len(statements)} statements of the notes: " in out
    numbers = re.findall(r"^ ?(\d+)  \S", out, flags=re.MULTILINE)
    assert numbers == [str(each.number) for each in statements]
    assert "mconn run configs/symmetry_orbits.py" in out
    assert "…" not in out


def test_a_row_is_shown_in_full(claims):
    status, out, _ = claims("9", "24")
    assert status == 0
    assert out.startswith("9. Minima in the same orbit")
    assert "Right: Only within one connected component" in out
    assert "24. Networks that are connected in pairs" in out
    assert "mconn run configs/many_models.py" in out


def test_the_claims_of_studies_are_shown_on_demand(claims):
    status, out, _ = claims("--study", "symmetry_orbits")
    assert status == 0
    assert "mconn run configs/symmetry_orbits.py: " in out
    assert "holds" in out
    assert "Between two networks of one orbit" in claims("--all")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("999",), "row '999' is unknown"),
        (("--study", "symmetry_orbit"), "did you mean 'symmetry_orbits'"),
        (("--record",), "no complete run of an unchanged config lies in"),
        (("--markdown", "nowhere/claims.md"), "cannot be written"),
    ],
)
def test_what_is_not_there_is_one_sentence(claims, words, message):
    status, _, err = claims(*words)
    assert status == 2
    assert err.startswith("mconn: ")
    assert message in err
    assert err.count("\n") == 1


def test_outside_a_checkout_is_one_sentence(claims, tmp_path):
    status, _, err = claims(folder=tmp_path)
    assert status == 2
    assert "lies in no checkout of mconn" in err


def test_runs_are_recorded_and_small_ones_only_where_there_is_no_other(claims, tmp_path):
    for folder in ("experiments/ledger", "claim_configs", "docs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "experiments" / "ledger" / "__init__.py").touch()
    (tmp_path / "configs").symlink_to(tmp_path / "claim_configs")
    config = tmp_path / "configs" / "claiming.py"
    config.write_text(CONFIG)

    def recorded(target: str) -> list[str]:
        words = ["run", target, "--results", str(tmp_path / "results")]
        assert cli.main(words) == 0
        status, out, _ = claims("--record", folder=tmp_path)
        assert status == 0
        assert "recorded: " in out
        return list(read_records(tmp_path / "docs" / "claims.json"))

    assert recorded(f"{config}:smoke") == ["claiming:smoke"]
    assert recorded(str(config)) == ["claiming"]
    assert recorded(f"{config}:smoke") == ["claiming"]

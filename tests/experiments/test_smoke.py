"""Every study at its size for tests: tables with rows, claims with ids, and nothing made twice.

CI runs these (`pytest -m smoke`); the suite leaves them out.
"""

import importlib
from pathlib import Path

import jax
import pytest
from notes import Notes

from experiments.words.texts_stages import CONTROL, SVD
from mconn import experiment

CONFIGS = sorted(p.stem for p in (Path(__file__).parents[2] / "configs").glob("[!_]*.py"))
DATA = {"cifar10_cnn": "cifar10", "word_text": "tinyshakespeare.txt"}
"""What the shared folder must have for a study."""

CONTROLS = ("certificate", "planted-copy")
HOLDS = {
    "barrier_kinds": (
        "never-negative",
        "half-the-difference",
        "chord-and-mean-end",
        "chord-above-higher-end",
        "different-numbers",
        "finer-grid",
    ),
    "bezier_surface": "all",
    "cnn_curves": ("plane", "statistics"),
    "connected_components": "all",
    "counterexample": "all",
    "coupling_counterexamples": "all",
    "digits_curves": ("no-barrier", "line-has-barrier", "plane", "decomposition"),
    "digits_methods": CONTROLS,
    "digits_mlp": CONTROLS,
    "elastic_band": ("tree-bounds",),
    "feature_drift": "all",
    "many_models": ("cycles", "closed-form"),
    "mechanisms": (
        "cue-is-followed",
        "same-mechanism-barrier",
        "mechanism-changes",
        "raised-barrier",
    ),
    "normaliser_repair": ("batch-norm-repair", "certificate", "repaired-ends"),
    "optimiser_dependence": CONTROLS,
    "path_curvature": "controls",
    "simplex_volume": "all",
    "skip_connections": "all",
    "symmetry_atlas": "all",
    "symmetry_limits": "all",
    "symmetry_orbits": "all",
    "tangent_drift": "controls",
    "variance_collapse": "all",
    "wasserstein": ("least-squared-distance", "unmatched-further", "uniform-law"),
    "word_dimension": "all",
    "word_geometry": ("conditions", "errors-add-up", "errors-vanish", "random-answer"),
    "word_ladder": ("not-permutations", "lost-dimension", "neuron-space", "sample-space"),
}
"""What comes out at any size: ids of claims, or all of them, or those that are controls."""

TABLES = {
    "bezier_surface": ("map", 2 * 2 * (49 + 28)),
    "coupling_counterexamples": ("ends", 5),
    "many_models": ("merged", 6 * 2),
    "simplex_volume": ("complexes", 2 * 3 * 2 * 2),
    "skip_connections": ("groups", 4 * 2 * 2),
    "wasserstein": ("spectra", 2 * 1 * 1 * 5 * 2),
}
"""How many rows a table has: every case once."""


def ends_stay(folder):
    """Whatever permutation was taken, both ends compute what they did."""
    ends = {}
    for row in folder.table("profile").to_pylist():
        if row["t"] in (0.0, 1.0):
            place = (row["pair"], row["t"], row["split"], row["metric"])
            ends.setdefault(place, []).append(row["value"])
    assert all(max(values) - min(values) <= 1e-5 for values in ends.values())


def recomputed(folder):
    """The statistics of a normaliser are measured anew, and the page says so."""
    assert set(folder.table("estimates")["normaliser"].to_pylist()) == {"recompute"}
    assert "statistics are recomputed" in folder.report.read_text()


def shuffled_words_answer_nothing(folder):
    accuracy = folder.table("vectors-accuracy").to_pandas()
    total = accuracy[(accuracy.section == "total") & (accuracy.rule == "3CosAdd")]
    right = total.groupby("method").right
    assert right.min()[SVD] > right.max()[CONTROL] + 3
    barriers = folder.table("barriers").to_pandas().set_index(["method", "rung"])
    for method in ("SGNS", SVD):
        assert barriers.loc[(method, "naive"), "low"].min() > 0
        assert barriers.loc[(method, "orthogonal"), "barrier"].max() == pytest.approx(0, abs=1e-6)


CHECKS = {
    "digits_mlp": ends_stay,
    "digits_methods": ends_stay,
    "cifar10_cnn": recomputed,
    "word_text": shuffled_words_answer_nothing,
}
"""What else is seen of a study's folder."""


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """One store for all workers, as studies share their networks."""
    jax.config.update("jax_disable_most_optimizations", False)  # training earns back what it costs
    return tmp_path_factory.getbasetemp().parent / "smoke"


@pytest.mark.smoke
@pytest.mark.parametrize("name", CONFIGS)
def test_a_study_runs_once_and_says_what_holds_at_any_size(name, results, request):
    study = importlib.import_module(f"configs.{name}").smoke()
    data = None
    if name in DATA:
        data = request.getfixturevalue("shared") / "data"
        if not (data / DATA[name]).exists():
            pytest.skip(f"needs {DATA[name]} in ../shared/data")
    folder = experiment.run(study, results, name=f"{name}-smoke", data_dir=data)
    for table in (folder.path / "tables").iterdir():
        assert folder.table(table.stem).num_rows, table.stem
    assert {path.suffix for path in (folder.path / "figures").iterdir()} <= {".png", ".svg"}
    if name in TABLES:
        table, rows = TABLES[name]
        assert folder.table(table).num_rows == rows
    if name in CHECKS:
        CHECKS[name](folder)
    claims = [experiment.Claim(**claim) for claim in folder.record["claims"]]
    assert claims
    wanted = HOLDS.get(name, ())
    if isinstance(wanted, tuple):
        for each in wanted:
            assert any(claim.is_called(each) for claim in claims), each
    failed = [
        claim.statement
        for claim in claims
        if not claim.holds
        and (
            wanted == "all"
            or (wanted == "controls" and claim.source.startswith("control"))
            or any(claim.is_called(each) for each in wanted)
        )
    ]
    assert not failed
    notes = Notes()
    experiment.run(study, results, name=f"{name}-smoke", data_dir=data, progress=notes)
    assert notes.lines == [f"{folder.name}: complete and unchanged"]

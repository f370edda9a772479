"""Experiments: cached stages, the store, the runner, figures, claims and the report.

An experiment is a frozen dataclass that names its stages and makes a report of their results; `run`
makes what is missing and writes a folder with tables, figures and one self-contained page.
"""

from mconn.experiment import claims, plot
from mconn.experiment.claims import Claim
from mconn.experiment.code import code_digest, versions
from mconn.experiment.config import load as load_config
from mconn.experiment.diagnostic_figures import diagnostics_figure
from mconn.experiment.figures import (
    COLUMN,
    LOOKS,
    PAGE,
    band_meaning,
    barrier_bars,
    distinct,
    lighter,
    looks,
    profile_figure,
    save as save_figure,
    significant,
    style,
)
from mconn.experiment.folder import RunFolder, all_runs, find_run
from mconn.experiment.page import cell, rows
from mconn.experiment.path_figures import Pivots, Plane, length_figure, pivot_figure, plane_figure
from mconn.experiment.report import Experiment, Report, Section
from mconn.experiment.runner import run
from mconn.experiment.serialise import decode, digest, encode
from mconn.experiment.stage import Context, Result, Stage
from mconn.experiment.store import Store, load_tree, read_json, verify, write_json
from mconn.experiment.tables import Frame, frame, gather, numbers, where

__all__ = [
    "COLUMN",
    "LOOKS",
    "PAGE",
    "Claim",
    "Context",
    "Experiment",
    "Frame",
    "Pivots",
    "Plane",
    "Report",
    "Result",
    "RunFolder",
    "Section",
    "Stage",
    "Store",
    "all_runs",
    "band_meaning",
    "barrier_bars",
    "cell",
    "claims",
    "code_digest",
    "decode",
    "diagnostics_figure",
    "digest",
    "distinct",
    "encode",
    "find_run",
    "frame",
    "gather",
    "length_figure",
    "lighter",
    "load_config",
    "load_tree",
    "looks",
    "numbers",
    "pivot_figure",
    "plane_figure",
    "plot",
    "profile_figure",
    "read_json",
    "rows",
    "run",
    "save_figure",
    "significant",
    "style",
    "verify",
    "versions",
    "where",
    "write_json",
]

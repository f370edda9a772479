"""Claims about what the networks of lines and curves answer."""

import pyarrow as pa

from experiments.features.drift_claims import MATCHED, NAIVE
from mconn.experiment import Claim, numbers, where


def average_claim(outputs: pa.Table) -> Claim:
    """Is the mean of two aligned networks better, or better calibrated, than they are?"""
    line = where(outputs, method=MATCHED)
    ts = numbers(line, "t")
    ends, middle = (ts == 0) | (ts == 1), ts == 0.5
    names = ("accuracy", "brier", "calibration_error")
    of_ends, half_way = (
        {name: numbers(line, name)[rows] for name in names} for rows in (ends, middle)
    )
    return Claim(
        "the average of two independently trained networks is less accurate than its ends even "
        "where they are aligned, has the higher Brier score, and is no better calibrated",
        "this study; against the design notes of this project",
        "for every pair, against both ends",
        "accuracy {:.1f} against {:.1f} %, Brier score {:.3f} against {:.3f}, ECE {:.1f} against "
        "{:.1f} %".format(
            100 * half_way["accuracy"].mean(),
            100 * of_ends["accuracy"].mean(),
            half_way["brier"].mean(),
            of_ends["brier"].mean(),
            100 * half_way["calibration_error"].mean(),
            100 * of_ends["calibration_error"].mean(),
        ),
        bool(
            half_way["accuracy"].max() < of_ends["accuracy"].min()
            and half_way["brier"].min() > of_ends["brier"].max()
            and half_way["calibration_error"].min() >= of_ends["calibration_error"].max()
        ),
        id="average",
    )


def output_claims(energies: pa.Table) -> list[Claim]:
    """Low loss along a curve, and other answers than at its ends."""
    apart = numbers(where(energies, method="bezier"), "disagreement")
    motion, least = (numbers(energies, name) for name in ("motion", "geodesic"))
    return [
        Claim(
            "networks that a curve of low loss connects need not compute the same function",
            "Garipov et al. 2018",
            "test examples on which the ends disagree, for every pair",
            f"{100 * apart.min():.1f} to {100 * apart.max():.1f} %",
            bool(apart.min() > 0),
            id="connected-differ",
        ),
        Claim(
            "no path moves the outputs less than the geodesic between its ends' outputs",
            "control",
            "motion at least the squared Fisher-Rao distance, on every path",
            f"smallest ratio {(motion / least).min():.2f}",
            bool((motion >= least).all()),
            id="geodesic",
        ),
    ]


def fitted_claims(outputs: pa.Table, energies: pa.Table) -> list[Claim]:
    """What a curve that is fitted to the end does to the outputs."""
    curve = where(outputs, method="bezier")
    ts = numbers(curve, "t")
    late, end = (numbers(curve, "gain_accuracy")[mask].mean() for mask in (ts >= 0.4, ts == 1))
    error = numbers(curve, "gain_accuracy_error")[ts == 1].mean()
    energy = {
        method: numbers(where(energies, method=method), "energy").mean()
        for method in (NAIVE, MATCHED, "bezier")
    }
    return [
        Claim(
            "on a Bezier curve, points from t = .4 on are worth as much to an ensemble with the "
            "first end as the other end is",
            "Garipov et al. 2018, figure 2",
            f"gain of accuracy {100 * end:.2f} %",
            f"{100 * late:.2f} %",
            bool(late >= end - 2 * error),
            "2 standard errors over examples",
            id="ensemble-points",
        ),
        Claim(
            "the outputs move least along the fitted curve and most along the naive line",
            "Tan et al. 2023",
            "path energy in the order bezier < activations < naive",
            ", ".join(f"{name} {value:.4f}" for name, value in energy.items()),
            bool(energy["bezier"] < energy[MATCHED] < energy[NAIVE]),
            id="order",
        ),
    ]

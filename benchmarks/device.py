"""The library's kernels on whatever device JAX finds, such as a GPU, as a table and as JSON.

The MLP 784-512-512-512-10 with random weights, random images and labels::

    python -m benchmarks.device [--out docs/results] [--scale 1.0]

Wall seconds of the first call, most of it compilation, and the median of later ones. Work that an
accelerator does is counted in samples: passes of one example, of whatever kind.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.evaluation import network
from benchmarks.similarity import Means
from mconn import curvature, features, landscape, paths, symmetry, tangent
from mconn.data import Split
from mconn.features import Units
from mconn.measure import Execution
from mconn.models import MLP

MODEL = MLP()
KEY = jax.random.key(0)


def problems(scale: float) -> dict[str, tuple[Callable, int]]:
    """What is timed, and the samples that it takes."""
    generator = np.random.default_rng(0)
    a, b = network(generator), network(generator)
    count = max(64, int(60_000 * scale))
    inputs = generator.normal(size=(count, 784)).astype(np.float32)
    data = Split(inputs, generator.integers(0, 10, count).astype(np.int32))
    few, loss = data.head(count // 6), landscape.Classification(MODEL.apply)
    line, ts = paths.line(a, b), np.linspace(0, 1, 25)
    group = symmetry.discover(MODEL.apply, a, inputs[:2])
    units = Units(group, MODEL.apply)
    whole, part = (
        curvature.hessian(loss, a, each, batch_size=max(1, count // 6)) for each in (data, few)
    )
    n = len(few)
    return {
        f"loss and error, 25 points x {count} examples": (
            lambda: landscape.evaluate(loss, line, ts, data, execution=Execution(n)),
            25 * count,
        ),
        f"features' means and squares, 25 points x {n} examples": (
            lambda: features.along(Means(), units, line, ts, few.inputs, Execution(batch_size=n)),
            25 * n,
        ),
        f"a Hessian-vector product, {count} examples": (
            lambda: jax.block_until_ready(whole(whole.template)),
            count,
        ),
        f"30 products for the extreme eigenvalues, {count} examples": (
            lambda: curvature.eigenpairs(
                whole, KEY, top=5, bottom=2, tolerance=1e-12, products=30, basis=30
            ),
            30 * count,
        ),
        f"density, 100 Lanczos steps, {n} examples": (
            lambda: curvature.density(part, KEY, steps=100, probes=1),
            100 * n,
        ),
        f"tangent kernel, {n} x {n} examples": (
            lambda: tangent.kernel(MODEL.apply, a, few.inputs),
            n,
        ),
    }


def main(repeats: int = 3, scale: float = 1.0, out: Path | None = None) -> None:
    """Run, print the table, and write it down.

    Args:
        repeats: timed calls after the first.
        scale: of the number of examples.
        out: the folder for ``kernels_<device>.json`` and ``.md``; nothing is written without it.
    """
    device = jax.devices()[0].device_kind
    rows = []
    for name, (call, samples) in problems(scale).items():
        times = []
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        later = statistics.median(times[1:])
        rows.append({"what": name, "first s": times[0], "s": later, "samples / s": samples / later})
    table = Table(title=f"{device}, JAX {jax.__version__}, wall seconds")
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "what" else "right")
    cells = [
        (row["what"], f"{row['first s']:.2f}", f"{row['s']:.4f}", f"{row['samples / s']:,.0f}")
        for row in rows
    ]
    for each in cells:
        table.add_row(*each)
    Console(width=120).print(table)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        place = out / f"kernels_{device.replace(' ', '_')}"
        found = {"device": device, "jax": jax.__version__, "repeats": repeats, "rows": rows}
        place.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        lines = ["| " + " | ".join(each) + " |" for each in (tuple(rows[0]), ("---",) * 4, *cells)]
        heading = f"{device}, JAX {jax.__version__}: wall seconds, median of {repeats} calls\n\n"
        place.with_suffix(".md").write_text(heading + "\n".join(lines) + "\n")


if __name__ == "__main__":
    tyro.cli(main)

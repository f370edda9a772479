"""Published numbers and published networks: minutes, so that CI runs them apart."""

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from configs import cnn_curves, digits_mlp
from mconn import experiment


@pytest.mark.slow
def test_the_demo_meets_the_published_numbers(tmp_path):
    """Digits, 3 x 256: naive 1.21, weights .34, activations .04, each within 40 %, in order."""
    study = digits_mlp.digits_mlp()
    assert study.expected
    folder = experiment.run(study, tmp_path)
    assert not [claim for claim in folder.record["claims"] if not claim["holds"]]


def write_images(path, count):
    random = np.random.default_rng(count)
    rows = []
    for _ in range(count):
        stream = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(stream, "PNG")
        rows.append({"bytes": stream.getvalue(), "path": None})
    labels = random.integers(0, 10, count).tolist()
    parquet.write_table(pa.table({"img": rows, "label": labels}), path)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["vgg16", "preresnet"])
def test_the_published_networks_take_a_step(tmp_path, network):
    for split in ("train", "test"):
        write_images(tmp_path / f"{split}.parquet", 16)
    build = getattr(cnn_curves, network)
    small = {"blocks": 1, "width": 2} if network == "preresnet" else {"width": 2}
    study = build(**small, epochs=1, fit_epochs=1, points=3, plane=2)
    study = replace(
        study,
        train=replace(study.train, batch_size=8),
        # So much that the bend leaves the line in two steps.
        fit=replace(study.fit, batch_size=8, weight_decay=0.5),
        families=("bezier",),
        expected=(),
    )
    folder = experiment.run(study, tmp_path / "results", data_dir=tmp_path)
    assert all(np.isfinite(row["value"]) for row in folder.table("profile").to_pylist())

"""Handwritten digits, 8 x 8, bundled with scikit-learn: no download, seconds to train.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).
"""

from pathlib import Path

import numpy as np

from mconn.data.dataset import Images

SHAPE = (8, 8, 1)
TRAIN_EXAMPLES = 1400


def read(data_dir: Path | None = None) -> Images:
    """The 1797 images, shuffled by ``numpy.random.default_rng(0)``: 1400 to train, 397 to test.

    Args:
        data_dir: not used, since the images come with scikit-learn.
    """
    from sklearn.datasets import load_digits

    flat, labels = map(np.asarray, load_digits(return_X_y=True))
    rows = np.random.default_rng(0).permutation(len(labels))
    pixels = np.asarray(flat)[rows].astype(np.uint8).reshape(-1, *SHAPE)
    labels = np.asarray(labels)[rows]
    return Images(
        train_pixels=pixels[:TRAIN_EXAMPLES],
        train_labels=labels[:TRAIN_EXAMPLES],
        test_pixels=pixels[TRAIN_EXAMPLES:],
        test_labels=labels[TRAIN_EXAMPLES:],
        white=16,
        classes=10,
    )

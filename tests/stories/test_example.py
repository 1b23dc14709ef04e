"""examples/mnist.py as a user starts it: with python, the launcher, both MPIs; killed and resumed; with no data and no network."""

import re
import shutil
import signal

import numpy as np
import pytest

import ringgrad

from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mnist.py"
TIMEOUT_S = 120
TRAIN, TEST, BATCH, EPOCHS = 300, 100, 20, 2
STEPS = TRAIN // BATCH * EPOCHS
ON_EVERY_NUMBER_OF_RANKS = 1e-4  # relative: float32 sums in another order, through 30 steps


def write_idx(path, array):
    """An array of uint8 as an IDX file (http://yann.lecun.com/exdb/mnist/)."""
    head = b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with MNIST's four files, in which are some of scikit-learn's digits."""
    digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed: pip install 'ringgrad[examples]'").load_digits()
    images = np.pad(np.kron(digits.images, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2))) * (255 / 16)
    folder = tmp_path_factory.mktemp("data")
    for name, rows in {"train": slice(0, TRAIN), "t10k": slice(TRAIN, TRAIN + TEST)}.items():
        write_idx(folder / f"{name}-images-idx3-ubyte", images[rows])
        write_idx(folder / f"{name}-labels-idx1-ubyte", digits.target[rows])
    return folder

"""Handwritten digits for the examples: MNIST's IDX files, downloaded when missing and online, else scikit-learn's bundled 8x8 digits."""
import gzip
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

MIRRORS = ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/")
FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}
TIMEOUT_S = 5


def read_idx(path):
    """An array from an IDX file (http://yann.lecun.com/exdb/mnist/), gzipped or not.  ValueError when its header and length disagree."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    dims = raw[3]
    shape = tuple(int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(dims))
    if len(raw) != 4 + 4 * dims + int(np.prod(shape)):
        raise ValueError(f"{path} promises {shape} but holds {len(raw) - 4 - 4 * dims} bytes; it was probably cut off: delete it and start again")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def find(folder, name):
    """The file `name` or `name`.gz in `folder`, in its mnist/ or in its MNIST/raw/; None when it is in none of them."""
    for place in (folder, folder / "mnist", folder / "MNIST" / "raw"):
        for candidate in (place / name, place / f"{name}.gz"):
            if candidate.exists():
                return candidate
    return None


def download(folder):
    """Fetch the four files into `folder`.  Returns whether all are there now."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (n for pair in FILES.values() for n in pair):
        for mirror in MIRRORS:
            partial = folder / f"{name}.gz.part"
            try:
                with urllib.request.urlopen(f"{mirror}{name}.gz", timeout=TIMEOUT_S) as response:
                    partial.write_bytes(response.read())
                partial.rename(folder / f"{name}.gz")
                break
            except (urllib.error.URLError, OSError):
                partial.unlink(missing_ok=True)
        else:
            return False
    return True


def bundled():
    """scikit-learn's 1,797 digits, enlarged from 8x8 to 28x28: (train images, train labels, test images, test labels)."""
    from sklearn.datasets import load_digits
    digits = load_digits()
    images = np.pad(digits.images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2))) * (255 / 16)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order].astype(np.uint8), digits.target[order].astype(np.uint8)
    return images[:1500], labels[:1500], images[1500:], labels[1500:]


def load(folder, may_download=True):
    """(train images, train labels, test images, test labels, what they are); images (N, 28, 28) and labels (N,) of uint8."""
    folder = Path(folder)
    if find(folder, FILES["train"][0]) is None and may_download:
        download(folder)
    paths = [find(folder, name) for split in ("train", "test") for name in FILES[split]]
    if None in paths:
        return *bundled(), "scikit-learn's bundled digits (MNIST was not found and could not be downloaded)"
    return *(read_idx(p) for p in paths), f"MNIST from {paths[0].parent}"

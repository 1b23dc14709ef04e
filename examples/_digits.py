"""Handwritten digits for the examples: MNIST's files, downloaded when missing and online, else scikit-learn's bundled 8x8 digits."""
import socket
from pathlib import Path

import numpy as np

import ringgrad
from ringgrad.vision.datasets import MNIST

FILES = [name.removesuffix(".gz") for name, _ in MNIST.resources]
TIMEOUT_S = 5


def place(folder):
    """The first of `folder`, its mnist/ and its MNIST/raw/ in which all four files are, packed by gzip or not; None when none has them."""
    places = [Path(folder, *inner) for inner in ((), ("mnist",), ("MNIST", "raw"))]
    return next((p for p in places if all((p / name).exists() or (p / f"{name}.gz").exists() for name in FILES)), None)


class Digits(MNIST):
    """MNIST in any of these places; it is downloaded into the folder itself."""

    @property
    def raw_folder(self):
        """Where the files are."""
        return str(place(self.root) or self.root)


def download(folder):
    """Fetch the four files into `folder`; nothing happens where there is no network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        Digits(folder, download=True)
    except RuntimeError:  # no mirror has answered; whoever needs the files says so
        pass
    finally:
        socket.setdefaulttimeout(before)


def bundled():
    """scikit-learn's 1,797 digits, enlarged from 8x8 to 28x28: (train images, train labels, test images, test labels)."""
    from sklearn.datasets import load_digits
    digits = load_digits()
    images = np.pad(digits.images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2))) * (255 / 16)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = ringgrad.from_numpy(images[order].astype(np.uint8)), ringgrad.from_numpy(digits.target[order].astype(np.int64))
    return x[:1500], y[:1500], x[1500:], y[1500:]


def load(folder, may_download=True):
    """(train images, train labels, test images, test labels, what they are); images (N, 28, 28) uint8 and labels (N,) int64."""
    if may_download and place(folder) is None:
        download(folder)
    found = place(folder)
    if found is None:
        return *bundled(), "scikit-learn's bundled digits (MNIST was not found and could not be downloaded)"
    train, test = Digits(folder, train=True), Digits(folder, train=False)
    return train.data, train.targets, test.data, test.targets, f"MNIST from {found}"

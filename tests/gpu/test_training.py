"""Networks trained on the CPU and on the GPU from the same weights and batches: the same loss curve for 50 steps in float32.

The data is read from RINGGRAD_DATA, or from shared/data in or beside the checkout: mnist (the four .gz files), cifar10 (the binary version,
gzipped) and tinyshakespeare (input.txt); where it is missing, random data of the same shapes.  Not run on a device yet.
"""
import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest

import ringgrad
from benchmarks import models
from benchmarks.gpu.networks import resnet20
from ringgrad import nn, optim

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
STEPS = 50
ROOT = Path(__file__).resolve().parents[2]
PLACES = [Path(os.environ["RINGGRAD_DATA"])] if "RINGGRAD_DATA" in os.environ else [ROOT / "shared" / "data", ROOT.parent / "shared" / "data"]
DATA = next((place for place in PLACES if place.is_dir()), None)


def images(name, shape, count):
    """`count` images of a data set, scaled to mean 0 and deviation 1, and their labels; or random ones."""
    if DATA is None or not (DATA / name).is_dir():
        rng = np.random.default_rng(0)
        return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, 10, count)
    size = math.prod(shape)
    if name == "mnist":  # big-endian headers of 16 and 8 bytes
        pixels = read(DATA / name / "train-images-idx3-ubyte.gz", 16 + size * count)[16:]
        labels = read(DATA / name / "train-labels-idx1-ubyte.gz", 8 + count)[8:]
    else:  # each record a label and an image
        records = read(DATA / name / "data_batch_1.bin.gz", (1 + size) * count).reshape(count, 1 + size)
        labels, pixels = records[:, 0], records[:, 1:]
    pixels = pixels.reshape(count, *shape).astype(np.float32)
    return (pixels - pixels.mean()) / pixels.std(), labels.astype(np.int64)


def read(path, size):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(size), np.uint8)


def characters(rows, length):
    file = DATA and DATA / "tinyshakespeare" / "input.txt"
    if file and file.exists():
        text = np.frombuffer(file.read_bytes()[:rows * (length + 1)], np.uint8)
        codes = np.unique(text, return_inverse=True)[1] % 65
    else:
        codes = np.random.default_rng(0).integers(0, 65, rows * (length + 1))
    table = codes.reshape(rows, length + 1)
    return table[:, :-1].astype(np.int64), table[:, 1:].astype(np.int64)


def curve(device, build, x, y, batch, make_optimizer):
    ringgrad.manual_seed(0)
    model = build().to(device)
    optimizer = make_optimizer(model.parameters())
    criterion = nn.CrossEntropyLoss()
    losses = []
    for step in range(STEPS):
        at = slice(step * batch % len(x), step * batch % len(x) + batch)
        xb, yb = (ringgrad.from_numpy(a[at]).to(device) for a in (x, y))
        optimizer.zero_grad()
        loss = criterion(model(xb), yb.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


CASES = {
    "MNIST CNN": (lambda: models.cnn(ringgrad)[0], lambda: images("mnist", (1, 28, 28), 640), 32, lambda p: optim.SGD(p, lr=0.02, momentum=0.9)),
    "char-GPT": (lambda: models.char_gpt(ringgrad)[0], lambda: characters(240, 64), 12, lambda p: optim.AdamW(p, lr=3e-4)),
    "ResNet-20": (lambda: resnet20(ringgrad), lambda: images("cifar10", (3, 32, 32), 320), 16, lambda p: optim.SGD(p, lr=0.01, momentum=0.9)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_loss_curve(name):
    build, data, batch, make_optimizer = CASES[name]
    x, y = data()
    cpu, gpu = (curve(device, build, x, y, batch, make_optimizer) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu[:10], cpu[:10], rtol=1e-3)
    np.testing.assert_allclose(gpu, cpu, rtol=0.05, atol=0.02)  # rounding differs from step to step and grows
    assert cpu[-10:].mean() < cpu[:10].mean()

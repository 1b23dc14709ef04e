"""CIFAR-10 for the examples, from the binary version's files, packed by gzip or not; crops and mirror images of whole batches on any device."""
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

import ringgrad

RECORD = 1 + 3 * 32 * 32
TRAINING = [f"data_batch_{i}.bin" for i in range(1, 6)]
MEAN, DEVIATION = (125.307, 122.950, 113.865), (62.993, 62.089, 66.705)  # of the training images' channels


def _records(folder, name):
    """(images (N, 3, 32, 32) uint8, labels (N,) int64) of one file, or None where it is missing."""
    path, packed = Path(folder, name), Path(folder, f"{name}.gz")
    if not path.exists() and not packed.exists():
        return None
    data = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    rows = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def _from_jpeg(folder):
    """The test images from test_jpeg10000.zip: test/CLASS/NNNN.jpg, classes in alphabetical order, which is that of their numbers."""
    from PIL import Image
    with zipfile.ZipFile(Path(folder, "test_jpeg10000.zip")) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))
        classes = sorted({n.split("/")[-2] for n in names})
        images = [np.asarray(Image.open(io.BytesIO(archive.read(n)))).transpose(2, 0, 1) for n in names]
    return np.stack(images), np.array([classes.index(n.split("/")[-2]) for n in names])


def load(folder):
    """(training images, labels, test images, labels, what the test images are).  SystemExit where there is no CIFAR-10."""
    places = [Path(folder, *inner) for inner in ((), ("cifar10",), ("cifar-10-batches-bin",))]
    for place in places:
        parts = [_records(place, name) for name in TRAINING]
        if all(parts):
            test, words = _records(place, "test_batch.bin"), "test_batch.bin"
            if test is None and Path(place, "test_jpeg10000.zip").exists():
                test, words = _from_jpeg(place), "test_jpeg10000.zip, which JPEG has changed a little"
            if test is not None:
                return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), *test, words
    raise SystemExit(f"CIFAR-10's binary files were not found in {', '.join(map(str, places))}")


def normalised(images, device):
    """uint8 images as floats of mean 0 and deviation 1 on `device`."""
    mean, deviation = (np.array(c, np.float32)[:, None, None] for c in (MEAN, DEVIATION))
    return ringgrad.from_numpy((images.astype(np.float32) - mean) / deviation).to(device)


def augmented(padded, chosen, rng, share=slice(None)):
    """Random 32 x 32 windows of images that were padded by 4 on each side, half of them mirrored (He et al. 2016, section 4.2).

    padded: (N, 3, 40, 40);  chosen: the numbers of a batch of B images;  share: which of them are made, though all are drawn -> (B, 3, 32, 32).
    """
    steps, mirrored = np.arange(32), rng.random(len(chosen)) < 0.5
    rows = rng.integers(0, 9, len(chosen))[:, None] + steps
    columns = rng.integers(0, 9, len(chosen))[:, None] + np.where(mirrored[:, None], steps[::-1], steps)
    places = (chosen[share, None, None, None], np.arange(3)[:, None, None], rows[share, None, :, None], columns[share, None, None, :])
    return padded[tuple(ringgrad.from_numpy(np.ascontiguousarray(p)).to(padded.device) for p in places)]

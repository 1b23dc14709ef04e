"""Samples per second through a DataLoader, beside torch's: images as arrays, and one at a time.  CPU time of one process, no workers."""
import numpy as np

import ringgrad
import ringgrad.utils.data

from ._measure import interleaved, table

SAMPLES, BATCH = 60_000, 64


def _per_sample(data, x, y):
    class Images(data.Dataset):
        def __len__(self):
            return SAMPLES

        def __getitem__(self, index):
            return x[index], y[index]
    return Images()


def _contenders(name, lib, data, x, y):
    arrays = data.TensorDataset(lib.from_numpy(x), lib.from_numpy(y))
    half = SAMPLES // 2
    sets = {
        "TensorDataset": arrays, "Subset of it": data.Subset(arrays, list(range(SAMPLES))), "NumPy arrays in a StackDataset": data.StackDataset(x, y),
        "two in a ConcatDataset": data.ConcatDataset([data.TensorDataset(*(t[part] for t in arrays.tensors))
                                                      for part in (slice(half), slice(half, SAMPLES))]),
        "sample by sample": _per_sample(data, x, y),
    }
    sets = {f"{name}, {key}": d for key, d in sets.items()}
    return {key: lambda loader=data.DataLoader(d, BATCH, shuffle=True): sum(1 for _ in loader) for key, d in sets.items()}


def main(torch):
    """Print MNIST-sized samples per second, in shuffled batches of 64."""
    rng = np.random.default_rng(0)
    x, y = rng.random((SAMPLES, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, SAMPLES)
    contenders = _contenders("ringgrad", ringgrad, ringgrad.utils.data, x, y)
    if torch:
        contenders.update(_contenders("torch", torch, torch.utils.data, x, y))
    best = interleaved(contenders, 1, rounds=3)
    table("data loading: 28 x 28 images, batches of 64, shuffled", ["", "samples/s"], [[n, f"{SAMPLES / s:,.0f}"] for n, s in best.items()])

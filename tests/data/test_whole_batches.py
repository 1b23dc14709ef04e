"""Batches that datasets look up at once (`__getbatch__`) are those that are made sample by sample."""
import numpy as np
import pytest

import ringgrad
from ringgrad.utils.data import ConcatDataset, DataLoader, Dataset, StackDataset, Subset, TensorDataset, default_collate, random_split
from ringgrad.utils.data.dataset import collated

N = 12


def tensors(n=N, dtype="float32", offset=0):
    x = ringgrad.arange(n * 6).reshape(n, 2, 3).to(getattr(ringgrad, dtype)) + offset
    return TensorDataset(x, ringgrad.arange(n) + offset)


def arrays(n=N, dtype="float32"):
    return np.arange(n * 4).reshape(n, 4).astype(dtype)


class Images(Dataset):
    """A dataset of one's own on arrays, with the protocol."""

    def __init__(self):
        self.pixels, self.labels = arrays(), np.arange(N)

    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"pixels": self.pixels[i], "label": self.labels[i]}

    def __getbatch__(self, indices):
        return {"pixels": ringgrad.from_numpy(self.pixels[indices]), "label": ringgrad.from_numpy(self.labels[indices])}


AT_ONCE = {
    "tensors": tensors,
    "half tensors": lambda: tensors(dtype="float16"),
    "bfloat16 tensors": lambda: tensors(dtype="bfloat16"),
    "tensors and arrays": lambda: TensorDataset(ringgrad.arange(N), arrays()),
    "subset": lambda: Subset(tensors(), [3, 1, 4, 1, 5, 9, 2, 6]),
    "subset by an array": lambda: Subset(tensors(), np.array([3, 1, 4, 1, 5, 9, 2, 6])),
    "subset of a subset": lambda: Subset(Subset(tensors(), range(2, 12)), [5, 0, 9, 1]),
    "split": lambda: random_split(tensors(), [0.5, 0.5], ringgrad.Generator().manual_seed(0))[0],
    "concat": lambda: ConcatDataset([tensors(3), tensors(5, offset=100), tensors(4, offset=200)]),
    "concat of one": lambda: ConcatDataset([tensors(3)]),
    "concat of subsets": lambda: ConcatDataset([Subset(tensors(), [3, 1]), tensors(5, offset=100)]),
    "concat of arrays": lambda: ConcatDataset([arrays(3), arrays(5)]),
    "concat of dicts": lambda: ConcatDataset([Images(), Images()]),
    "stack": lambda: StackDataset(tensors(), arrays(), np.arange(N)),
    "stack by name": lambda: StackDataset(image=arrays(), label=np.arange(N), both=tensors()),
    "stack of concats": lambda: StackDataset(ConcatDataset([arrays(5), arrays(7)]), np.arange(N)),
    "one's own": Images,
    "array": arrays,
    "array of bytes": lambda: arrays(dtype="uint8"),
    "array of halves": lambda: arrays(dtype="float16"),
    "flat array": lambda: np.arange(N) > 3,
    "tensor": lambda: ringgrad.arange(N * 2).reshape(N, 2),
}


class Doubled(TensorDataset):
    def __getitem__(self, i):
        return tuple(2 * t for t in super().__getitem__(i))

    def __getitems__(self, indices):
        return [self[i] for i in indices]


class Shifted(Subset):
    def __getitem__(self, i):
        return super().__getitem__(i)[0] + 1

    def __getitems__(self, indices):
        return [self[i] for i in indices]


ONE_BY_ONE = {
    "a subclass with samples of its own": lambda: Doubled(ringgrad.arange(N)),
    "a subset with samples of its own": lambda: Shifted(tensors(), range(N)),
    "a subset of such a one": lambda: Subset(Doubled(ringgrad.arange(N)), range(N)),
    "a concat with such a one": lambda: ConcatDataset([TensorDataset(ringgrad.arange(N)), Doubled(ringgrad.arange(N))]),
    "a stack with such a one": lambda: StackDataset(np.arange(N), Doubled(ringgrad.arange(N))),
    "a list": lambda: list(range(N)),
    "rows with gradients": lambda: TensorDataset(ringgrad.ones(N, 2, requires_grad=True)),
    "concat of two types": lambda: ConcatDataset([np.arange(5, dtype=np.int32), np.arange(7)]),
    "concat of two kinds": lambda: ConcatDataset([tensors(3), Images()]),
    "array of text": lambda: np.array(list("abcdefghijkl")),
}


def plain(x):
    if isinstance(x, ringgrad.Tensor):
        return str(x.dtype), tuple(x.shape), x.tolist()
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return [plain(v) for v in x] if isinstance(x, (list, tuple)) else x


@pytest.mark.parametrize("indices", [[0], [2, 0, 1], [1, 1, 2, 0]], ids=str)
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_batch_is_that_of_its_samples(name, indices):
    dataset = AT_ONCE[name]()
    batch = collated(dataset, indices)
    assert batch is not None and plain(batch) == plain(default_collate([dataset[i] for i in indices]))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", ["tensors", "subset", "concat", "stack by name", "one's own", "array"])
def test_a_loader_gives_the_same(name, workers):
    dataset, own = AT_ONCE[name](), lambda samples: default_collate(samples)  # not default_collate: one by one
    options = {"batch_size": 5, "num_workers": workers, "multiprocessing_context": "fork" if workers else None}
    def order():
        return ringgrad.Generator().manual_seed(3)
    at_once = list(DataLoader(dataset, shuffle=True, generator=order(), **options))
    assert plain(at_once) == plain(list(DataLoader(dataset, shuffle=True, generator=order(), collate_fn=own, **options)))


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_others_are_asked_one_by_one(name):
    dataset = ONE_BY_ONE[name]()
    indices = list(range(len(dataset)))
    assert collated(dataset, indices) is None
    if name != "concat of two kinds" and name != "array of text":
        batch = next(iter(DataLoader(dataset, batch_size=len(dataset))))
        assert plain(batch) == plain(default_collate([dataset[i] for i in indices]))


def test_the_batch_is_a_copy():
    x = arrays()
    next(iter(DataLoader(StackDataset(x), batch_size=3)))[0].zero_()
    assert x[1, 0] == 4


def test_a_changed_collation_is_respected():
    table = ringgrad.utils.data._utils.collate.default_collate_fn_map
    before = dict(table)
    table[ringgrad.Tensor] = lambda batch, *, collate_fn_map=None: len(batch)
    try:
        assert next(iter(DataLoader(tensors(), batch_size=5))) == [5, 5]
    finally:
        table.clear()
        table.update(before)


def test_an_index_past_the_end():
    for dataset in (tensors(), ConcatDataset([tensors(3), tensors(4)]), arrays()):
        with pytest.raises(IndexError):
            next(iter(DataLoader(dataset, batch_size=2, sampler=[0, 99])))


def test_a_memory_mapped_file(tmp_path):
    np.save(tmp_path / "x.npy", arrays())
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    (batch,) = next(iter(DataLoader(StackDataset(x), batch_size=3)))
    assert batch.tolist() == arrays()[:3].tolist()
    batch.add_(1)

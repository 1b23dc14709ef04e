"""The DataLoader's arguments and orders, with and without workers."""
import itertools
import random

import numpy as np
import pytest

import ringgrad
from ringgrad.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    TensorDataset,
    get_worker_info,
)


class Squares(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return i * i, np.full((3,), i, np.float32)


class Stream(IterableDataset):
    """0 ... n - 1, shared out among the workers."""

    def __init__(self, n, length=None):
        self.n, self.length = n, length

    def __len__(self):
        return self.n if self.length is None else self.length

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


class Uneven(IterableDataset):
    """Worker 0 has twelve samples, worker 1 has two, worker 2 none."""

    def __iter__(self):
        info = get_worker_info()
        return iter(range(100 * info.id, 100 * info.id + (12, 2, 0)[info.id]))


class Randoms(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return random.random(), np.random.rand(), ringgrad.rand(()).item(), get_worker_info().seed if get_worker_info() else 0


workers = pytest.mark.parametrize("n", [0, 2], ids=["here", "workers"])


def load(dataset, **kwargs):
    return list(loader_of(dataset, **kwargs))


def loader_of(dataset, **kwargs):
    """Workers are forked, so that tests may hand them local functions, whatever other tests have loaded into this process."""
    return DataLoader(dataset, **kwargs, **({"multiprocessing_context": "fork"} if kwargs.get("num_workers") else {}))


@workers
def test_batches_in_order(n):
    batches = load(Squares(10), batch_size=4, num_workers=n)
    assert [b[0].tolist() for b in batches] == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]
    assert batches[2][1].tolist() == [[8.0] * 3, [9.0] * 3] and batches[0][0].dtype is ringgrad.int64


@workers
def test_drop_last(n):
    loader = loader_of(Squares(10), batch_size=4, drop_last=True, num_workers=n)
    assert [len(b[0]) for b in loader] == [4, 4] and len(loader) == 2


@workers
def test_without_batches(n):
    first = load(Squares(3), batch_size=None, num_workers=n)
    assert [b[0] for b in first] == [0, 1, 4] and isinstance(first[0][1], ringgrad.Tensor)


@workers
def test_a_sampler_and_a_batch_sampler(n):
    assert [b[0].tolist() for b in load(Squares(10), batch_size=2, sampler=[5, 1, 7], num_workers=n)] == [[25, 1], [49]]
    groups = [[3, 1], [2], [9, 8, 7]]
    assert [b[0].tolist() for b in load(Squares(10), batch_sampler=groups, num_workers=n)] == [[9, 1], [4], [81, 64, 49]]


@workers
def test_shuffling(n):
    def order(seed, passes=1):
        loader = loader_of(Squares(40), batch_size=7, shuffle=True, num_workers=n, generator=ringgrad.Generator().manual_seed(seed))
        return [[x for b in loader for x in b[0].tolist()] for _ in range(passes)]
    first, second = order(1, passes=2)
    assert sorted(first) == [i * i for i in range(40)] and first != second
    assert order(1, passes=2) == [first, second] and order(2)[0] != first


def test_the_order_does_not_depend_on_the_number_of_workers():
    def order(n):
        loader = loader_of(Squares(20), batch_size=3, shuffle=True, num_workers=n, generator=ringgrad.Generator().manual_seed(7))
        return [b[0].tolist() for _ in range(2) for b in loader]
    assert order(0) == order(1) == order(2)


@workers
def test_manual_seed_fixes_the_order(n):
    def order():
        ringgrad.manual_seed(3)
        return [b[0].tolist() for b in load(Squares(20), batch_size=3, shuffle=True, num_workers=n)]
    assert order() == order()


@workers
def test_a_collate_function_of_ones_own(n):
    assert load(Squares(4), batch_size=2, num_workers=n, collate_fn=lambda samples: [s[0] for s in samples]) == [[0, 1], [4, 9]]


@workers
def test_getitems_is_asked_for_whole_batches(n):
    class Whole(Squares):
        def __getitem__(self, i):
            raise AssertionError("one by one")

        def __getitems__(self, indices):
            return [i + 100 for i in indices]
    assert [b.tolist() for b in load(Whole(5), batch_size=3, num_workers=n)] == [[100, 101, 102], [103, 104]]


@workers
def test_tensors_of_every_type_arrive(n):
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
    for name in names:
        t = ringgrad.arange(12).reshape(4, 3).to(getattr(ringgrad, name))
        (batch,) = load(TensorDataset(t), batch_size=4, num_workers=n)[0]
        assert batch.dtype is t.dtype and batch.tolist() == t.tolist()


def test_large_batches_arrive_whole_and_writable():
    data, other = ringgrad.arange(4 * 50_000.0).reshape(4, 50_000), ringgrad.arange(4 * 30_001).reshape(4, 30_001)
    ((batch, second),) = load(TensorDataset(data, other), batch_size=4, num_workers=1)
    assert (batch == data).all() and (second == other).all()
    batch.add_(1)
    assert batch[3, -1].item() == 200_000.0 and data[3, -1].item() == 199_999.0


# -- iterable datasets -------------------------------------------------------------------------------------------------


@workers
def test_an_iterable_dataset(n):
    batches = [b.tolist() for b in load(Stream(10), batch_size=3, num_workers=n)]
    assert sorted(itertools.chain(*batches)) == list(range(10))
    assert batches == ([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]] if n == 0 else [[0, 2, 4], [1, 3, 5], [6, 8], [7, 9]])
    assert [b.tolist() for b in load(Stream(10), batch_size=3, drop_last=True, num_workers=n)] == (batches[:3] if n == 0 else batches[:2])
    assert load(Stream(4), batch_size=None, num_workers=n) == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker")
def test_workers_that_end_early_leave_the_rest_to_the_others():
    batches = [b.tolist() for b in load(Uneven(), batch_size=2, num_workers=3)]
    assert batches == [[0, 1], [100, 101], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]


@workers
def test_the_length_of_an_iterable_dataset(n):
    loader = loader_of(Stream(10, length=4), batch_size=1, num_workers=n)
    assert len(loader) == 4
    with pytest.warns(UserWarning, match="was reported to be 4 .* samples have been fetched"):
        assert len(list(loader)) == 10
    assert len(DataLoader(Stream(10), batch_size=4)) == 3 and len(DataLoader(Stream(10), batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(Stream(10), batch_size=None)) == 10


# -- workers -----------------------------------------------------------------------------------------------------------


def test_persistent_workers_stay_and_begin_again():
    loader = loader_of(Stream(6), batch_size=2, num_workers=2, persistent_workers=True)
    first = [b.tolist() for b in loader]
    pids = [w.process.pid for w in loader._iterator._workers]
    next(iter(loader))  # leave a pass in the middle
    assert [b.tolist() for b in loader] == first == [[0, 2], [1, 3], [4], [5]]
    assert [w.process.pid for w in loader._iterator._workers] == pids


def test_worker_info_and_seeds():
    def draw(generator):
        return [tuple(x.item() for x in b) for b in load(Randoms(), batch_size=1, num_workers=2, generator=generator)]
    base = ringgrad.Generator().manual_seed(0)
    rows = draw(base)
    assert rows == draw(ringgrad.Generator().manual_seed(0))
    assert rows[1][3] == rows[0][3] + 1 and [len({r[n] for r in rows}) for n in range(3)] == [8, 8, 8]
    assert rows != draw(base)
    assert get_worker_info() is None


def test_worker_init_fn_runs_in_each_worker():
    class Told(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return get_worker_info().dataset.told

    def init(worker_id):
        get_worker_info().dataset.told = 10 + worker_id

    assert [b.item() for b in load(Told(), num_workers=2, worker_init_fn=init)] == [10, 11, 10, 11]


def test_out_of_order_batches_are_all_there():
    batches = load(Squares(20), batch_size=3, num_workers=2, in_order=False)
    assert sorted(x for b in batches for x in b[0].tolist()) == [i * i for i in range(20)]


@pytest.mark.skipif(ringgrad.cuda.is_available(), reason="there is a GPU")
@workers
def test_pin_memory_without_a_gpu_says_so_and_changes_nothing(n):
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator is found"):
        (batch,) = load(Squares(2), batch_size=2, pin_memory=True, num_workers=n)
    assert batch[0].tolist() == [0, 1]
    with pytest.warns(UserWarning) as said:
        load(Squares(2), batch_size=2, pin_memory=True, pin_memory_device="cuda", num_workers=n)
    assert "pin_memory_device is deprecated" in str(said[0].message) and len(said) == 2


BAD = [
    ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
    ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
    ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only"),
    ({"prefetch_factor": 0, "num_workers": 1}, ValueError, "prefetch_factor option should be positive"),
    ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
    ({"sampler": [1], "shuffle": True}, ValueError, "mutually exclusive with shuffle"),
    ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "batch_sampler option is mutually exclusive"),
    ({"batch_sampler": [[1]], "drop_last": True}, ValueError, "batch_sampler option is mutually exclusive"),
    ({"batch_size": None, "drop_last": True}, ValueError, "disables auto-batching"),
    ({"multiprocessing_context": "fork"}, ValueError, "num_workers=0"),
    ({"multiprocessing_context": "threads", "num_workers": 1}, ValueError, "valid start method"),
    ({"multiprocessing_context": 3, "num_workers": 1}, TypeError, "valid context object"),
    ({"batch_size": 0}, ValueError, "batch_size=0"),
]


@pytest.mark.parametrize(("kwargs", "error", "words"), BAD, ids=[",".join(row[0]) for row in BAD])
def test_contradictory_arguments(kwargs, error, words):
    with pytest.raises(error, match=words):
        DataLoader(Squares(3), **kwargs)


@pytest.mark.parametrize("kwargs", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}], ids=lambda k: next(iter(k)))
def test_an_iterable_dataset_takes_no_sampler(kwargs):
    with pytest.raises(ValueError, match=f"expected unspecified {next(iter(kwargs))} option"):
        DataLoader(Stream(3), **kwargs)


def test_what_is_fixed_stays_fixed():
    loader = DataLoader(Squares(3), batch_sampler=BatchSampler(SequentialSampler(Squares(3)), 2, False))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 3
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        __import__("pickle").dumps(iter(loader))


def test_more_workers_than_cores_warns():
    with pytest.warns(UserWarning, match="will create 999 worker processes"):
        DataLoader(Squares(3), num_workers=999)

"""What is done with datasets, samplers and loaders, one function per row; each is given torch or ringgrad and runs under both."""
import dataclasses
import random
from collections import OrderedDict, UserDict, deque, namedtuple

import numpy as np

Point = namedtuple("Point", "x y")


def values(x):
    """Tensors as lists, inside whatever holds them."""
    if hasattr(x, "tolist"):
        return x.tolist()
    if isinstance(x, (dict, UserDict)):
        return type(x).__name__, {k: values(v) for k, v in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(values, x))
    return [values(v) for v in x] if isinstance(x, (list, tuple, deque)) else x


def dataset(data, n=10, fail_at=None, error=None, **methods):
    """0, 1, ..., n - 1."""
    def getitem(self, i):
        if i == fail_at:
            raise error
        return i
    return type("Numbers", (data.Dataset,), {"__len__": lambda self: n, "__getitem__": getitem, **methods})()


def stream(data, elements, **methods):
    return type("Stream", (data.IterableDataset,), {"__iter__": lambda self: iter(elements), **methods})()


def load(data, source, workers=0, **kwargs):
    extra = {"multiprocessing_context": "fork"} if workers else {}
    return values(list(data.DataLoader(source, num_workers=workers, **extra, **kwargs)))


def in_worker(data, function, workers=2, **kwargs):
    """What `function()` gives in each worker."""
    return load(data, dataset(data, workers, __getitem__=lambda self, i: function()), workers, batch_size=None, **kwargs)


def message_of_worker_error(data, error, workers=1):
    try:
        load(data, dataset(data, 3, 1, error), workers, batch_size=None)
    except Exception as caught:
        lines = str(caught).splitlines()
        return type(caught).__name__, lines[0], lines[1], lines[-1], isinstance(caught, type(error))


class Pins:
    """A batch of one's own."""

    def __init__(self, batch):
        self.batch = batch

    def pin_memory(self):
        return ("pinned", self.batch)


def pinned(data, x):
    return data._utils.pin_memory.pin_memory(x)


def collate_points(batch, *, collate_fn_map=None):
    return ("points", len(batch))


class Repeat:
    """A sampler that never ends, as programs have it that keep their workers."""

    def __init__(self, sampler):
        self.sampler = sampler

    def __iter__(self):
        while True:
            yield from iter(self.sampler)


def many_epochs(data, workers):
    """A loader that makes one iterator for all epochs, by the private names that well-known programs use."""
    class Lasting(data.DataLoader):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._DataLoader__initialized = False
            self.batch_sampler = Repeat(self.batch_sampler)
            self._DataLoader__initialized = True
            self.iterator = super().__iter__()

        def __len__(self):
            return len(self.batch_sampler.sampler)

        def __iter__(self):
            for _ in range(len(self)):
                yield next(self.iterator)
    loader = Lasting(dataset(data, 5), batch_size=2, num_workers=workers, multiprocessing_context="fork" if workers else None)
    found = [values(list(loader)) for _ in range(3)]
    kind = type(loader.iterator).__name__
    if workers:
        loader.iterator._shutdown_workers()
    return found, kind


def set_start(worker_id):
    random.start = worker_id


def fewer(data, promised, n):
    loader = data.DataLoader(stream(data, range(n), __len__=lambda self: promised), batch_size=1)
    return len(loader), values(list(loader))


def persistent(data):
    loader = data.DataLoader(dataset(data, 4), num_workers=1, multiprocessing_context="fork", persistent_workers=True)
    first, second = iter(loader), None
    got = values(list(first))
    second = iter(loader)
    result = got, first is second, values(list(second))
    second._shutdown_workers()
    return result


def iterators(data):
    loader = data.dataloader
    loaders = [data.DataLoader(dataset(data)), data.DataLoader(dataset(data), num_workers=1, multiprocessing_context="fork")]
    return [(type(it).__name__, isinstance(it, loader._BaseDataLoaderIter), len(it)) for it in map(iter, loaders)]


def seeds(lib):
    data = lib.utils.data
    pairs = in_worker(data, lambda: (lib.initial_seed() == data.get_worker_info().seed, data.get_worker_info().seed))
    return [p[0] for p in pairs], pairs[1][1] - pairs[0][1]


def streams_of_random(lib):
    """Whether Python's and NumPy's numbers in a worker are those of its seed, as torch makes them."""
    data = lib.utils.data

    def check():
        info = data.get_worker_info()
        python = random.Random(info.seed).random() == random.random()
        state = data._utils.worker._generate_state(info.seed - info.id, info.id)
        return python, np.random.RandomState(state).rand() == np.random.rand()
    return in_worker(data, check)


COLLATED = {
    "ints and floats": [1, 2.5], "bool and int": [True, 2], "floats and int": [1.5, 2], "complex": [1j], "set": [{1}], "none": [None],
    "points": [Point(1, "a"), Point(2, "b")], "deque": [deque([1, 2]), deque([3, 4])], "user dict": [UserDict(a=1), UserDict(a=2)],
    "nested": [{"a": (1, [2.0])}, {"a": (3, [4.0])}], "missing key": [{"a": 1}, {"b": 1}], "uneven": [(1, 2), (1,)], "empty lists": [[], []],
    "empty": [], "strings": ["a", "b"], "objects": [np.array([object()])], "dataclass": [dataclasses.make_dataclass("D", ["x"])(1)],
    "big int": [2**63], "ordered": [OrderedDict(x=1)],
}

ROWS = {
    **{f"collate {name}": lambda lib, batch=batch: values(lib.utils.data.default_collate(batch)) for name, batch in COLLATED.items()},
    **{f"convert {name}": lambda lib, batch=batch: values(lib.utils.data.default_convert(batch)) for name, batch in COLLATED.items()
       if name not in ("objects", "dataclass")},
    "collate by a map": lambda lib: values(lib.utils.data._utils.collate.collate(
        [{"p": Point(1, 2)}, {"p": Point(3, 4)}], collate_fn_map={Point: collate_points})),
    "collate by a base class": lambda lib: lib.utils.data._utils.collate.collate([Point(1, 2)], collate_fn_map={tuple: collate_points}),
    "collate without a map": lambda lib: lib.utils.data._utils.collate.collate([1]),
    "functions of types": lambda lib: [f.__name__ for f in lib.utils.data._utils.collate.default_collate_fn_map.values()],
    "pin a type of one's own": lambda lib: pinned(lib.utils.data, [Pins(3), (Pins(4), "a"), {"k": Pins(5)}, Point(Pins(6), b"b"), 7]),
    "batches": lambda lib: load(lib.utils.data, dataset(lib.utils.data), batch_size=4),
    "whole batches only": lambda lib: load(lib.utils.data, dataset(lib.utils.data), batch_size=4, drop_last=True),
    "no batches": lambda lib: load(lib.utils.data, dataset(lib.utils.data), batch_size=None),
    "a batch sampler": lambda lib: load(lib.utils.data, dataset(lib.utils.data), batch_sampler=[[1, 2], [3]]),
    "a list of indices at once": lambda lib: load(lib.utils.data, np.arange(10) * 2, batch_size=None, sampler=[[1, 2], [3]]),
    "an array": lambda lib: load(lib.utils.data, np.arange(6.0).reshape(3, 2), batch_size=2),
    "a list": lambda lib: load(lib.utils.data, [3, 1, 2], batch_size=2),
    "getitems": lambda lib: load(lib.utils.data, dataset(lib.utils.data, __getitems__=lambda self, at: [-i for i in at]), batch_size=4),
    "getitems in workers": lambda lib: load(lib.utils.data, dataset(lib.utils.data, __getitems__=lambda self, at: [-i for i in at]), 2,
                                            batch_size=4),
    "a stream": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(5)), batch_size=2),
    "a stream, whole batches": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(5)), batch_size=2, drop_last=True),
    "a stream in workers": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(3)), 2, batch_size=2),
    "a stream without batches": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(3)), batch_size=None),
    "a stream that is longer": lambda lib: fewer(lib.utils.data, 2, 3),
    "a stream that is shorter": lambda lib: fewer(lib.utils.data, 3, 2),
    "a stream and shuffle": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(3)), shuffle=True),
    "a stream and shuffle=False": lambda lib: load(lib.utils.data, stream(lib.utils.data, range(3)), shuffle=False),
    "many epochs": lambda lib: many_epochs(lib.utils.data, 0),
    "many epochs with workers": lambda lib: many_epochs(lib.utils.data, 2),
    "persistent": lambda lib: persistent(lib.utils.data),
    "iterators": lambda lib: iterators(lib.utils.data),
    "an error here": lambda lib: message_of_worker_error(lib.utils.data, ValueError("bad"), 0),
    "an error": lambda lib: message_of_worker_error(lib.utils.data, ValueError("bad")),
    "a KeyError": lambda lib: message_of_worker_error(lib.utils.data, KeyError("bad")),
    "an OSError": lambda lib: message_of_worker_error(lib.utils.data, OSError(2, "bad")),
    "a UnicodeDecodeError": lambda lib: message_of_worker_error(lib.utils.data, UnicodeDecodeError("utf8", b"a", 0, 1, "bad")),
    "worker info": lambda lib: in_worker(lib.utils.data, lambda: (lambda i: (i.id, i.num_workers, i.rng, i.worker_method,
                                                                              [f.name for f in dataclasses.fields(i)]))(
        lib.utils.data.get_worker_info())),
    "no worker info": lambda lib: lib.utils.data.get_worker_info(),
    "threads of workers": lambda lib: in_worker(lib.utils.data, lib.get_num_threads),
    "seeds of workers": seeds,
    "random numbers of workers": streams_of_random,
    "worker_init_fn": lambda lib: sorted(in_worker(lib.utils.data, lambda: random.start, worker_init_fn=set_start)),
    "numpy seeds": lambda lib: [lib.utils.data._utils.worker._generate_state(seed, i) for seed in (0, 1, 2**32, 2**62 + 12345) for i in (0, 3)],
    "fractions": lambda lib: [len(p) for p in lib.utils.data.random_split(range(11), [0.3, 0.3, 0.4])],
    "fractions with nothing": lambda lib: [len(p) for p in lib.utils.data.random_split(range(3), [0.99, 0.01])],
    "fractions that are too many": lambda lib: lib.utils.data.random_split(range(3), [0.9, 0.2]),
    "a negative fraction": lambda lib: lib.utils.data.random_split(range(3), [1.5, -0.5]),
    "lengths": lambda lib: [len(p) for p in lib.utils.data.random_split(range(3), [1, 2])],
    "a sampler's lengths": lambda lib: [len(lib.utils.data.RandomSampler(range(5), num_samples=n)) for n in (None, 3, 12)],
    "a sampler of nothing": lambda lib: lib.utils.data.RandomSampler([]),
    "all of them, then some": lambda lib: sorted(lib.utils.data.RandomSampler(range(3), num_samples=6)),
    "weights": lambda lib: set(lib.utils.data.WeightedRandomSampler([0, 1, 0, 2], 50)),
    "weights once": lambda lib: sorted(lib.utils.data.WeightedRandomSampler([1, 1, 3], 3, replacement=False)),
    "a rank's share": lambda lib: [list(s) for s in (lib.utils.data.DistributedSampler(range(10), 3, 1, seed=5), )],
    "a rank's share, dropped": lambda lib: list(lib.utils.data.DistributedSampler(range(10), 3, 2, shuffle=False, drop_last=True)),
    "a rank's share of an epoch": lambda lib: (lambda s: (s.set_epoch(7), list(s)))(lib.utils.data.DistributedSampler(range(10), 2, 1)),
    "concat past the end": lambda lib: lib.utils.data.ConcatDataset([[1], [2]])[2],
    "concat from the end": lambda lib: lib.utils.data.ConcatDataset([[1], [2]])[-1],
    "concat before the start": lambda lib: lib.utils.data.ConcatDataset([[1], [2]])[-3],
    "concat of nothing": lambda lib: lib.utils.data.ConcatDataset([]),
    "concat, misspelled": lambda lib: lib.utils.data.ConcatDataset([[1], [2]]).cummulative_sizes,
    "concat of streams": lambda lib: lib.utils.data.ConcatDataset([stream(lib.utils.data, [1])]),
    "chain of lists": lambda lib: list(lib.utils.data.ChainDataset([[1]])),
    "subset of a list of indices": lambda lib: values(lib.utils.data.Subset(np.arange(10) * 2, [3, 1, 2])[[0, 2]]),
    "stack of nothing": lambda lib: lib.utils.data.StackDataset(),
    "stack of both": lambda lib: lib.utils.data.StackDataset([1], a=[1]),
    "stack of uneven": lambda lib: lib.utils.data.StackDataset([1], [1, 2]),
    "timeout here": lambda lib: load(lib.utils.data, dataset(lib.utils.data), timeout=1),
    "pickled iterator": lambda lib: iter(lib.utils.data.DataLoader([1])).__getstate__(),
    "fixed": lambda lib: setattr(lib.utils.data.DataLoader([1]), "batch_size", 3),
    "pin_memory": lambda lib: load(lib.utils.data, [1], pin_memory=True, pin_memory_device="cuda"),
    "kinds": lambda lib: (lib.utils.data._DatasetKind.Map, lib.utils.data._DatasetKind.Iterable,
                          values(lib.utils.data._DatasetKind.create_fetcher(0, [5, 6], True, lib.utils.data.default_collate, False).fetch([1]))),
    "attributes": lambda lib: sorted(k for k in vars(lib.utils.data.DataLoader([1])) if "context" not in k),
    "generic": lambda lib: str(lib.utils.data.DataLoader[int]).rpartition(".")[2] + str(lib.utils.data.Dataset[int]).rpartition(".")[2],
}

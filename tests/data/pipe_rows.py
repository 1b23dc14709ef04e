"""What is done with data pipes, one function per row; each is given torch's or ringgrad's `utils.data` and runs under both."""
import io
import json
import os
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np


def double(x):
    return 2 * x


def add(x, y):
    return x + y


def add_default(x, y=10):
    return x + y


def is_even(x):
    return x % 2 == 0


def parity(x):
    return x % 2


def parity_without_zero(x):
    return None if x == 0 else x % 2


def tens(x):
    return x // 10


def keyword_only(x, *, y):
    return x + y


def total(*values):
    return sum(values)


def throws(x):
    raise ValueError(f"no {x}")


def throws_number(x):
    raise OSError(5, "no disk")


def stem(path):
    return os.path.basename(path).split(".")[0]


def wrap(data, x, **kwargs):
    return data.datapipes.iter.IterableWrapper(x, **kwargs)


def sequence(data, x, **kwargs):
    return data.datapipes.map.SequenceWrapper(x, **kwargs)


def length(pipe):
    try:
        return len(pipe)
    except TypeError as error:
        return str(error)


def graph_names(graph):
    """A graph with classes for pipes."""
    return sorted((type(pipe).__name__, graph_names(below)) for pipe, below in graph.values())


def both(pipe):
    """Two passes, and the length."""
    return list(pipe), list(pipe), length(pipe)


def everything(x):
    return list(x) if isinstance(x, Iterator) else x


ITER = {
    "wrapper": lambda d, t: both(wrap(d, [3, 1, 2])),
    "wrapper of a generator": lambda d, t: both(wrap(d, (i for i in range(3)))),
    "a copy is iterated": lambda d, t: appended(d, deepcopy=True),
    "the original is iterated": lambda d, t: appended(d, deepcopy=False),
    "map": lambda d, t: both(wrap(d, range(4)).map(double)),
    "map class": lambda d, t: both(d.datapipes.iter.Mapper(wrap(d, range(4)), double)),
    "map a column": lambda d, t: list(wrap(d, [(1, 2), (3, 4)]).map(double, input_col=1)),
    "map a column to another": lambda d, t: list(wrap(d, [(1, 2), (3, 4)]).map(double, input_col=1, output_col=0)),
    "map columns": lambda d, t: list(wrap(d, [(1, 2, 3), (3, 4, 5)]).map(add, input_col=[0, 2])),
    "map columns backwards": lambda d, t: list(wrap(d, [(1, 2, 3), (3, 4, 5)]).map(add, input_col=[2, 0])),
    "map and append": lambda d, t: list(wrap(d, [(1, 2), [3, 4]]).map(add, input_col=(0, 1), output_col=-1)),
    "map a dict": lambda d, t: list(wrap(d, [{"a": 1, "b": 2}]).map(double, input_col="a", output_col="c")),
    "map dict columns": lambda d, t: list(wrap(d, [{"a": 1, "b": 2}]).map(add, input_col=["b", "a"])),
    "map output only": lambda d, t: wrap(d, [1]).map(double, output_col=1),
    "map outputs": lambda d, t: wrap(d, [1]).map(double, input_col=0, output_col=[1, 2]),
    "map output in a list": lambda d, t: list(wrap(d, [(1, 2)]).map(double, input_col=0, output_col=[1])),
    "map with too few columns": lambda d, t: wrap(d, [(1, 2)]).map(add, input_col=[0]),
    "map with a default": lambda d, t: list(wrap(d, [(1, 2)]).map(add_default, input_col=[0])),
    "map with too many columns": lambda d, t: wrap(d, [(1, 2)]).map(double, input_col=[0, 1]),
    "map any number of columns": lambda d, t: list(wrap(d, [(1, 2)]).map(total, input_col=[0, 1])),
    "map keyword only": lambda d, t: wrap(d, [(1, 2)]).map(keyword_only, input_col=[0]),
    "map what cannot be called": lambda d, t: wrap(d, [1]).map(3),
    "map a lambda": lambda d, t: list(wrap(d, [1]).map(lambda x: x + 1)),
    "map a builtin": lambda d, t: list(wrap(d, [-1]).map(abs)),
    "map that throws": lambda d, t: list(wrap(d, [1]).map(throws)),
    "map that throws a number": lambda d, t: list(wrap(d, [1]).map(throws_number)),
    "collate": lambda d, t: [b.tolist() for b in wrap(d, range(5)).batch(2).collate()],
    "collate by a function": lambda d, t: list(wrap(d, range(5)).batch(2).collate(sum)),
    "collate by collate_fn": lambda d, t: list(wrap(d, range(5)).batch(2).collate(collate_fn=sum)),
    "filter": lambda d, t: both(wrap(d, range(5)).filter(is_even)),
    "filter a column": lambda d, t: list(wrap(d, [(1, 2), (2, 1)]).filter(is_even, input_col=1)),
    "filter columns": lambda d, t: list(wrap(d, [(1, 2), (2, 2)]).filter(lambda a, b: a == b, input_col=[0, 1])),
    "filter without bool": lambda d, t: list(wrap(d, range(5)).filter(double)),
    "batch": lambda d, t: both(wrap(d, range(5)).batch(2)),
    "batch drop_last": lambda d, t: both(wrap(d, range(5)).batch(2, drop_last=True)),
    "batch of lists": lambda d, t: list(wrap(d, range(5)).batch(2, wrapper_class=tuple)),
    "batch nothing": lambda d, t: wrap(d, range(5)).batch(0),
    "batches are chunks": lambda d, t: [(type(b).__name__, b.as_str("> "), list(b.raw_iterator())) for b in wrap(d, range(3)).batch(2)],
    "unbatch": lambda d, t: both(wrap(d, [[[0, 1], [2]], [[3]]]).unbatch()),
    "unbatch two": lambda d, t: list(wrap(d, [[[0, 1], [2]], [[3]]]).unbatch(unbatch_level=2)),
    "unbatch all": lambda d, t: list(wrap(d, [[[0, [1]], 2], 3]).unbatch(unbatch_level=-1)),
    "unbatch too deep": lambda d, t: list(wrap(d, [[0], [1]]).unbatch(unbatch_level=2)),
    "unbatch -2": lambda d, t: list(wrap(d, [[0], [1]]).unbatch(unbatch_level=-2)),
    "unbatch batches": lambda d, t: list(wrap(d, range(5)).batch(2).batch(2).unbatch(unbatch_level=2)),
    "groupby": lambda d, t: list(wrap(d, ["a.1", "b.1", "a.2", "c.1", "b.2", "a.3"]).groupby(stem)),
    "groupby keys": lambda d, t: list(wrap(d, ["a.1", "b.1", "a.2"]).groupby(stem, keep_key=True)),
    "groupby size": lambda d, t: both(wrap(d, range(9)).groupby(parity, group_size=2)),
    "groupby buffer": lambda d, t: list(wrap(d, [0, 10, 20, 1, 2, 30, 31]).groupby(tens, buffer_size=3, keep_key=True)),
    "groupby guaranteed": lambda d, t: list(wrap(d, [0, 1, 10, 2, 20, 3]).groupby(tens, buffer_size=3, group_size=3, guaranteed_group_size=2)),
    "groupby fails": lambda d, t: list(wrap(d, [0, 10, 20, 30]).groupby(tens, buffer_size=3, group_size=3, guaranteed_group_size=2)),
    "groupby drops": lambda d, t: list(wrap(d, [0, 10, 20, 30]).groupby(tens, buffer_size=3, group_size=3, guaranteed_group_size=2,
                                                                         drop_remaining=True)),
    "groupby size > buffer": lambda d, t: wrap(d, []).groupby(tens, buffer_size=3, group_size=4),
    "groupby guaranteed alone": lambda d, t: wrap(d, []).groupby(tens, guaranteed_group_size=4),
    "shuffle": lambda d, t: list(wrap(d, range(20)).shuffle().set_seed(3)),
    "shuffle again": lambda d, t: (lambda p: (list(p.set_seed(3)), list(p.set_seed(3)), length(p)))(wrap(d, range(20)).shuffle()),
    "shuffle small": lambda d, t: list(wrap(d, range(20)).shuffle(buffer_size=4).set_seed(3)),
    "shuffle off": lambda d, t: list(wrap(d, range(20)).shuffle().set_shuffle(False)),
    "shuffle batches": lambda d, t: list(wrap(d, [[1, 2], [3, 4]]).shuffle(unbatch_level=1).set_seed(0)),
    "shuffle nothing": lambda d, t: wrap(d, range(20)).shuffle(buffer_size=0),
    "sampler": lambda d, t: both(d.datapipes.iter.Sampler(wrap(d, "abc"))),
    "sampler args": lambda d, t: length(d.datapipes.iter.Sampler(wrap(d, "abc"), d.RandomSampler, sampler_kwargs={"num_samples": 2})),
    "sampler without length": lambda d, t: d.datapipes.iter.Sampler(wrap(d, "abc").filter(is_even)),
    "concat": lambda d, t: both(wrap(d, range(2)).concat(wrap(d, range(3)))),
    "concat a list": lambda d, t: wrap(d, range(2)).concat([1]),
    "concat nothing": lambda d, t: d.datapipes.iter.Concater(),
    "zip": lambda d, t: both(wrap(d, range(4)).zip(wrap(d, "abc"), wrap(d, range(5)))),
    "zip a list": lambda d, t: wrap(d, range(2)).zip([1]),
    "mux": lambda d, t: both(wrap(d, range(3)).mux(wrap(d, range(10, 15)), wrap(d, range(20, 25)))),
    "no length": lambda d, t: length(wrap(d, range(3)).filter(is_even).map(double)),
    "length of nothing": lambda d, t: len(wrap(d, range(3)).filter(is_even).batch(2)),
    "fork": lambda d, t: [both(p) for p in wrap(d, range(4)).fork(2)],
    "fork in step": lambda d, t: list(zip(*wrap(d, range(4)).fork(3))),
    "fork one": lambda d, t: type(wrap(d, range(4)).fork(1)).__name__,
    "fork none": lambda d, t: wrap(d, range(4)).fork(0),
    "fork overflow": lambda d, t: [list(p) for p in wrap(d, range(4)).fork(2, buffer_size=2)],
    "fork just fits": lambda d, t: [list(p) for p in wrap(d, range(4)).fork(2, buffer_size=4)],
    "fork unlimited": lambda d, t: [list(p) for p in wrap(d, range(2000)).fork(2, buffer_size=-1)],
    "fork copies": lambda d, t: (lambda a, b: [x is y for x, y in zip(a, b)])(*wrap(d, [[1], [2]]).fork(2, copy="deep")),
    "fork shares": lambda d, t: (lambda a, b: [x is y for x, y in zip(a, b)])(*wrap(d, [[1], [2]]).fork(2)),
    "fork unknown copy": lambda d, t: wrap(d, [[1], [2]]).fork(2, copy="half"),
    "demux": lambda d, t: [both(p)[:2] for p in wrap(d, range(6)).demux(2, parity)],
    "demux lengths": lambda d, t: len(wrap(d, range(6)).demux(2, parity)[0]),
    "demux drops": lambda d, t: [list(p) for p in wrap(d, range(6)).demux(2, parity_without_zero, drop_none=True)],
    "demux none": lambda d, t: [list(p) for p in wrap(d, range(6)).demux(2, parity_without_zero)],
    "demux out of range": lambda d, t: [list(p) for p in wrap(d, range(6)).demux(2, double)],
    "demux overflow": lambda d, t: [list(p) for p in wrap(d, range(9)).demux(2, parity, buffer_size=2)],
    "demux one": lambda d, t: [list(p) for p in wrap(d, [0, 2]).demux(1, parity)],
    "demux unlimited": lambda d, t: [list(p) for p in wrap(d, range(9)).demux(2, parity, buffer_size=-1)],
    "sharding": lambda d, t: both(wrap(d, range(7)).sharding_filter()),
    "share": lambda d, t: [both(d.graph_settings.apply_sharding(wrap(d, range(7)).sharding_filter().map(double), 3, i)) for i in range(3)],
    "share of a rank and a worker": lambda d, t: [list(shared(d, rank, worker)) for rank in range(2) for worker in range(2)],
    "share that is not there": lambda d, t: wrap(d, range(7)).sharding_filter().apply_sharding(2, 2),
    "mixed shares": lambda d, t: mixed(d),
    "shared twice": lambda d, t: d.graph_settings.apply_sharding(wrap(d, range(7)).sharding_filter().map(double).sharding_filter(), 2, 0),
    "only one iterator": lambda d, t: two_iterators(wrap(d, range(4))),
    "only one iterator of children": lambda d, t: child_iterators(d),
    "unknown method": lambda d, t: wrap(d, [1]).no_such_method,
    "text": lambda d, t: (repr(p := wrap(d, [1]).map(double)), str(p), "shuffle" in dir(p)),
    "pickled": lambda d, t: [list(pickle.loads(pickle.dumps(p))) for p in pipes_of_all_kinds(d)],
    "pickled in the middle": lambda d, t: pickled_in_the_middle(d),
    "a pipe of one's own": lambda d, t: own_pipe(d),
    "reset is called": lambda d, t: counts_resets(d),
    "registered": lambda d, t: registered(d),
    "registered twice": lambda d, t: d.functional_datapipe("map")(type(wrap(d, []))),
    "any return hint": lambda d, t: hinted(d),
    "plus": lambda d, t: list(wrap(d, [1]) + wrap(d, [2])),
    "a copy of the source of a snapshot": lambda d, t: restored(d, 3),
    "restored too far": lambda d, t: restored(d, 30),
}


def appended(d, **kwargs):
    source = [[1], [2]]
    return [x.append(9) or x for x in wrap(d, source, **kwargs)], source


def shared(d, rank, worker):
    pipe, by = wrap(d, range(11)).sharding_filter(), d.datapipes.iter.sharding.SHARDING_PRIORITIES
    d.graph_settings.apply_sharding(pipe, 2, worker, by.MULTIPROCESSING)
    return d.graph_settings.apply_sharding(pipe, 2, rank, by.DISTRIBUTED)


def mixed(d):
    pipe = wrap(d, range(7)).sharding_filter()
    pipe.apply_sharding(2, 0)
    pipe.apply_sharding(2, 0, sharding_group=d.datapipes.iter.sharding.SHARDING_PRIORITIES.DISTRIBUTED)


def two_iterators(pipe):
    first = iter(pipe)
    seen = [next(first)]
    second = iter(pipe)
    seen.append(next(second))
    try:
        next(first)
    except RuntimeError as error:
        seen.append(str(error).partition("\n")[0])
    return seen, list(second)


def child_iterators(d):
    a, b = wrap(d, range(4)).fork(2)
    ia, ib = iter(a), iter(b)
    seen = [next(ia), next(ia), next(ib)]
    again = iter(a)
    seen.append(next(again))
    try:
        next(ib)
    except RuntimeError as error:
        seen.append("invalidated" in str(error))
    return seen, list(b), list(again)


def pipes_of_all_kinds(d):
    yield wrap(d, range(6)).map(double).batch(2).unbatch()
    yield wrap(d, range(6)).filter(is_even).shuffle().set_seed(1)
    yield wrap(d, range(6)).groupby(parity)
    yield wrap(d, range(6)).mux(wrap(d, range(2)))
    a, b = wrap(d, range(6)).fork(2)
    yield a.zip(b)
    a, b = wrap(d, range(6)).demux(2, parity)
    yield a.concat(b)
    yield sequence(d, range(4)).map(double).shuffle().set_seed(2)


def pickled_in_the_middle(d):
    pipe = wrap(d, range(20)).shuffle(buffer_size=4).set_seed(3)
    it = iter(pipe)
    for _ in range(5):
        next(it)
    return pickle.loads(pickle.dumps(pipe))._number_of_samples_yielded


def own_pipe(d):
    class Count(d.IterDataPipe[int]):
        def __init__(self, n):
            self.n, self.at = n, 0

        def __iter__(self):
            self.at = 0
            return self

        def __next__(self):
            if self.at == self.n:
                raise StopIteration
            self.at += 1
            return self.at
    pipe = Count(3)
    return both(pipe), pipe._number_of_samples_yielded, list(pipe.map(double)), two_iterators(wrap(d, [Count(2)]))[0][0].n


def counts_resets(d):
    class Resets(d.IterDataPipe):
        resets = 0

        def __iter__(self):
            yield self.resets

        def reset(self):
            self.resets += 1
    pipe = Resets()
    return list(pipe), list(pipe.map(double)), pipe.resets


def registered(d):
    @d.functional_datapipe("twice_for_a_test")
    class Twice(d.IterDataPipe):
        """Every element twice."""

        def __init__(self, source, times=2):
            self.source, self.times = source, times

        def __iter__(self):
            for x in self.source:
                yield from [x] * self.times
    try:
        pipe = wrap(d, [1, 2])
        return list(pipe.twice_for_a_test()), list(pipe.twice_for_a_test(times=1)), pipe.twice_for_a_test.__doc__
    finally:
        del d.IterDataPipe.functions["twice_for_a_test"]


def hinted(d):
    class Hinted(d.IterDataPipe):
        def __iter__(self) -> int:
            yield 1
    return list(Hinted())


def restored(d, n):
    pipe = wrap(d, range(8)).map(double)
    it = iter(pipe)
    for _ in range(3):
        next(it)
    other = pickle.loads(pickle.dumps(pipe))
    seen = other._number_of_samples_yielded
    d.datapipes.utils.snapshot._simple_graph_snapshot_restoration(other, n)
    return seen, list(other), list(other)


MAP = {
    "wrapper": lambda d, t: (length(p := sequence(d, "abc")), p[1]),
    "wrapper of a dict": lambda d, t: sequence(d, {"a": 1})["a"],
    "wrapper past the end": lambda d, t: sequence(d, "abc")[3],
    "all": lambda d, t: list(sequence(d, range(4))),
    "map": lambda d, t: (len(p := sequence(d, range(4)).map(double)), p[3]),
    "map by default": lambda d, t: d.datapipes.map.Mapper(sequence(d, range(4)))[3],
    "batch": lambda d, t: (len(p := sequence(d, range(5)).batch(2)), p[1], p[2], type(p[0]).__name__),
    "batch past the end": lambda d, t: sequence(d, range(5)).batch(2)[3],
    "batch drop_last": lambda d, t: (len(p := sequence(d, range(5)).batch(2, drop_last=True)), p[2]),
    "batch nothing": lambda d, t: sequence(d, range(5)).batch(0),
    "concat": lambda d, t: (len(p := sequence(d, range(2)).concat(sequence(d, "abc"))), [p[i] for i in range(5)]),
    "concat past the end": lambda d, t: sequence(d, range(2)).concat(sequence(d, "abc"))[5],
    "concat a list": lambda d, t: sequence(d, range(2)).concat([1]),
    "zip": lambda d, t: (len(p := sequence(d, range(2)).zip(sequence(d, "abc"))), p[1]),
    "zip past the end": lambda d, t: sequence(d, range(2)).zip(sequence(d, "abc"))[2],
    "zip nothing": lambda d, t: d.datapipes.map.Zipper(),
    "shuffle": lambda d, t: both(sequence(d, range(9)).shuffle().set_seed(4))[0::2],
    "shuffle indices": lambda d, t: list(sequence(d, {"a": 1, "b": 2}).shuffle(indices=["a", "b"]).set_seed(4)),
    "shuffle off": lambda d, t: list(sequence(d, range(9)).shuffle().set_shuffle(False)),
    "text": lambda d, t: (repr(sequence(d, "a").map(double)), str(sequence(d, "a")), "zip" in dir(sequence(d, "a"))),
    "unknown method": lambda d, t: sequence(d, "a").no_such_method,
    "registered twice": lambda d, t: d.functional_datapipe("map")(type(sequence(d, []))),
    "loaded": lambda d, t: [b.tolist() for b in t.DataLoader(sequence(d, range(5)).map(double), batch_size=2)],
}


def files_of(d, folder):
    return d.datapipes.iter.FileLister(folder, "*.txt", recursive=True)


def names(folder, paths):
    return [os.path.relpath(p, folder).replace(os.sep, "/") for p in paths]


def closes(d, folder):
    pairs = list(files_of(d, folder).open_files("b"))
    streams = [s for _, s in pairs]
    contents = [c for _, c in d.datapipes.iter.StreamReader(wrap(d, pairs, deepcopy=False))]
    return contents, [s.closed for s in streams]


def filter_closes(d, folder):
    pairs = list(files_of(d, folder).open_files("b"))
    kept = list(wrap(d, pairs, deepcopy=False).filter(lambda pair: pair[0].endswith("b.txt")))
    return [s.closed for _, s in pairs], len(kept)


def decoded(d, folder, *handlers):
    from_files = d.datapipes.iter.FileLister(folder).open_files("b")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        pipe = from_files.routed_decode(*handlers)
    return sorted((os.path.basename(path), described(content)) for path, content in pipe)


def described(x):
    return (str(x.dtype).rpartition(".")[2], tuple(x.shape), float(np.asarray(x, np.float64).sum())) if hasattr(x, "dtype") else x


FILES = {
    "list": lambda d, t, f: names(f, d.datapipes.iter.FileLister(f)),
    "list recursively": lambda d, t, f: names(f, d.datapipes.iter.FileLister(f, recursive=True)),
    "list by mask": lambda d, t, f: names(f, files_of(d, f)),
    "list by masks": lambda d, t, f: names(f, d.datapipes.iter.FileLister([f], masks=["*.json", "*.cls"])),
    "list a file": lambda d, t, f: names(f, d.datapipes.iter.FileLister(os.path.join(f, "a.txt"))),
    "list what a pipe says": lambda d, t, f: names(f, wrap(d, [f, os.path.join(f, "sub")]).list_files()),
    "list a folder that is not there": lambda d, t, f: [warnings.simplefilter("ignore"), list(d.datapipes.iter.FileLister(f + "/none"))],
    "lengths": lambda d, t, f: (length(d.datapipes.iter.FileLister(f)), length(d.datapipes.iter.FileLister(f, length=7))),
    "absolute": lambda d, t, f: all(os.path.isabs(p) for p in d.datapipes.iter.FileLister(os.path.relpath(f), abspath=True)),
    "read": lambda d, t, f: [c for _, c in files_of(d, f).open_files().read_from_stream()],
    "read bytes": lambda d, t, f: [c for _, c in files_of(d, f).open_files("rb").read_from_stream(chunk=2)],
    "wrong mode": lambda d, t, f: files_of(d, f).open_files("w"),
    "encoded bytes": lambda d, t, f: files_of(d, f).open_files("b", encoding="utf-8"),
    "open a number": lambda d, t, f: list(wrap(d, [3]).open_files()),
    "streams are closed": lambda d, t, f: closes(d, f),
    "filtered streams are closed": lambda d, t, f: filter_closes(d, f),
    "decode": lambda d, t, f: decoded(d, f),
    **{f"decode images as {spec}": lambda d, t, f, spec=spec: decoded(d, f, d.datapipes.utils.decoder.imagehandler(spec))
       for spec in ("l", "l8", "rgb", "rgb8", "rgba", "torchrgb", "torchrgb8", "torch")},
    "decode by a handler": lambda d, t, f: decoded(d, f, d.datapipes.utils.decoder.handle_extension("txt json", len)),
    "unknown image": lambda d, t, f: d.datapipes.utils.decoder.ImageHandler("cmyk"),
    "wrapped stream": lambda d, t, f: (lambda w: (w.read(), w.closed, w.close(), w.closed, repr(w)[:14]))(
        d.datapipes.utils.common.StreamWrapper(io.StringIO("text"))),
    "child streams": lambda d, t, f: child_streams(d),
    "pathname tuples": lambda d, t, f: [(kind_of_error(d.datapipes.utils.common.validate_pathname_binary_tuple, x) or ["fits"])[0]
                                        for x in (3, ("a",), (1, io.BytesIO()), ("a", 3), ("a", io.BytesIO()))],
}


def kind_of_error(f, *args):
    try:
        return f(*args)
    except Exception as error:
        return type(error).__name__, str(error)


def child_streams(d):
    wrapper = d.datapipes.utils.common.StreamWrapper
    parent = wrapper(io.StringIO())
    children = [wrapper(io.StringIO(), parent) for _ in range(2)]
    parent.autoclose()
    states = []
    for c in children:
        c.close()
        states.append(parent.closed)
    return states


def a_graph(d):
    a, b = wrap(d, range(4)).map(double).fork(2)
    return a.zip(b.shuffle(), wrap(d, range(4))).batch(2)


def with_pipes_in_containers(d):
    global Holder  # pickle looks for it here

    class Holder(d.IterDataPipe):
        __qualname__ = "Holder"

        def __init__(self):
            self.listed, self.named, self.number = [wrap(d, [1]), 3], {"a": (wrap(d, [2]).map(double),)}, 4
    return Holder()


def random_seeds(d, t):
    pipe = wrap(d, range(9)).shuffle().map(double).shuffle()
    d.graph_settings.apply_random_seed(pipe, None)
    return all(isinstance(p._seed, int) for p in (pipe, pipe.datapipe.datapipe))


GRAPHS = {
    "chain": lambda d, t: graph_names(d.graph.traverse_dps(wrap(d, [1]).map(double).batch(2))),
    "forks": lambda d, t: graph_names(d.graph.traverse_dps(a_graph(d))),
    "containers": lambda d, t: graph_names(d.graph.traverse_dps(with_pipes_in_containers(d))),
    "map pipes": lambda d, t: graph_names(d.graph.traverse_dps(sequence(d, "ab").map(double).shuffle())),
    "no pipe": lambda d, t: d.graph.traverse_dps([1]),
    "all pipes": lambda d, t: [type(p).__name__ for p in d.graph_settings.get_all_graph_pipes(d.graph.traverse_dps(a_graph(d)))],
    "traverse": lambda d, t: graph_names(d.graph.traverse(a_graph(d), only_datapipe=True)),
    "shuffle off": lambda d, t: list(d.graph_settings.apply_shuffle_settings(wrap(d, range(9)).shuffle().map(double), shuffle=False)),
    "shuffle on": lambda d, t: type(d.graph_settings.apply_shuffle_settings(wrap(d, range(9)).map(double), shuffle=True)).__name__,
    "shuffle as it is": lambda d, t: type(d.graph_settings.apply_shuffle_settings(wrap(d, range(9)).map(double))).__name__,
    "seeds": random_seeds,
    "old name of seeds": lambda d, t: list(d.graph_settings.apply_shuffle_seed(wrap(d, range(3)), None)),
    "old worker_init_fn": lambda d, t: d.backward_compatibility.worker_init_fn(0),
}


def validated(d, hint, elements, narrow=None):
    class Typed(d.IterDataPipe[hint]):
        @d.runtime_validation
        def __iter__(self):
            yield from elements
    pipe = Typed()
    return list(pipe.reinforce_type(narrow) if narrow is not None else pipe)


def argument_checked(d, value):
    class Takes(d.IterDataPipe):
        @d.argument_validation
        def __init__(self, source: d.IterDataPipe, n: int = 3):
            self.source = source
    return type(Takes(value)).__name__


def undetermined(d, guaranteed, **kwargs):
    @d.non_deterministic(lambda shuffle=True: shuffle)
    class Random(d.IterDataPipe):
        def __init__(self, shuffle=True):
            pass

    @d.non_deterministic
    class Always(d.IterDataPipe):
        pass
    if not guaranteed:
        return type(Random(**kwargs)).__name__, type(Always()).__name__
    with d.guaranteed_datapipes_determinism():
        return type(Random(**kwargs)).__name__ if kwargs else type(Always()).__name__


HINTS = [int, float, bool, str, complex, Any, None, list, list[int], list[float], tuple, tuple[int, str], tuple[int, ...], dict, dict[str, int],
         int | str, set[int], np.ndarray]
VALUES = [1, 1.5, True, "a", [1], ["a"], [], (1, "a"), (1,), {"a": 1}, {1: 1}, {1, 2}, None, 1j]

TYPES = {
    "validates __iter__": lambda d, t: d.runtime_validation(double),
    "no pipe as argument": lambda d, t: argument_checked(d, [1]),
    "random": lambda d, t: undetermined(d, False),
    "not random": lambda d, t: undetermined(d, True, shuffle=False),
    "random and guaranteed": lambda d, t: undetermined(d, True, shuffle=True),
    "always random and guaranteed": lambda d, t: undetermined(d, True),
    "marking what is no class": lambda d, t: d.non_deterministic(3),
    "marking what is no pipe": lambda d, t: d.non_deterministic(int),
    "kinds of types": lambda d, t: [(str(a), str(b)) for a in HINTS for b in HINTS if d.datapipes._typing.issubtype(a, b)],
    "kinds of values": lambda d, t: [(str(v), str(h)) for v in VALUES for h in HINTS if d.datapipes._typing.issubinstance(v, h)],
}


def write_files(folder):
    """A folder with files of several kinds."""
    from PIL import Image
    (folder / "sub").mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "b.txt").write_text("beta")
    (folder / "sub" / "c.txt").write_text("gamma")
    (folder / "n.cls").write_text("17")
    (folder / "d.json").write_text(json.dumps({"x": [1, 2]}))
    (folder / "e.pyd").write_bytes(pickle.dumps({1: 2}))
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(folder / "p.png")
    return str(folder)

"""What every backend must do: one function per rule, run on every rank of a group at once.

A rule gets a `Ranks` and asserts. Rules use small integers, so that sums are exact in every dtype and order.
`@rule` registers; `ranks=` lists the world sizes it makes sense for, `only=` and `never=` backends.
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad.distributed import ReduceOp, flight_recorder

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype(name) for name in ("float16", "float32", "float64")] + [BFLOAT16]
INTEGERS = [np.dtype(name) for name in ("uint8", "int8", "int16", "int32", "int64")]
COMPLEX = [np.dtype("complex64"), np.dtype("complex128")]
BOOL = np.dtype(bool)
DTYPES = [*FLOATS, *INTEGERS, *COMPLEX, BOOL]

NUMPY = {
    ReduceOp.SUM: np.add,
    ReduceOp.AVG: np.add,
    ReduceOp.PRODUCT: np.multiply,
    ReduceOp.MIN: np.minimum,
    ReduceOp.MAX: np.maximum,
    ReduceOp.BAND: np.bitwise_and,
    ReduceOp.BOR: np.bitwise_or,
    ReduceOp.BXOR: np.bitwise_xor,
}
ARITHMETIC = [ReduceOp.SUM, ReduceOp.PRODUCT, ReduceOp.MIN, ReduceOp.MAX]
BITWISE = [ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR]

RULES: dict[str, "Rule"] = {}


@dataclass(frozen=True)
class Rule:
    function: Any
    ranks: tuple[int, ...]
    never: tuple[str, ...]


def rule(ranks=(1, 2, 3, 4), never=()):
    def register(function):
        RULES[function.__name__] = Rule(function, tuple(ranks), tuple(never))
        return function

    return register


class Ranks:
    """One rank's view of a rule: who it is, and arrays on the device under test."""

    def __init__(self, xp=np):
        self.rank, self.size, self.xp = dist.get_rank(), dist.get_world_size(), xp

    def group(self, timeout=20.0):
        """A group of all ranks for this rule alone."""
        return dist.new_group(timeout=timeout)

    def values(self, rank, dtype=np.float32, n=6):
        """What a rank contributes: small integers that differ from rank to rank; booleans, complex numbers likewise."""
        numbers = (np.arange(n) * (rank + 2) + rank) % 5 + 1
        if np.dtype(dtype).kind == "b":
            return numbers % 2 == 0
        if np.dtype(dtype).kind == "c":
            return (numbers + 1j * (numbers - 2)).astype(dtype)
        return numbers.astype(dtype)

    def mine(self, dtype=np.float32, n=6):
        return self.on_device(self.values(self.rank, dtype, n))

    def on_device(self, array):
        return self.xp.array(array)

    def combined(self, op, dtype=np.float32, n=6):
        """The reduction of all ranks' values, by NumPy."""
        parts = [self.values(rank, dtype, n) for rank in range(self.size)]
        wide = [part.astype(np.float64) if np.dtype(dtype) in FLOATS else part for part in parts]
        total = wide[0]
        for part in wide[1:]:
            total = NUMPY[op](total, part)
        return (total / self.size if op is ReduceOp.AVG else total).astype(dtype)


def same(array, expected):
    """Equal in dtype, shape and every element."""
    found = array if isinstance(array, np.ndarray) else array.get()
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype, (found.dtype, expected.dtype)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert np.array_equal(found, expected), f"found {found}, expected {expected}"


def near(array, expected):
    """Equal up to the dtype's rounding."""
    found = array if isinstance(array, np.ndarray) else array.get()
    tolerance = {2: 8e-3, 4: 1e-6, 8: 1e-6, 16: 1e-12}[found.dtype.itemsize]
    np.testing.assert_allclose(found.astype(np.complex128), np.asarray(expected).astype(np.complex128), rtol=tolerance)


# Reductions


@rule()
def all_reduce_of_every_dtype(ranks):
    group = ranks.group()
    for dtype in DTYPES:
        for op in [ReduceOp.SUM] if dtype in COMPLEX else ARITHMETIC:
            array = ranks.mine(dtype)
            dist.all_reduce(array, op, group)
            same(array, ranks.combined(op, dtype))


@rule(never=("nccl",))
def all_reduce_of_bits(ranks):
    group = ranks.group()
    for dtype in [*INTEGERS, BOOL]:
        for op in BITWISE:
            array = ranks.mine(dtype)
            dist.all_reduce(array, op, group)
            same(array, ranks.combined(op, dtype))


@rule()
def average(ranks):
    group = ranks.group()
    for dtype in [*FLOATS, *COMPLEX]:
        array = ranks.mine(dtype)
        dist.all_reduce(array, ReduceOp.AVG, group)
        near(array, ranks.combined(ReduceOp.AVG, dtype))
        work = dist.all_reduce(array, ReduceOp.AVG, group, async_op=True)
        assert work.wait() is True
        near(array, ranks.combined(ReduceOp.AVG, dtype))


@rule(ranks=(2, 4))
def half_precision_is_summed_in_single(ranks):
    """2048 + 1 is lost in float16 when each step is rounded, and kept when only the end is."""
    for dtype, big in ((np.dtype(np.float16), 2048.0), (BFLOAT16, 256.0)):
        values = [big, *[1.0] * (ranks.size - 1)]
        array = ranks.on_device(np.array([values[ranks.rank]], dtype))
        dist.all_reduce(array)
        same(array, np.array([np.float32(sum(values))]).astype(dtype))


@rule()
def shapes_and_strides(ranks):
    group = ranks.group()
    scale = sum(range(1, ranks.size + 1))
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = {
        "transposed": lambda a: a.T,
        "every second column": lambda a: a[:, ::2],
        "backwards": lambda a: a[::-1],
        "one column": lambda a: a[:, 3],
        "0-d": lambda a: a[1, 2],
        "whole": lambda a: a,
        "empty": lambda a: a[:0],
    }
    for name, view in views.items():
        array = ranks.on_device(base * (ranks.rank + 1))
        expected = base * (ranks.rank + 1)
        part = view(array) if name != "0-d" else array[1, 2:3].reshape(())
        dist.all_reduce(part, group=group)
        inside = expected[1, 2:3].reshape(()) if name == "0-d" else view(expected)
        inside[...] = (base[1, 2] if name == "0-d" else view(base)) * scale
        same(array, expected)


@rule()
def large_arrays(ranks):
    array = ranks.on_device(np.full(3 << 18, ranks.rank + 1, np.float32))
    dist.all_reduce(array)
    same(array, np.full(3 << 18, sum(range(1, ranks.size + 1)), np.float32))
    row = ranks.on_device(np.arange(1 << 18) if ranks.rank == 0 else np.zeros(1 << 18, np.int64))
    dist.broadcast(row, 0)
    same(row, np.arange(1 << 18))


@rule()
def reduce_leaves_the_others_alone(ranks):
    group = ranks.group()
    for root in range(ranks.size):
        for dtype in (np.dtype(np.float32), np.dtype(np.float16), BFLOAT16, np.dtype(np.int16), BOOL, COMPLEX[0]):
            array = ranks.mine(dtype)
            dist.reduce(array, root, ReduceOp.SUM, group)
            same(array, ranks.combined(ReduceOp.SUM, dtype) if ranks.rank == root else ranks.values(ranks.rank, dtype))
    array = ranks.on_device(np.arange(6, dtype=np.float32).reshape(2, 3)).T
    dist.reduce(array, ranks.size - 1, ReduceOp.AVG, group)
    same(array, np.arange(6, dtype=np.float32).reshape(2, 3).T)


@rule()
def reduce_scatter(ranks):
    group = ranks.group()
    for dtype in (np.dtype(np.float32), np.dtype(np.float64), BFLOAT16, np.dtype(np.int16), BOOL, COMPLEX[1]):
        whole = ranks.mine(dtype, n=2 * ranks.size)
        total = ranks.combined(ReduceOp.SUM, dtype, n=2 * ranks.size)
        mine = slice(2 * ranks.rank, 2 * ranks.rank + 2)
        output = ranks.on_device(np.zeros(2, dtype))
        dist.reduce_scatter_tensor(output, whole, group=group)
        same(output, total[mine])
        same(whole, ranks.values(ranks.rank, dtype, 2 * ranks.size))
        output = ranks.on_device(np.zeros(2, dtype))
        dist.reduce_scatter(output, [whole[2 * i : 2 * i + 2] for i in range(ranks.size)], group=group)
        same(output, total[mine])
    output = ranks.on_device(np.zeros((2, 1), np.float32))
    dist.reduce_scatter_tensor(output, ranks.mine(n=2 * ranks.size), ReduceOp.AVG, group)
    near(output[:, 0], ranks.combined(ReduceOp.AVG, n=2 * ranks.size)[2 * ranks.rank : 2 * ranks.rank + 2])


@rule()
def reduce_scatter_of_unequal_parts(ranks):
    parts = [ranks.on_device(np.full(size + 1, ranks.rank + size, np.float32)) for size in range(ranks.size)]
    output = ranks.on_device(np.zeros(ranks.rank + 1, np.float32))
    dist.reduce_scatter(output, parts)
    same(output, np.full(ranks.rank + 1, sum(rank + ranks.rank for rank in range(ranks.size)), np.float32))


@rule()
def reduce_scatter_into_its_own_input(ranks):
    whole = ranks.mine(n=2 * ranks.size)
    part = whole[2 * ranks.rank : 2 * ranks.rank + 2]
    dist.reduce_scatter_tensor(part, whole)
    same(part, ranks.combined(ReduceOp.SUM, n=2 * ranks.size)[2 * ranks.rank : 2 * ranks.rank + 2])


# Copies


@rule()
def broadcast_from_every_root(ranks):
    group = ranks.group()
    for root in range(ranks.size):
        for dtype in DTYPES:
            array = ranks.mine(dtype)
            dist.broadcast(array, root, group)
            same(array, ranks.values(root, dtype))
    array = ranks.on_device(np.arange(6.0).reshape(2, 3) * ranks.rank).T
    dist.broadcast(array, group=group, group_src=ranks.size - 1)
    same(array, np.arange(6.0).reshape(2, 3).T * (ranks.size - 1))


@rule()
def all_gather(ranks):
    group = ranks.group()
    for dtype in DTYPES:
        outputs = [ranks.on_device(np.zeros((2, 3), dtype)) for _ in range(ranks.size)]
        dist.all_gather(outputs, ranks.mine(dtype).reshape(2, 3), group)
        for rank, output in enumerate(outputs):
            same(output, ranks.values(rank, dtype).reshape(2, 3))
    strided = ranks.on_device(np.zeros((6, 2 * ranks.size), np.float32))
    dist.all_gather([strided[:, 2 * rank] for rank in range(ranks.size)], ranks.mine(), group)
    for rank in range(ranks.size):
        same(strided[:, 2 * rank], ranks.values(rank))
        same(strided[:, 2 * rank + 1], np.zeros(6, np.float32))


@rule()
def all_gather_of_unequal_sizes(ranks):
    outputs = [ranks.on_device(np.zeros(rank * 2, np.int64)) for rank in range(ranks.size)]
    dist.all_gather(outputs, ranks.on_device(np.full(ranks.rank * 2, ranks.rank)))
    for rank, output in enumerate(outputs):
        same(output, np.full(rank * 2, rank))


@rule()
def all_gather_into_one_tensor(ranks):
    group = ranks.group()
    expected = np.stack([ranks.values(rank) for rank in range(ranks.size)])
    for shape in ((ranks.size * 6,), (ranks.size, 6), (ranks.size, 2, 3)):
        output = ranks.on_device(np.zeros(shape, np.float32))
        dist.all_gather_into_tensor(output, ranks.mine(), group)
        same(output, expected.reshape(shape))
    whole = ranks.on_device(np.zeros((ranks.size, 6), np.float32))
    whole[ranks.rank] = ranks.mine()
    dist.all_gather_into_tensor(whole, whole[ranks.rank], group)
    same(whole, expected)


@rule()
def gather_to_every_root(ranks):
    group = ranks.group()
    for root in range(ranks.size):
        outputs = [ranks.on_device(np.zeros(6, np.float32)) for _ in range(ranks.size)] if ranks.rank == root else None
        dist.gather(ranks.mine(), outputs, root, group)
        for rank, output in enumerate(outputs or ()):
            same(output, ranks.values(rank))
    outputs = [ranks.on_device(np.zeros(6, BFLOAT16)) for _ in range(ranks.size)] if ranks.rank == 0 else None
    dist.gather(ranks.mine(BFLOAT16), outputs, group=group)
    for rank, output in enumerate(outputs or ()):
        same(output, ranks.values(rank, BFLOAT16))


@rule()
def scatter_from_every_root(ranks):
    group = ranks.group()
    for root in range(ranks.size):
        parts = [ranks.on_device(ranks.values(rank + root)) for rank in range(ranks.size)] if ranks.rank == root else None
        output = ranks.on_device(np.zeros((6, 2), np.float32))
        dist.scatter(output[:, 1], parts, root, group)
        same(output[:, 1], ranks.values(ranks.rank + root))
        same(output[:, 0], np.zeros(6, np.float32))
    output = ranks.on_device(np.zeros(6, BOOL))
    dist.scatter(output, [ranks.on_device(ranks.values(rank, BOOL)) for rank in range(ranks.size)] if ranks.rank == 0 else [], group=group)
    same(output, ranks.values(ranks.rank, BOOL))


@rule()
def all_to_all(ranks):
    """Rank i sends i + j + 1 elements of value 10 i + j to rank j."""
    inputs = [ranks.on_device(np.full(ranks.rank + to + 1, 10 * ranks.rank + to, np.float32)) for to in range(ranks.size)]
    outputs = [ranks.on_device(np.zeros(ranks.rank + source + 1, np.float32)) for source in range(ranks.size)]
    dist.all_to_all(outputs, inputs)
    for source, output in enumerate(outputs):
        same(output, np.full(ranks.rank + source + 1, 10 * source + ranks.rank, np.float32))


@rule()
def all_to_all_single(ranks):
    group = ranks.group()
    for dtype in DTYPES:
        data = ranks.mine(dtype, n=2 * ranks.size).reshape(ranks.size, 2)
        output = ranks.on_device(np.zeros((ranks.size, 2), dtype))
        dist.all_to_all_single(output, data, group=group)
        same(output, np.stack([ranks.values(rank, dtype, 2 * ranks.size).reshape(ranks.size, 2)[ranks.rank] for rank in range(ranks.size)]))


@rule()
def all_to_all_single_of_unequal_splits(ranks):
    """Rank i sends j rows to rank j, so rank 0 receives nothing and rank j receives j rows from each."""
    splits = list(range(ranks.size))
    data = ranks.on_device(np.repeat(np.arange(ranks.size) + 100.0 * ranks.rank, splits)[:, None] * np.ones(3))
    output = ranks.on_device(np.zeros((ranks.size * ranks.rank, 3)))
    dist.all_to_all_single(output, data, [ranks.rank] * ranks.size, splits)
    same(output, np.repeat(100.0 * np.arange(ranks.size) + ranks.rank, ranks.rank)[:, None] * np.ones(3))


@rule(ranks=(2, 3))
def all_to_all_with_splits_that_disagree(ranks):
    data, output = ranks.on_device(np.zeros(2 * ranks.size)), ranks.on_device(np.zeros(2 * ranks.size))
    splits = [2] * ranks.size
    if ranks.rank == 1:
        splits[0], splits[1] = 1, 3
    with pytest.raises(dist.CollectiveMismatchError, match="rank 1 sends 1 elements to rank 0, which expects 2"):
        dist.all_to_all_single(output, data, [2] * ranks.size, splits)
    dist.all_to_all_single(output, data)


# Asynchronous


@rule()
def many_at_once_waited_for_in_any_order(ranks):
    group = ranks.group()
    arrays = [ranks.on_device(np.full(100 * index + 1, index + ranks.rank, np.float32)) for index in range(12)]
    works = [dist.all_reduce(array, group=group, async_op=True) for array in arrays]
    order = range(12) if ranks.rank % 2 else reversed(range(12))
    for index in order:
        works[index].wait()
        same(arrays[index], np.full(100 * index + 1, sum(index + rank for rank in range(ranks.size)), np.float32))


@rule()
def every_collective_can_be_asynchronous(ranks):
    group, n = ranks.group(), ranks.size
    new = lambda *shape: ranks.on_device(np.zeros(shape, np.float32))  # noqa: E731
    first = ranks.rank == 0
    reduced, sent, gathered, row, scattered, part, alled = (
        ranks.mine(),
        ranks.mine(),
        [new(6) for _ in range(n)],
        new(6 * n),
        new(6),
        new(2),
        new(n),
    )
    works = [
        dist.reduce(reduced, 0, group=group, async_op=True),
        dist.broadcast(sent, 0, group, async_op=True),
        dist.all_gather(gathered, ranks.mine(), group, async_op=True),
        dist.all_gather_into_tensor(row, ranks.mine(), group, async_op=True),
        dist.scatter(scattered, [ranks.on_device(ranks.values(i)) for i in range(n)] if first else None, 0, group, async_op=True),
        dist.reduce_scatter_tensor(part, ranks.mine(n=2 * n), group=group, async_op=True),
        dist.all_to_all_single(alled, ranks.on_device(np.arange(n, dtype=np.float32) + 10 * ranks.rank), group=group, async_op=True),
        dist.barrier(group, async_op=True),
    ]
    for work in reversed(works):
        assert work.wait() and work.is_completed() and work.is_success() and work.exception() is None
    same(reduced, ranks.combined(ReduceOp.SUM) if first else ranks.values(ranks.rank))
    same(sent, ranks.values(0))
    for rank in range(n):
        same(gathered[rank], ranks.values(rank))
    same(row.reshape(n, 6), np.stack([ranks.values(rank) for rank in range(n)]))
    same(scattered, ranks.values(ranks.rank))
    same(part, ranks.combined(ReduceOp.SUM, n=2 * n)[2 * ranks.rank : 2 * ranks.rank + 2])
    same(alled, ranks.rank + 10 * np.arange(n, dtype=np.float32))


@rule()
def synchronous_here_asynchronous_there(ranks):
    array = ranks.mine()
    work = dist.all_reduce(array, async_op=ranks.rank % 2 == 0)
    if ranks.rank % 2 == 0:
        work.wait()
    else:
        assert work is None
    same(array, ranks.combined(ReduceOp.SUM))


@rule()
def two_groups_waited_for_in_opposite_orders(ranks):
    groups = [ranks.group(), ranks.group()]
    arrays = [ranks.mine(), ranks.mine(np.float64)]
    works = [dist.all_reduce(array, group=group, async_op=True) for array, group in zip(arrays, groups, strict=True)]
    for work in works if ranks.rank % 2 else reversed(works):
        work.wait()
    same(arrays[0], ranks.combined(ReduceOp.SUM))
    same(arrays[1], ranks.combined(ReduceOp.SUM, np.float64))


@rule()
def polling_and_progress_complete_an_operation(ranks):
    array = ranks.on_device(np.arange(12.0).reshape(3, 4)).T
    work = dist.all_reduce(array, async_op=True)
    while not work.is_completed():
        dist.progress()
    same(array, np.arange(12.0).reshape(3, 4).T * ranks.size)
    assert work.result()[0] is array
    future = work.get_future().then(lambda done: done.value()[0].sum())
    assert float(future.wait()) == 66.0 * ranks.size and future.done()


# Messages


@rule(ranks=(2, 3, 4))
def messages_round_a_ring(ranks):
    after, before = (ranks.rank + 1) % ranks.size, (ranks.rank - 1) % ranks.size
    for dtype in DTYPES:
        received = ranks.on_device(np.zeros((6, 2), dtype))
        if ranks.rank == 0:
            dist.send(ranks.mine(dtype), after)
            assert dist.recv(received[:, 0], before) == before
        else:
            assert dist.recv(received[:, 0], before) == before
            dist.send(ranks.mine(dtype), after)
        same(received[:, 0], ranks.values(before, dtype))
    batch = [
        dist.P2POp(dist.isend, ranks.mine(), after),
        dist.P2POp(dist.irecv, received := ranks.on_device(np.zeros(6, np.float32)), before),
    ]
    for work in dist.batch_isend_irecv(batch if ranks.rank else batch[::-1]):
        work.wait()
    same(received, ranks.values(before))


@rule(ranks=(2, 3), never=("nccl",))
def tags_tell_messages_apart(ranks):
    if ranks.rank == 0:
        for tag in (5, 6, 5):
            dist.send(ranks.on_device(np.full(2, tag)), 1, tag=tag)
    elif ranks.rank == 1:
        found = []
        for tag in (6, 5, 5):
            array = ranks.on_device(np.zeros(2, np.int64))
            dist.recv(array, 0, tag=tag)
            found.append(int(array[0]))
        assert found == [6, 5, 5]


@rule(ranks=(2, 3, 4), never=("nccl",))
def from_any_source(ranks):
    if ranks.rank:
        dist.send(ranks.on_device(np.array([ranks.rank])), 0)
        return
    sources, values = set(), set()
    for _ in range(ranks.size - 1):
        array = ranks.on_device(np.zeros(1, np.int64))
        source = dist.recv(array)
        assert int(array[0]) == source
        sources.add(source)
        values.add(int(array[0]))
    assert sources == values == set(range(1, ranks.size))


@rule(ranks=(2,), never=("nccl",))
def messages_of_the_wrong_size(ranks):
    for sent, expected in ((2, 3), (3, 2)):
        group = ranks.group()
        if ranks.rank == 0:
            dist.send(ranks.on_device(np.zeros(sent, np.float32)), 1, group)
        else:
            with pytest.raises(dist.CollectiveMismatchError, match=r"\[rank 1\] recv.*sen[dt]"):
                dist.recv(ranks.on_device(np.zeros(expected, np.float32)), 0, group)


@rule(ranks=(2,), never=("nccl",))
def a_message_that_never_comes(ranks):
    group = ranks.group(timeout=0.3)
    if ranks.rank == 0:
        with pytest.raises(dist.DistTimeoutError, match=r"\[rank 0\] recv #1 .*shape \(3,\).*0.3 s"):
            dist.recv(ranks.on_device(np.zeros(3, np.float32)), 1, group)
    dist.barrier()


# Objects and meetings


@rule()
def objects(ranks):
    group, mine = ranks.group(), {"rank": ranks.rank, "text": "x" * 10**ranks.rank, "array": np.arange(ranks.rank)}
    everyones = [None] * ranks.size
    dist.all_gather_object(everyones, mine, group)
    assert [each["rank"] for each in everyones] == list(range(ranks.size))
    assert [len(each["text"]) for each in everyones] == [10**rank for rank in range(ranks.size)]
    for root in range(ranks.size):
        gathered = [None] * ranks.size if ranks.rank == root else None
        dist.gather_object(ranks.rank * 2, gathered, root, group)
        assert gathered == ([rank * 2 for rank in range(ranks.size)] if ranks.rank == root else None)
        listed = [root, "from", {"root": root}] if ranks.rank == root else [None] * 3
        dist.broadcast_object_list(listed, root, group)
        assert listed == [root, "from", {"root": root}]
        out = [None]
        dist.scatter_object_list(
            out, [("for", rank, "y" * rank) for rank in range(ranks.size)] if ranks.rank == root else None, root, group
        )
        assert out == [("for", ranks.rank, "y" * ranks.rank)]


@rule(ranks=(2,))
def objects_from_one_to_one(ranks):
    if ranks.rank == 0:
        dist.send_object_list([1, "two", {3: None}], 1)
    else:
        found = [None] * 3
        assert dist.recv_object_list(found, 0) == 0
        assert found == [1, "two", {3: None}]


@rule()
def barriers(ranks):
    dist.barrier()
    assert dist.barrier(async_op=True).wait()
    if ranks.xp is np:
        dist.monitored_barrier(timeout=20)


@rule(ranks=(2, 3, 4), never=("nccl",))
def a_monitored_barrier_names_who_is_missing(ranks):
    group = ranks.group(timeout=20)
    if ranks.rank == 0:
        with pytest.raises(RuntimeError, match=r"\[rank 0\] Rank\(s\) 1 failed to pass monitoredBarrier in 300 ms"):
            dist.monitored_barrier(group, timeout=0.3)
    elif ranks.rank > 1:
        with pytest.raises(dist.DistTimeoutError, match="monitored|recv"):
            dist.monitored_barrier(group, timeout=0.4)
    dist.barrier()


# Groups


@rule()
def groups(ranks):
    evens = dist.new_group(list(range(0, ranks.size, 2)))
    alone = [dist.new_group([rank]) for rank in range(ranks.size)]
    if ranks.rank % 2 == 0:
        assert dist.get_rank(evens) == ranks.rank // 2
        assert dist.get_process_group_ranks(evens) == list(range(0, ranks.size, 2))
        assert dist.get_world_size(evens) == (ranks.size + 1) // 2
        assert dist.get_global_rank(evens, dist.get_rank(evens)) == ranks.rank
        assert dist.get_group_rank(evens, ranks.rank) == ranks.rank // 2
        array = ranks.on_device(np.array([ranks.rank]))
        dist.all_reduce(array, group=evens)
        same(array, np.array([sum(range(0, ranks.size, 2))]))
        last = max(range(0, ranks.size, 2))
        array = ranks.on_device(np.array([ranks.rank]))
        dist.broadcast(array, last, evens)
        same(array, np.array([last]))
        with pytest.raises(ValueError, match="not part of group"):
            dist.get_group_rank(evens, 99)
    else:
        assert evens is dist.GroupMember.NON_GROUP_MEMBER
        assert dist.get_rank(evens) == dist.get_world_size(evens) == -1
    assert [dist.get_rank(group) for group in alone] == [0 if rank == ranks.rank else -1 for rank in range(ranks.size)]
    array = ranks.mine()
    dist.all_reduce(array, group=alone[ranks.rank])
    same(array, ranks.values(ranks.rank))


@rule(ranks=(2, 3, 4))
def ranks_of_a_group_in_another_order(ranks):
    backwards = list(reversed(range(ranks.size)))
    group = dist.new_group(backwards, sort_ranks=False)
    assert dist.get_rank(group) == ranks.size - 1 - ranks.rank
    array = ranks.on_device(np.array([ranks.rank]))
    dist.broadcast(array, group=group, group_src=0)
    same(array, np.array([ranks.size - 1]))
    assert dist.get_process_group_ranks(dist.new_group(backwards)) == sorted(backwards)


@rule(ranks=(4,))
def groups_side_by_side(ranks):
    mine, all_of_them = dist.new_subgroups(2)
    assert len(all_of_them) == 2 and dist.get_process_group_ranks(mine) == [ranks.rank // 2 * 2, ranks.rank // 2 * 2 + 1]
    array = ranks.on_device(np.array([ranks.rank]))
    dist.all_reduce(array, group=mine)
    same(array, np.array([1 if ranks.rank < 2 else 5]))
    crossed, _ = dist.new_subgroups_by_enumeration([[0, 3], [1, 2]])
    array = ranks.on_device(np.array([ranks.rank]))
    dist.all_reduce(array, group=crossed)
    same(array, np.array([3]))
    with pytest.raises(ValueError, match="divisible by"):
        dist.new_subgroups(3)
    if ranks.rank < 2:
        pair = dist.new_group([0, 1], use_local_synchronization=True)
        dist.barrier(pair)


@rule()
def a_destroyed_group(ranks):
    group = ranks.group()
    count = dist.get_pg_count()
    dist.all_reduce(ranks.mine(), group=group)
    dist.destroy_process_group(group)
    assert dist.get_pg_count() == count - 1
    with pytest.raises(ValueError, match="not registered"):
        dist.all_reduce(ranks.mine(), group=group)
    dist.barrier()


@rule()
def wrong_groups(ranks):
    for arguments, error, words in (
        ({"ranks": [0, 99]}, ValueError, f"0 to {ranks.size - 1}"),
        ({"ranks": [0, 0]}, ValueError, "duplicate"),
        ({"ranks": []}, ValueError, "at least one"),
    ):
        with pytest.raises(error, match=words):
            dist.new_group(**arguments)
    with pytest.raises(TypeError, match="what new_group returned"):
        dist.all_reduce(ranks.mine(), group=3)
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group()


# Errors


@rule()
def wrong_arguments(ranks):
    """Each is refused before anything is sent, with torch's exception type, and the group is none the worse."""
    group, n, x = ranks.group(), ranks.size, ranks.mine()
    other = ranks.mine(np.float64)
    rows = [
        (lambda: dist.all_reduce([1.0], group=group), TypeError, "Expected parameter `tensor` of type ringgrad.Tensor, but got list"),
        (lambda: dist.all_reduce(x, "sum", group), TypeError, "op must be a ReduceOp"),
        (lambda: dist.all_reduce(x, ReduceOp.BAND, group), RuntimeError, "BAND with non-integral dtype float32"),
        (lambda: dist.all_reduce(ranks.mine(np.int32), ReduceOp.AVG, group), RuntimeError, "AVG with int32"),
        (lambda: dist.all_reduce(ranks.mine(np.complex64), ReduceOp.MAX, group), ValueError, "on complex tensors"),
        (lambda: dist.broadcast(x, 99, group), ValueError, "not part of group"),
        (lambda: dist.broadcast(x, group=group), ValueError, "Must specify global_rank or group_rank"),
        (lambda: dist.broadcast(x, 0, group, group_src=0), ValueError, "Can't specify both"),
        (lambda: dist.broadcast(x, group=group, group_src=n), ValueError, f"src is rank {n}, but the group has ranks 0 to {n - 1}"),
        (lambda: dist.all_gather([x] * (n + 1), x, group), RuntimeError, f"{n} ranks, but has {n + 1}"),
        (lambda: dist.all_gather(x, x, group), TypeError, "list of tensors"),
        (lambda: dist.all_gather([other] * n, x, group), ValueError, "different dtypes. Found float32 and float64"),
        (lambda: dist.all_gather([ranks.mine(n=7)] * n, x, group), RuntimeError, r"shape \(7,\), but this rank's tensor has shape \(6,\)"),
        (lambda: dist.all_gather_into_tensor(ranks.mine(n=6 * n + 1), x, group), RuntimeError, f"that is {6 * n}, but its shape"),
        (lambda: dist.reduce_scatter_tensor(x, ranks.mine(n=6 * n + 1), group=group), RuntimeError, "must hold"),
        (lambda: dist.gather(x, None if ranks.rank == 0 else [x], 0, group), ValueError, "``gather_list`` must"),
        (lambda: dist.scatter(x, None if ranks.rank == 0 else [x], 0, group), ValueError, "``scatter_list`` must"),
        (lambda: dist.all_to_all_single(x, x, [6], [1] * (n + 1), group), RuntimeError, "Number of tensor splits|doesn't match"),
        (
            lambda: dist.all_to_all_single(x, x, [6] + [0] * (n - 1), [5] + [0] * (n - 1), group),
            RuntimeError,
            "doesn't match total dim 0 size",
        ),
        (lambda: dist.send(x, ranks.rank, group), ValueError, "should not be the same as the rank of the current process"),
        (lambda: dist.send(x, 0 if ranks.rank else n - 1, group, tag=40_000), ValueError, "tag|same as the rank"),
        (lambda: dist.all_gather_object([None] * (n + 1), 1, group), ValueError, f"{n} ranks, but has {n + 1}"),
        (lambda: dist.batch_isend_irecv([]), ValueError, "empty"),
        (lambda: dist.batch_isend_irecv([1]), TypeError, "P2POp"),
    ]
    for call, error, words in rows:
        with pytest.raises(error, match=words):
            call()
    dist.all_reduce(x, group=group)
    same(x, ranks.combined(ReduceOp.SUM))


MISMATCHES = {
    "shape": (lambda x, g: dist.all_reduce(x, group=g), lambda x, g: dist.all_reduce(x[:4], group=g), r"shape \(6,\).*shape \(4,\)"),
    "dtype": (lambda x, g: dist.all_reduce(x, group=g), lambda x, g: dist.all_reduce(x.astype(np.int32), group=g), "float32.*int32"),
    "operation": (lambda x, g: dist.all_reduce(x, group=g), lambda x, g: dist.all_reduce(x, ReduceOp.MAX, g), "SUM.*MAX"),
    "collective": (lambda x, g: dist.all_reduce(x, group=g), lambda x, g: dist.broadcast(x, 0, g), "all_reduce #1.*broadcast #1"),
    "root": (lambda x, g: dist.broadcast(x, 0, g), lambda x, g: dist.broadcast(x, 1, g), "root 0.*root 1"),
    "barrier": (lambda x, g: dist.barrier(g), lambda x, g: dist.all_reduce(x, group=g), "barrier #1.*all_reduce #1"),
    "asynchronous": (
        lambda x, g: dist.all_reduce(x, group=g, async_op=True).wait(),
        lambda x, g: dist.all_gather([x.copy() for _ in range(g.size())], x, g, async_op=True).wait(),
        "all_reduce #1.*all_gather #1",
    ),
}


@rule(ranks=(2, 3, 4))
def collectives_that_do_not_match(ranks):
    """The last rank does something else: every rank gets an error that names both sides, and the group goes on."""
    for usual, odd, words in MISMATCHES.values():
        group, array = ranks.group(), ranks.mine()
        with pytest.raises(dist.CollectiveMismatchError, match=words) as caught:
            (odd if ranks.rank == ranks.size - 1 else usual)(array, group)
        text = str(caught.value)
        assert f"[rank {ranks.rank}]" in text and f"rank {ranks.size - 1} called" in text, text
        if group.name() != "nccl":  # NCCL learns of it when the data is on its way, and has to stop the group
            same(array, ranks.values(ranks.rank))
            dist.all_reduce(array, group=group)
            same(array, ranks.combined(ReduceOp.SUM))


@rule(ranks=(3,))
def labels_reach_the_error(ranks):
    group = ranks.group()
    label = ["layer1.weight", "layer2.weight", "layer1.weight"][ranks.rank]
    array = ranks.mine(n=6 if ranks.rank != 1 else 5)
    with pytest.raises(dist.CollectiveMismatchError, match="rank 1 called .*'layer2.weight'") as caught:
        group.all_reduce(array, label=label)
    assert "shape (6,)) for 'layer1.weight'" in str(caught.value)


@rule(ranks=(2, 3, 4))
def a_rank_that_does_not_come(ranks):
    group, array = ranks.group(timeout=0.5), ranks.mine()
    if ranks.rank == 1:
        dist.barrier()
        return
    with pytest.raises(dist.DistTimeoutError) as caught:
        group.all_reduce(array, label="fc.bias")
    dist.barrier()
    text = str(caught.value)
    assert text.startswith(f"[rank {ranks.rank}] all_reduce #1 (SUM, float32, shape (6,)) for 'fc.bias' in group {group.group_name!r}")
    assert "1" in text.split("gave up after")[1].splitlines()[0], text
    assert "last collectives of this rank" in text and "new_group" in text, text


@rule(ranks=(2,))
def a_named_time_limit(ranks):
    group = ranks.group()
    if ranks.rank == 0:
        work = dist.all_reduce(ranks.mine(), group=group, async_op=True)
        with pytest.raises(dist.DistTimeoutError, match="0.2 s"):
            work.wait(0.2)
        assert isinstance(work.exception(), dist.DistTimeoutError) and work.is_completed() and not work.is_success()
        with pytest.raises(dist.DistTimeoutError):
            work.wait()
    dist.barrier()


@rule()
def the_flight_recorder_knows_what_was_called(ranks):
    group = ranks.group()
    dist.broadcast(ranks.mine(np.int8), 0, group)
    work = group.all_reduce(ranks.mine(), async_op=True, label="conv.weight")
    issued = flight_recorder.dump(last=1)
    work.wait()
    done = flight_recorder.dump(last=2).splitlines()
    assert "issued" in issued or "completed" in issued
    assert f"broadcast #1 (int8, shape (6,), root 0) in group {group.group_name!r}" in done[0]
    assert "completed" in done[1] and f"all_reduce #2 (SUM, float32, shape (6,)) for 'conv.weight' in group {group.group_name!r}" in done[1]


# Tensors


@rule()
def tensors_are_written_in_place_and_their_version_counts(ranks):
    if ranks.xp is not np:
        return
    values = np.arange(6, dtype=np.float32).reshape(2, 3) + ranks.rank
    tensor = ringgrad.from_numpy(values.copy())
    before = tensor._version
    dist.all_reduce(tensor)
    assert tensor._version == before + 1
    same(tensor.numpy(), sum(np.arange(6, dtype=np.float32).reshape(2, 3) + rank for rank in range(ranks.size)))
    outputs = [ringgrad.zeros(2, 3) for _ in range(ranks.size)]
    dist.all_gather(outputs, ringgrad.from_numpy(values))
    for rank, output in enumerate(outputs):
        assert output._version == 1
        same(output.numpy(), np.arange(6, dtype=np.float32).reshape(2, 3) + rank)

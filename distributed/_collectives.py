"""The collectives as functions, with torch.distributed's names, arguments and defaults.

`group=None` means all ranks; ranks given as src and dst are global ranks, group_src and group_dst ranks in the group. A rank outside the
group is warned and returns None. `async_op=True` returns a Work to wait for.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from ._checks import MONITOR_TAG
from ._state import member
from ._timeouts import seconds
from .errors import DistBackendError
from .process_group import ProcessGroup
from .reduce_op import ReduceOp
from .work import Work


def rank_in_group(group: ProcessGroup, global_rank: int | None, group_rank: int | None, default: int | None = None) -> int:
    """The rank in the group that a (src, group_src) or (dst, group_dst) pair means.  ValueError: both, none, or not a member."""
    if global_rank is not None and group_rank is not None:
        raise ValueError("Can't specify both group_rank and global_rank")
    if group_rank is not None:
        return group_rank
    if global_rank is None:
        if default is None:
            raise ValueError("Must specify global_rank or group_rank")
        return default
    if global_rank not in group.ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group.group_name!r}, whose ranks are {list(group.ranks)}")
    return group.ranks.index(global_rank)


def all_reduce(tensor: Any, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Combine all ranks' tensors elementwise, and put the result into all of them.  (*) -> (*), in place."""
    found = member("all_reduce", group)
    return None if found is None else found.all_reduce(tensor, op, async_op)


def broadcast(tensor: Any, src: int | None = None, group: Any = None, async_op: bool = False, group_src: int | None = None) -> Work | None:
    """Copy rank src's tensor into everybody's.  (*) -> (*), in place."""
    found = member("broadcast", group)
    return None if found is None else found.broadcast(tensor, rank_in_group(found, src, group_src), async_op)


def reduce(
    tensor: Any,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Combine all ranks' tensors elementwise into that of rank dst; the others keep theirs.  (*) -> (*), in place."""
    found = member("reduce", group)
    return None if found is None else found.reduce(tensor, rank_in_group(found, dst, group_dst), op, async_op)


def all_gather(tensor_list: Sequence[Any], tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """tensor_list[i] <- rank i's tensor, on every rank."""
    found = member("all_gather", group)
    return None if found is None else found.all_gather(tensor_list, tensor, async_op)


def all_gather_into_tensor(output_tensor: Any, input_tensor: Any, group: Any = None, async_op: bool = False) -> Work | None:
    """All ranks' inputs in one tensor.  input (n, *) -> output (n * world size, *) or (world size, n, *)."""
    found = member("all_gather_into_tensor", group)
    return None if found is None else found.all_gather_into_tensor(output_tensor, input_tensor, async_op)


def reduce_scatter(
    output: Any, input_list: Sequence[Any], op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    """Combine the ranks' i-th tensors elementwise into rank i's output."""
    found = member("reduce_scatter", group)
    return None if found is None else found.reduce_scatter(output, input_list, op, async_op)


def reduce_scatter_tensor(output: Any, input: Any, op: ReduceOp = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Combine all ranks' inputs elementwise and give each rank its part.  input (n * world size, *) -> output (n, *)."""
    found = member("reduce_scatter_tensor", group)
    return None if found is None else found.reduce_scatter_tensor(output, input, op, async_op)


def gather(
    tensor: Any,
    gather_list: Sequence[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """gather_list[i] of rank dst (default: the group's first) <- rank i's tensor; gather_list is None elsewhere."""
    found = member("gather", group)
    return None if found is None else found.gather(tensor, gather_list, rank_in_group(found, dst, group_dst, default=0), async_op)


def scatter(
    tensor: Any,
    scatter_list: Sequence[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Rank i's tensor <- scatter_list[i] of rank src (default: the group's first); scatter_list is None elsewhere."""
    found = member("scatter", group)
    return None if found is None else found.scatter(tensor, scatter_list, rank_in_group(found, src, group_src, default=0), async_op)


def all_to_all(
    output_tensor_list: Sequence[Any], input_tensor_list: Sequence[Any], group: Any = None, async_op: bool = False
) -> Work | None:
    """Rank i's output_tensor_list[j] <- rank j's input_tensor_list[i]."""
    found = member("all_to_all", group)
    return None if found is None else found.all_to_all(output_tensor_list, input_tensor_list, async_op)


def all_to_all_single(
    output: Any,
    input: Any,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Send part i of the input's rows to rank i, receive rank j's part into part j of the output; sizes count rows of dimension 0."""
    found = member("all_to_all_single", group)
    return None if found is None else found.all_to_all_single(output, input, output_split_sizes, input_split_sizes, async_op)


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None, timeout: timedelta | float | None = None) -> Work | None:
    """Return once every rank has called it.  device_ids: accepted for torch's sake."""
    found = member("barrier", group)
    return None if found is None else found.barrier(async_op, None if timeout is None else seconds(timeout))


def monitored_barrier(group: Any = None, timeout: timedelta | float | None = None, wait_all_ranks: bool = False) -> None:
    """A barrier whose first rank knows who is missing: RuntimeError there names the first rank that did not come in time.

    wait_all_ranks: wait the whole time and name all of them. The ranks that came get a timeout error, since the barrier never opens.
    """
    found = member("monitored_barrier", group)
    if found is None:
        return
    timeout_s = found.timeout_s if timeout is None else seconds(timeout)
    token = np.zeros(1, np.uint8)
    if found.rank() != 0:
        _wait_for(found.send(token, 0, MONITOR_TAG, async_op=True), timeout_s)
        _wait_for(found.recv(token, 0, MONITOR_TAG, async_op=True), 2 * timeout_s)
        return
    others = range(1, found.size())
    arrivals = [found.recv(np.zeros(1, np.uint8), rank, MONITOR_TAG, async_op=True) for rank in others]
    missing = []
    for rank, arrival in zip(others, arrivals, strict=True):
        try:
            arrival.wait(timeout_s)
        except DistBackendError:
            missing.append(found.ranks[rank])
            timeout_s = 0.001 if wait_all_ranks else timeout_s
            if not wait_all_ranks:
                break
    if missing:
        limit_ms = 1000 * (found.timeout_s if timeout is None else seconds(timeout))
        ranks = ", ".join(map(str, missing))
        raise RuntimeError(f"[rank {found.ranks[0]}] Rank(s) {ranks} failed to pass monitoredBarrier in {limit_ms:.0f} ms")
    for rank in others:
        found.send(token, rank, MONITOR_TAG)


def _wait_for(work: Work | None, timeout_s: float) -> None:
    if work is not None:
        work.wait(timeout_s)


def progress(group: Any = None) -> None:
    """Push outstanding asynchronous collectives along.

    MPI moves data only inside MPI calls: code that computes for long between an asynchronous collective and its wait() should call this
    now and then. It costs well under a microsecond when nothing is outstanding, and does nothing on NCCL, which progresses on the GPU.
    """
    found = member("progress", group)
    if found is not None:
        found.progress()

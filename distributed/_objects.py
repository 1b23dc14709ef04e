"""Collectives for Python objects, pickled.

Unpickling runs code that the sender chose: these are for the processes of one job, which trust each other, and for small things; tensors go
through the tensor collectives.
"""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._collectives import rank_in_group
from ._point_to_point import recv, send
from ._state import member
from .backends._base import Array
from .process_group import ProcessGroup


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """object_list[i] <- rank i's obj, on every rank.  ValueError if the list has not one place per rank."""
    found = member("all_gather_object", group)
    if found is None:
        return
    _check_length("all_gather_object", "object_list", object_list, found.size())
    row = _pickled(found, obj)
    sizes = _all_sizes(found, [row.size])
    parts = [_empty(found, size) for (size,) in sizes]
    found.all_gather(parts, row)
    object_list[:] = [_unpickled(part) for part in parts]


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Any = None, group_dst: int | None = None
) -> None:
    """object_gather_list[i] of rank dst (default: the group's first) <- rank i's obj; None elsewhere."""
    found = member("gather_object", group)
    if found is None:
        return
    root = rank_in_group(found, dst, group_dst, default=0)
    is_root = found.rank() == root
    if is_root != (object_gather_list is not None):
        role = "must be specified on destination rank" if is_root else "must NOT be specified on non-destination ranks"
        raise ValueError(f"Argument ``object_gather_list`` {role}.")
    row = _pickled(found, obj)
    sizes = [size for (size,) in _all_sizes(found, [row.size])]
    padded = _empty(found, max(sizes))
    padded[: row.size] = row
    parts = [_empty(found, max(sizes)) for _ in sizes] if is_root else None
    found.gather(padded, parts, root)
    if parts is not None and object_gather_list is not None:
        _check_length("gather_object", "object_gather_list", object_gather_list, found.size())
        object_gather_list[:] = [_unpickled(part[:size]) for part, size in zip(parts, sizes, strict=True)]


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, device: Any = None, group_src: int | None = None
) -> None:
    """object_list of every rank <- that of rank src, which must be as long everywhere.  device: accepted for torch's sake."""
    found = member("broadcast_object_list", group)
    if found is None:
        return
    root = rank_in_group(found, src, group_src, default=0)
    rows = [_pickled(found, obj) for obj in object_list] if found.rank() == root else [_empty(found, 0) for _ in object_list]
    sizes = _all_sizes(found, [row.size for row in rows])[root]
    whole = np.concatenate(rows) if found.rank() == root and rows else _empty(found, sum(sizes))
    found.broadcast(whole, root)
    if found.rank() != root:
        object_list[:] = _cut(whole, sizes)


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: Sequence[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """scatter_object_output_list[0] of rank i <- scatter_object_input_list[i] of rank src (default: the group's first)."""
    found = member("scatter_object_list", group)
    if found is None:
        return
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    root = rank_in_group(found, src, group_src, default=0)
    size = found.size()
    if found.rank() == root:
        _check_length("scatter_object_list", "scatter_object_input_list", scatter_object_input_list, size)
        rows = [_pickled(found, obj) for obj in scatter_object_input_list or ()]
    else:
        rows = [_empty(found, 0)] * size
    sizes = _all_sizes(found, [row.size for row in rows])[root]
    own = _empty(found, max(sizes))
    padded = []
    for row in rows if found.rank() == root else ():
        padded.append(_empty(found, max(sizes)))
        padded[-1][: row.size] = row
    found.scatter(own, padded or None, root)
    scatter_object_output_list[0] = _unpickled(own[: sizes[found.rank()]])


def send_object_list(
    object_list: Sequence[Any],
    dst: int | None = None,
    group: Any = None,
    device: Any = None,
    group_dst: int | None = None,
    use_batch: bool = False,
) -> None:
    """Send a list of objects to rank dst, which calls recv_object_list with a list as long."""
    found = member("send_object_list", group)
    if found is None:
        return
    rows = [_pickled(found, obj) for obj in object_list]
    send(_numbers(found, [row.size for row in rows]), dst, group, group_dst=group_dst)
    send(np.concatenate(rows) if rows else _empty(found, 0), dst, group, group_dst=group_dst)


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
    use_batch: bool = False,
) -> int:
    """Fill a list with the objects that rank src (None: whichever sends first) sends.  The sender's global rank, -1 outside the group."""
    found = member("recv_object_list", group)
    if found is None:
        return -1
    numbers = _numbers(found, [0] * len(object_list))
    source = recv(numbers, src, group, group_src=group_src)
    sizes = numbers.tolist()
    whole = _empty(found, sum(sizes))
    recv(whole, source, group)
    object_list[:] = _cut(whole, sizes)
    return source


def _check_length(collective: str, name: str, objects: Any, size: int) -> None:
    if not isinstance(objects, (list, tuple)) or len(objects) != size:
        count = len(objects) if isinstance(objects, (list, tuple)) else type(objects).__name__
        raise ValueError(f"{collective}: {name} must be a list with one place for each of the group's {size} ranks, but has {count}")


def _all_sizes(group: ProcessGroup, own: Sequence[int]) -> list[list[int]]:
    """What every rank has as sizes; all have as many."""
    mine = _numbers(group, own)
    everybodys = [_numbers(group, own) for _ in range(group.size())]
    group.all_gather(everybodys, mine)
    return [row.tolist() for row in everybodys]


def _on_device(group: ProcessGroup, row: np.ndarray) -> Array:
    """A NumPy row where the group can move it: as it is, or on the current GPU for a group that moves GPU tensors only."""
    if group.moves("cpu"):
        return row
    import cupy

    return cupy.asarray(row)


def _numbers(group: ProcessGroup, values: Sequence[int]) -> Array:
    return _on_device(group, np.array(values, np.int64))


def _empty(group: ProcessGroup, size: int) -> Array:
    return _on_device(group, np.zeros(size, np.uint8))


def _pickled(group: ProcessGroup, obj: Any) -> Array:
    return _on_device(group, np.frombuffer(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL), np.uint8).copy())


def _unpickled(row: Array) -> Any:
    return pickle.loads(row.tobytes())


def _cut(whole: Array, sizes: Sequence[int]) -> list[Any]:
    objects, at = [], 0
    for size in sizes:
        objects.append(_unpickled(whole[at : at + size]))
        at += size
    return objects

"""Buckets: which gradients travel together, and where each of them lies in the flat buffer that is sent.

`plan_buckets` is a pure function of sizes; a `Bucket` is one flat buffer with a view per parameter. The idea and the sizes are those of
Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", arXiv:2006.15704, section 4.2: large buffers use
the network well, a small first one lets communication begin early.
"""

from collections.abc import Hashable, Sequence
from math import prod
from typing import Any

import ringgrad
from ringgrad import Tensor
from ringgrad._core import hooks

from .backends._base import Array
from .work import Work

MIB = 1024 * 1024
BUCKET_BYTES = 25 * MIB
FIRST_BUCKET_BYTES = 1 * MIB


def limits_from(bucket_cap_mb: float | None, bucket_cap_mb_list: Sequence[float] | None = None) -> list[int]:
    """Sizes in bytes at which buckets are full: the first bucket's, the second's, ...; the last one holds for all that follow.

    Caps are in MiB. None: a first bucket of 1 MiB, then 25 MiB. A single cap holds for the first bucket too, as in torch.
    ValueError: a cap that is not positive.
    """
    if bucket_cap_mb is None and not bucket_cap_mb_list:
        return [FIRST_BUCKET_BYTES, BUCKET_BYTES]
    caps = bucket_cap_mb_list or [bucket_cap_mb or 0]
    for cap in caps:
        if not cap > 0:
            raise ValueError(f"a bucket's size must be a positive number of MiB, but is {cap}; the default is 25")
    return [int(cap * MIB) for cap in caps]


def plan_buckets(
    nbytes: Sequence[int], kinds: Sequence[Hashable], limits: Sequence[int], order: Sequence[int] | None = None
) -> list[list[int]]:
    """Lists of parameter indices, one list per bucket, in the order in which the buckets will be full.

    nbytes, kinds: size and (dtype, device) of each parameter; one kind per bucket. limits: see limits_from; a bucket is closed by the
    parameter that fills it, so it may be larger. order: the order in which gradients arrive; default the reverse of registration, because
    the backward pass comes to the last layer first.
    """
    order = range(len(nbytes) - 1, -1, -1) if order is None else order
    closed: list[list[int]] = []
    open_ones: dict[Hashable, list[int]] = {}
    filled: dict[Hashable, int] = {}
    position = {index: place for place, index in enumerate(order)}
    for index in order:
        kind = kinds[index]
        bucket = open_ones.setdefault(kind, [])
        bucket.append(index)
        filled[kind] = filled.get(kind, 0) + nbytes[index]
        if filled[kind] >= limits[min(len(closed), len(limits) - 1)]:
            closed.append(open_ones.pop(kind))
            del filled[kind]
    return sorted([*closed, *open_ones.values()], key=lambda bucket: position[bucket[-1]])


class Bucket:
    """One flat buffer and the parameters whose gradients lie in it, one behind the other.

    index: its place in the order of launching.  indices, names: of its parameters.  row: (size + spare,) array, the memory; the spare
    elements at the end belong to the reducer.  flat: (size,) Tensor on the gradients' part.  views: one array per parameter, in its shape.
    waiting: gradients still to come in this backward pass.  work: of the all-reduce that is under way.
    """

    __slots__ = ("flat", "index", "indices", "names", "row", "size", "views", "waiting", "work")

    def __init__(self, index: int, indices: Sequence[int], parameters: Sequence[Tensor], names: Sequence[str], spare: int = 0) -> None:
        members = [parameters[i] for i in indices]
        self.index, self.indices, self.names = index, list(indices), [names[i] for i in indices]
        self.size = sum(prod(p.shape) for p in members)
        whole = ringgrad.zeros(self.size + spare, dtype=members[0].dtype, device=members[0].device)
        self.row: Array = hooks.array(whole)
        self.flat = whole[: self.size].detach()
        self.views: list[Array] = cut(self.row, [p.shape for p in members])
        self.waiting = len(members)
        self.work: Work | Any = None

    def __str__(self) -> str:
        shown = ", ".join(self.names[:8])
        return f"bucket {self.index} ({shown}{f' and {len(self.names) - 8} more' if len(self.names) > 8 else ''})"


def cut(row: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Consecutive pieces of a one-dimensional array as views in these shapes.  What is left over at the end is left alone."""
    views, start = [], 0
    for shape in shapes:
        size = prod(shape)
        views.append(row[start : start + size].reshape(shape))
        start += size
    return views


def pieces(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """As `cut`, for a tensor: the pieces share its memory and know nothing of it as a base."""
    tensors, start = [], 0
    for shape in shapes:
        size = prod(shape)
        tensors.append(flat[start : start + size].view(shape).detach())
        start += size
    return tensors


def kinds_of(tensors: Sequence[Tensor]) -> tuple[list[int], list[Hashable]]:
    """(bytes, (dtype, device)) of each tensor, as plan_buckets takes them."""
    arrays = [hooks.array(t) for t in tensors]
    return [array.nbytes for array in arrays], [(array.dtype, str(t.device)) for array, t in zip(arrays, tensors, strict=True)]

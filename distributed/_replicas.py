"""Are the ranks' models alike, and make them so: verification and broadcast of parameters and buffers."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ringgrad import Tensor
from ringgrad._core import hooks

from ._objects import all_gather_object, broadcast_object_list
from .buckets import cut, kinds_of, plan_buckets
from .process_group import ProcessGroup

_BROADCAST_BYTES = 250 * 1024 * 1024  # how much is copied into one buffer at most

Description = tuple[str, tuple[int, ...], str]


def verify_parameters(names: Sequence[str], parameters: Sequence[Tensor], group: ProcessGroup) -> None:
    """RuntimeError on every rank, naming rank and parameter, unless all ranks have the same parameters in the same order.

    Name, shape and dtype are compared, by a digest first, so that models that agree exchange 32 bytes.
    """
    own = [(name, tuple(p.shape), p.dtype.name) for name, p in zip(names, parameters, strict=True)]
    digests: list[Any] = [None] * group.size()
    all_gather_object(digests, hashlib.sha256(repr(own).encode()).digest(), group=group)
    if len(set(digests)) == 1:
        return
    reference: list[Any] = [own]
    broadcast_object_list(reference, group=group, group_src=0)
    complaints: list[Any] = [None] * group.size()
    all_gather_object(complaints, _difference(group, own, reference[0]), group=group)
    raise RuntimeError(
        f"[rank {group.rank()}] DistributedDataParallel expects the same model on all ranks, but {'; '.join(c for c in complaints if c)}. "
        f"Build the same module, in the same way, on every rank."
    )


def _difference(group: ProcessGroup, own: Sequence[Description], reference: Sequence[Description]) -> str | None:
    """How this rank's parameters differ from rank 0's, or None."""
    for mine, its in zip(own, reference, strict=False):
        if mine != its:
            return f"rank {group.rank()} has {_in_words(mine)} where rank 0 has {_in_words(its)}"
    if len(own) == len(reference):
        return None
    surplus = max(own, reference, key=len)[min(len(own), len(reference))]
    lacks = 0 if len(own) > len(reference) else group.rank()
    return f"rank {group.rank()} has {len(own)} parameters and rank 0 has {len(reference)}: {_in_words(surplus)} is missing on rank {lacks}"


def _in_words(description: Description) -> str:
    name, shape, dtype = description
    return f"{name} of shape {shape}, {dtype}"


def broadcast_tensors(tensors: Sequence[Tensor], group: ProcessGroup, src: int, label: str) -> None:
    """Copy rank src's tensors into everybody's, those of one dtype and device together.  src: rank in the group."""
    if group.size() == 1:
        return
    arrays = [hooks.array(t) for t in tensors]
    for indices in plan_buckets(*kinds_of(tensors), [_BROADCAST_BYTES], range(len(tensors))):
        row = np.concatenate([arrays[i].reshape(-1) for i in indices])  # CuPy arrays answer for themselves
        group.broadcast(row, src, label=label)
        if group.rank() == src:
            continue
        for i, piece in zip(indices, cut(row, [arrays[i].shape for i in indices]), strict=True):
            arrays[i][...] = piece
            hooks.written(tensors[i])

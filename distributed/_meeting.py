"""What all ranks ask each other beside the gradients themselves: whose gradients came, and in which order."""

from collections.abc import Iterable
from typing import Any

import numpy as np

import ringgrad

from .process_group import ProcessGroup
from .reduce_op import ReduceOp

_ABSENT, _PRESENT = 0, 1


def used_anywhere(group: ProcessGroup, device: Any, used: Iterable[bool]) -> list[bool]:
    """For each parameter, whether any rank used it."""
    own = np.array(list(used), np.uint8)
    return [bool(n) for n in _combined(group, device, own, "parameters that DistributedDataParallel found unused")]


def lacking_by_rank(group: ProcessGroup, device: Any, count: int, absent: Iterable[int]) -> dict[int, list[int]]:
    """{rank: indices of the parameters, `count` in all, that got no gradient there}, for the ranks where there are any."""
    table = np.zeros((group.size(), count), np.uint8)
    table[group.rank()] = _PRESENT
    table[group.rank(), list(absent)] = _ABSENT
    table = _combined(group, device, table.reshape(-1), "gradients that DistributedDataParallel did not get").reshape(table.shape)
    return {rank: np.flatnonzero(row == _ABSENT).tolist() for rank, row in enumerate(table) if not row.all()}


def of_first_rank(group: ProcessGroup, device: Any, numbers: Iterable[int]) -> list[int]:
    """Rank 0's numbers, on every rank."""
    sent = ringgrad.tensor(np.array(list(numbers), np.int64), device=device)
    group.broadcast(sent, 0, label="order of DistributedDataParallel's buckets")
    return sent.tolist()


def _combined(group: ProcessGroup, device: Any, numbers: np.ndarray, label: str) -> np.ndarray:
    sent = ringgrad.tensor(numbers, device=device)
    group.all_reduce(sent, ReduceOp.MAX, label=label)
    return sent.cpu().numpy()

"""Rows as MPI can take them: a dtype that MPI knows, in memory that MPI can read.

- bool travels as bytes, float16 and bfloat16 as 16-bit integers. Nothing is pickled or converted.
- float16 and bfloat16 are *reduced* in float32 and rounded once: MPI has no portable type for them, and a sum in 16 bits loses more.
  The price is twice the bytes.
- GPU rows go as they are to a CUDA-aware library, and through pinned host memory otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..reduce_op import ReduceOp, accumulation_dtype
from ._base import Array
from ._mpi_library import BOOLEAN, is_cuda_aware

_TRAVELS_AS = {"?": np.uint8, "e": np.uint16, "E": np.uint16}  # by dtype.char: bool, float16, bfloat16


Step = Callable[[], None]


class Buffer(NamedTuple):
    """array: what MPI gets.  after: what brings it back into the row it was made from, None if it is that row."""

    array: Array
    after: Step | None


def for_moving(row: Array, *, reads: bool, writes: bool) -> Buffer:
    """A row whose bytes are moved: `reads`, MPI sends it; `writes`, MPI overwrites it."""
    travels_as = _TRAVELS_AS.get(row.dtype.char)
    return on_host(row if travels_as is None else row.view(travels_as), reads=reads, writes=writes)


def for_reducing(row: Array, op: ReduceOp) -> tuple[Array, ReduceOp]:
    """The row in the dtype it is reduced in (a copy only for the 16-bit ones), and the operation that this takes."""
    if row.dtype.kind == "b":
        return row.view(np.uint8), BOOLEAN.get(op, op)
    wider = accumulation_dtype(row.dtype)
    return (row if wider is row.dtype else row.astype(wider)), op


def divide_and_round(total: Array, target: Array, op: ReduceOp, ranks: int) -> Step | None:
    """What turns a sum in the reducing dtype into the result, or None if the sum is the result already."""
    rounds = total.dtype is not target.dtype and total.dtype != target.dtype and target.dtype.kind != "b"
    if op is not ReduceOp.AVG and not rounds:
        return None

    def step() -> None:
        if op is ReduceOp.AVG:
            np.divide(total, ranks, out=total)
        if rounds:
            target[...] = total

    return step


def on_host(row: Array, *, reads: bool, writes: bool) -> Buffer:
    """The row itself where MPI can reach it, else pinned host memory with its content."""
    if isinstance(row, np.ndarray):
        return Buffer(row, None)
    row.device.synchronize()  # MPI knows no streams: what is to be sent must be there
    if is_cuda_aware():
        return Buffer(row, None)
    host = _pinned(row)
    if reads:
        row.get(out=host)
    return Buffer(host, (lambda: row.set(host)) if writes else None)


def in_turn(*steps: Step | None) -> Step | None:
    """One step out of several, leaving out those that are None."""
    todo = [step for step in steps if step is not None]
    if len(todo) < 2:
        return todo[0] if todo else None

    def all_of_them() -> None:
        for step in todo:
            step()

    return all_of_them


def _pinned(row: Array) -> Any:
    import cupyx

    return cupyx.empty_pinned(row.shape, row.dtype)

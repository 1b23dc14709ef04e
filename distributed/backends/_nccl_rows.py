"""Rows as NCCL can reduce them: its dtypes, its operations, and the way back where they are not ours."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import DistBackendError
from ..reduce_op import ReduceOp
from ._base import Array
from ._nccl_bindings._interface import AVG, DATATYPES, MAX, MIN, PROD, SUM, NcclBinding

_OPERATIONS = {ReduceOp.SUM: SUM, ReduceOp.AVG: AVG, ReduceOp.PRODUCT: PROD, ReduceOp.MIN: MIN, ReduceOp.MAX: MAX}
_ON_BOOL = {ReduceOp.SUM: MAX, ReduceOp.MAX: MAX, ReduceOp.BOR: MAX, ReduceOp.PRODUCT: MIN, ReduceOp.MIN: MIN, ReduceOp.BAND: MIN}


class Reducible(NamedTuple):
    """row: what NCCL gets.  datatype, operation: its codes.  settle(total, target): bring a total of row's kind into the caller's row."""

    row: Array
    datatype: int
    operation: int
    settle: Callable[[Array, Array], None]


def for_reducing(collective: str, row: Array, op: ReduceOp, ranks: int, binding: NcclBinding) -> Reducible:
    """The row as NCCL can reduce it.  DistBackendError for bitwise operations on integers, which NCCL does not have."""
    if row.dtype.kind == "b":
        if op not in _ON_BOOL:
            raise DistBackendError(f"{collective}: NCCL has no ReduceOp.{op.name} for bool; use an mpi group")
        return Reducible(row.view(np.uint8), DATATYPES["uint8"], _ON_BOOL[op], _already_there)
    if op not in _OPERATIONS:
        raise DistBackendError(f"{collective}: NCCL has no ReduceOp.{op.name}; use an mpi group, or SUM, AVG, PRODUCT, MIN, MAX")
    there = row
    if row.dtype.kind == "c":
        there = row.view(np.float32 if row.dtype.itemsize == 8 else np.float64)
    elif row.dtype == np.int16:
        there = row.astype(np.int32)
    elif row.dtype.name == "bfloat16" and not binding.has_bfloat16:
        there = row.astype(np.float32)
    average_here = op is ReduceOp.AVG and not binding.has_avg

    def settle(total: Array, target: Array) -> None:
        if average_here:
            np.true_divide(total, ranks, out=total)
        if total.dtype != target.dtype and target.dtype.kind != "c":
            target[...] = total

    return Reducible(there, DATATYPES[there.dtype.name], SUM if average_here else _OPERATIONS[op], settle)


def _already_there(total: Array, target: Array) -> None:
    """The total was formed in the caller's memory."""

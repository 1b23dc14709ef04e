"""ReduceOp: how the ranks' values become one, and for which dtypes that means anything."""

from enum import Enum

import numpy as np


class ReduceOp(Enum):
    """The reductions of torch.distributed, with its numbering.

    SUM, AVG, PRODUCT, MIN, MAX work elementwise on numbers; BAND, BOR, BXOR on integers and booleans, bit by bit.
    AVG is SUM divided by the number of ranks, for floating point and complex dtypes.
    On booleans SUM and MAX are "or", PRODUCT and MIN are "and".
    """

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7

    __hash__ = object.__hash__  # members are unique; Enum's own hash runs in Python on every look-up

    def __repr__(self) -> str:
        return f"<ReduceOp.{self.name}: {self.value}>"


ReduceOp.RedOpType = ReduceOp  # torch's name for the class of the members

BITWISE = frozenset({ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR})
_ON_COMPLEX = frozenset({ReduceOp.SUM, ReduceOp.AVG})
_FLOAT32 = np.dtype(np.float32)
_HALF_CHARS = "eE"  # dtype.char of float16, and of ml_dtypes' bfloat16


def accumulation_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which values are added up: float32 for float16 and bfloat16, otherwise the dtype itself."""
    return _FLOAT32 if dtype.char in _HALF_CHARS else dtype


def check_reduction(collective: str, op: object, dtype: np.dtype) -> None:
    """Refuse a reduction that the dtype has no meaning for.

    TypeError: `op` is no ReduceOp.  ValueError: an ordering or product of complex numbers (torch's words).  RuntimeError: bits of
    floating point numbers, an average of integers.
    """
    if not isinstance(op, ReduceOp):
        raise TypeError(f"{collective}: op must be a ReduceOp such as ReduceOp.SUM, but got {op!r}")
    if dtype.kind == "c":
        if op not in _ON_COMPLEX:
            raise ValueError(
                f"{collective} does not support {op} on complex tensors; it supports SUM and AVG, or reduce real and imaginary parts"
            )
    elif op in BITWISE and dtype.kind not in "biu":
        raise RuntimeError(
            f"{collective}: cannot use ReduceOp.{op.name} with non-integral dtype {dtype.name}; use an integer or bool tensor"
        )
    elif op is ReduceOp.AVG and dtype.kind in "biu":
        raise RuntimeError(
            f"{collective}: cannot use ReduceOp.AVG with {dtype.name}; use SUM and divide, or convert to a floating point dtype"
        )

"""Reductions written out: the definition that the libraries' reductions must equal, and the arithmetic of the local backend."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..reduce_op import ReduceOp, accumulation_dtype
from ._base import Array

_COMBINE: dict[ReduceOp, Callable[[Any, Any], Any]] = {
    ReduceOp.SUM: np.add,
    ReduceOp.AVG: np.add,
    ReduceOp.PRODUCT: np.multiply,
    ReduceOp.MIN: np.minimum,
    ReduceOp.MAX: np.maximum,
    ReduceOp.BAND: np.bitwise_and,
    ReduceOp.BOR: np.bitwise_or,
    ReduceOp.BXOR: np.bitwise_xor,
}


def reduce_in_order(arrays: Sequence[Array], op: ReduceOp) -> Array:
    """((a0 op a1) op a2) ...: a new array of the same dtype, equal bit for bit from run to run.

    float16 and bfloat16 are combined in float32 and rounded once.
    """
    dtype = arrays[0].dtype
    wide = [array.astype(accumulation_dtype(dtype), copy=False) for array in arrays]
    total = reduce(_COMBINE[op], wide)
    if op is ReduceOp.AVG:
        total = total / len(arrays)
    return total.astype(dtype, copy=len(arrays) == 1)

"""Copies, in the same or another type."""
from typing import Any

import numpy as np

from .._core.op import op
from ._parts import is_complex


@op(holomorphic=False, grad_name="ToCopy", fast=False)
def astype(xp, x, dtype: Any):
    """`x` as `dtype` (a NumPy dtype or one of ours).  Complex to real keeps the real part; floats lose their fraction as integers."""
    dtype = np.dtype(getattr(dtype, "np", dtype))
    return x.real.astype(dtype) if x.dtype.kind == "c" and dtype.kind not in "cb" else x.astype(dtype)


@astype.vjp("x")
def _(xp, g, x_dtype):
    return xp.astype(xp.real(g) if is_complex(g) and x_dtype.kind != "c" else g, x_dtype)


@op(holomorphic=False, grad_name="Clone")
def copy(xp, x):
    """The same values in memory of their own."""
    return x.copy()


@copy.vjp("x")
def _(xp, g):
    return g

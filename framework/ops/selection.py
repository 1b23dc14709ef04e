"""Choosing between values, elementwise: larger, smaller, within bounds, by a condition."""
import math

import ml_dtypes
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, same
from ._masked import kept


def _no_complex(name):
    """`same`, refusing complex numbers as torch does here."""
    def policy(raw, backend):
        inputs, common = same(raw, backend)
        if common.kind == "c":
            raise RuntimeError(f"{name} not implemented for complex tensors: complex numbers have no order")
        return inputs, common
    policy.numbers = True
    return policy


@op(promote=_no_complex("maximum"))
def maximum(xp, x, y):
    """The larger of x and y; nan when either is.  Where they are equal each gets half of the gradient."""
    return xp.maximum(x, y)


@maximum.vjp("x", cuda="d = x < y ? 0 : x == y ? g / 2 : g")
def _(xp, g, x, y):
    return xp.where(x < y, 0, xp.where(x == y, g * 0.5, g))


@maximum.vjp("y", cuda="d = x > y ? 0 : x == y ? g / 2 : g")
def _(xp, g, x, y):
    return xp.where(x > y, 0, xp.where(x == y, g * 0.5, g))


@op(promote=_no_complex("minimum"))
def minimum(xp, x, y):
    """The smaller of x and y; nan when either is.  Where they are equal each gets half of the gradient."""
    return xp.minimum(x, y)


@minimum.vjp("x", cuda="d = x > y ? 0 : x == y ? g / 2 : g")
def _(xp, g, x, y):
    return xp.where(x > y, 0, xp.where(x == y, g * 0.5, g))


@minimum.vjp("y", cuda="d = x < y ? 0 : x == y ? g / 2 : g")
def _(xp, g, x, y):
    return xp.where(x < y, 0, xp.where(x == y, g * 0.5, g))


@op(promote=_no_complex("fmax"))
def fmax(xp, x, y):
    """The larger of x and y; a nan counts only when both are.  Ties give their gradient to x."""
    return xp.fmax(x, y)


@fmax.vjp("x", cuda="d = x >= y || y != y ? g : 0")
def _(xp, g, x, y):
    return xp.where((x >= y) | (y != y), g, 0)


@fmax.vjp("y", cuda="d = x >= y || y != y ? 0 : g")
def _(xp, g, x, y):
    return xp.where((x >= y) | (y != y), 0, g)


@op(promote=_no_complex("fmin"))
def fmin(xp, x, y):
    """The smaller of x and y; a nan counts only when both are.  Ties give their gradient to x."""
    return xp.fmin(x, y)


@fmin.vjp("x", cuda="d = x <= y || y != y ? g : 0")
def _(xp, g, x, y):
    return xp.where((x <= y) | (y != y), g, 0)


@fmin.vjp("y", cuda="d = x <= y || y != y ? 0 : g")
def _(xp, g, x, y):
    return xp.where((x <= y) | (y != y), 0, g)


@op(promote=refusing(same, "clamp", _dtypes.COMPLEX), grad_name="Clamp")
def clip(xp, x, lower=None, upper=None):
    """x, but at least `lower` and at most `upper` (tensors, numbers or None); `upper` wins where they contradict.

    The gradient goes to x where it lies within the bounds, which count as within, and to the bound that took its place elsewhere.
    """
    if lower is not None:
        x = xp.maximum(x, lower)
    return x if upper is None else xp.minimum(x, upper)


_LARGE = 1 << 12  # elements from which on the time that np.clip takes to begin does not count


@clip.kernel("numpy")
def _(xp, x, lower=None, upper=None):
    """Large arrays in one pass; else the second pass goes over the result of the first one."""
    if lower is None or upper is None:
        return clip.forward(np, x, lower, upper)
    if x.size > _LARGE:
        return np.clip(x, lower, upper)
    y = np.maximum(x, lower)
    over = y.ndim and (isinstance(upper, (int, float)) or upper.ndim == 0 or upper.shape == y.shape)
    return np.minimum(y, upper, out=y) if over else np.minimum(y, upper)


@clip.vjp("x")
def _(xp, g, x, lower, upper):
    if lower is None:
        return kept(xp, g, x <= upper)
    within = x >= lower
    return kept(xp, g, within if upper is None else within & (x <= upper))


@clip.vjp("lower")
def _(xp, g, x, lower, upper):
    below = x < lower
    return xp.where(below if upper is None else below & (lower < upper), g, 0)


@clip.vjp("upper")
def _(xp, g, x, lower, upper):
    above = x > upper
    return xp.where(above if lower is None else above | (upper < lower), g, 0)


def _where_types(raw, backend):
    """The condition must be bool (or uint8, torch's old spelling); the two others are promoted together."""
    condition = raw[0]
    if condition.dtype.kind != "b":
        name = _dtypes.of_numpy(condition.dtype).name
        if name != "uint8":
            raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {name}")
        condition = condition != 0
    inputs, common = same(raw[1:], backend)
    return [condition, *inputs], common


@op(promote=_where_types, fast=False)
def where(xp, condition, x, y):
    """x where `condition`, y elsewhere; all three broadcast together."""
    return xp.where(condition, x, y)


@where.vjp("x")
def _(xp, g, condition):
    return xp.where(condition, g, 0)


@where.vjp("y")
def _(xp, g, condition):
    return xp.where(condition, 0, g)


def _heaviside_types(raw, backend):
    x, y = raw
    if x.dtype != y.dtype:
        raise RuntimeError(f"heaviside is not implemented for tensors with different dtypes: {_dtypes.of_numpy(x.dtype).name} and "
                           f"{_dtypes.of_numpy(y.dtype).name}; convert one with .to(dtype)")
    return _no_complex("heaviside")(raw, backend)


@op(promote=_heaviside_types, fast=False)
def heaviside(xp, x, y):
    """0 where x < 0, 1 where x > 0, y where x is 0, nan where x is.  Without a gradient, as in torch."""
    step = xp.where(x == 0, y, x > 0).astype(x.dtype)
    return xp.where(x != x, x, step) if x.dtype.kind in "fV" else step


@op(promote=same)
def nan_to_num(xp, x, nan: float = 0.0, posinf: float = None, neginf: float = None):
    """x with nan and infinities replaced; by default 0, and the largest and smallest numbers of the type."""
    if x.dtype.kind in "biu":
        return x.copy()
    return xp.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf)


@nan_to_num.vjp("x")
def _(xp, g, x):
    return g * xp.isfinite(x)


def largest_number(np_dtype):
    """The largest finite number of a floating-point or complex NumPy dtype."""
    return float(ml_dtypes.finfo(np_dtype).max) if np_dtype.kind in "fVc" else math.inf

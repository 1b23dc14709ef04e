"""Sums and products of everything up to here, along one axis.  (*) -> (*)"""
import numpy as np

from .. import _dtypes
from .._alert import alert_not_deterministic
from .._core.op import op
from .._core.promotion import refusing, same, to_float
from .._core.tensor import Tensor
from ._run import run
from .reductions import sum_type
from .sorting import scan


@op(promote=same)
def cumsum(xp, x, axis: int):
    """out[i] = x[0] + ... + x[i] along `axis`; integers and bools in int64."""
    if xp is not np and x.dtype.kind in "fcV":
        alert_not_deterministic("cumsum_cuda_kernel")
    return xp.cumsum(x, axis, dtype=sum_type(x)) if x.ndim else x.astype(sum_type(x) or x.dtype)


@cumsum.vjp("x")
def _(xp, g, x_shape, axis):
    return _sum_from_here(xp, g, axis) if x_shape else g


@op(promote=same)
def cumprod(xp, x, axis: int):
    """out[i] = x[0] * ... * x[i] along `axis`; integers and bools in int64."""
    return xp.cumprod(x, axis, dtype=sum_type(x)) if x.ndim else x.astype(sum_type(x) or x.dtype)


@cumprod.vjp("x")
def _(xp, g, x, out, axis):
    if not x.ndim:
        return g
    zero = x == 0
    if not bool(zero.any()):
        return _sum_from_here(xp, g * out, axis) / x
    if isinstance(g, Tensor):
        return _cumprod_gradient_by_steps(xp, g, x, out, axis)
    first = zero & (xp.cumsum(zero, axis) == 1)
    through = xp.cumprod(xp.where(first, 1, x), axis)  # out, had the first zero been one
    before = _sum_from_here(xp, g * out, axis) / xp.where(zero, 1, x)  # right before the first zero, 0 behind it
    return xp.where(first, _sum_from_here(xp, g * through, axis), xp.where(zero, 0, before))


def _sum_from_here(xp, g, axis):
    """g[i] + g[i + 1] + ... along `axis`."""
    return xp.flip(xp.cumsum(xp.flip(g, axis), axis), axis)


def _cumprod_gradient_by_steps(xp, g, x, out, axis):
    """The gradient without a division, so that it can be differentiated again where x is zero; quadratic in the length of `axis`."""
    def cut(t, start, stop):
        return t[(slice(None),) * (axis % x.ndim) + (slice(start, stop),)]
    steps, n = [], x.shape[axis]
    for k in range(n):
        others = cut(xp.ones_like(x), 0, 1) if k + 1 == n else xp.concatenate(
            [cut(xp.ones_like(x), 0, 1), xp.cumprod(cut(x, k + 1, n), axis)], axis)
        if k:
            others = others * cut(out, k - 1, k)
        steps.append(xp.sum(cut(g, k, n) * others, axis, keepdims=True))
    return xp.concatenate(steps, axis)


LOWEST = -1e30  # stands for log(0) where -inf would make nan of differences


@op(promote=refusing(to_float, "logcumsumexp", _dtypes.COMPLEX))
def logcumsumexp(xp, x, axis: int):
    """out[i] = log(exp(x[0]) + ... + exp(x[i])) along `axis`, without overflow on the way."""
    if not x.ndim:
        return x.copy()
    return np.logaddexp.accumulate(x, axis) if xp is np else scan(xp, x, axis % x.ndim, xp.logaddexp)


@logcumsumexp.vjp("x")
def _(xp, g, x, out, axis):
    if not x.ndim:
        return g
    return _shares(xp, g, x, out, axis) - _shares(xp, xp.negative(g), x, out, axis)


def _shares(xp, g, x, out, axis):
    """exp(x[i]) times the sum of g[j] exp(-out[j]) over j >= i, where g is positive; in logarithms, since either factor may overflow."""
    positive = g > 0
    weight = xp.where(positive, xp.log(xp.where(positive, g, 1)) - out, LOWEST)
    return xp.exp(x + xp.flip(run(logcumsumexp, xp, xp.flip(weight, axis), axis=axis), axis))

"""Many elements made one: sums, products, averages, norms.

`axis` is None (everything), an int or a tuple of ints; keepdims leaves the reduced dimensions in place, as 1.  (*) -> (* without axis)
float16 and bfloat16 are accumulated in float32.
"""
import math

import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, same, to_float
from ._parts import keep, reduced_axes, reduced_size, spread, unit
from ._run import run

BOOL, INTEGER = _dtypes.BOOL, _dtypes.INTEGER
WHOLE = "biu"  # kinds of NumPy dtypes whose sums are int64


def sum_type(x):
    """The type in which `x` is summed: int64 for integers and bools, else None, its own."""
    return np.int64 if x.dtype.kind in WHOLE else None


@op(promote=same, broadcasts=False, half=True)
def sum_(xp, x, axis: tuple = None, keepdims: bool = False):
    """The sum; of integers and bools, in int64."""
    return xp.sum(x, axis, dtype=sum_type(x), keepdims=keepdims)


def sum_over(xp, x, axes):
    """The sum of an array or Tensor over `axes`."""
    return run(sum_, xp, x, axis=axes, keepdims=False)


@sum_.kernel("numpy")
def _(xp, x, axis=None, keepdims=False):
    if x.dtype.kind in WHOLE:
        return np.add.reduce(x, axis, np.int64, None, keepdims)
    if axis is not None and x.size > ROWS:
        x = _in_groups(x, reduced_axes(axis, x.ndim))
    return np.add.reduce(x, axis, None, None, keepdims)


ROWS = 1024  # elements that are added one after another; more are added in groups


def _in_groups(x, axes):
    """Sums over groups of ROWS along each long axis of `axes` whose elements are not neighbours in memory.

    Along those NumPy adds one after another, so that rounding errors grow with their number; neighbours it adds pairwise.
    """
    for a in axes if len(axes) < x.ndim else ():
        if x.shape[a] > ROWS and x.strides[a] != x.itemsize:
            before = (slice(None),) * a
            x = np.stack([np.add.reduce(x[(*before, slice(i, i + ROWS))], a) for i in range(0, x.shape[a], ROWS)], a)
    return x


@sum_.vjp("x")
def _(xp, g, x_shape, axis):
    return spread(xp, g, x_shape, axis)


@op(promote=same)
def prod(xp, x, axis: int = None, keepdims: bool = False):
    """The product; of integers and bools, in int64."""
    return xp.prod(x, axis, dtype=sum_type(x), keepdims=keepdims)


@prod.vjp("x")
def _(xp, g, x, out, axis):
    g, product = spread(xp, g, x.shape, axis), spread(xp, out, x.shape, axis)
    if bool((x == 0).any()):
        return g * _product_of_the_others(xp, x, axis)
    return g * product / x


def _product_of_the_others(xp, x, axis):
    """Per element of `x`, the product of the others along `axis`, zeros among them or not."""
    line = xp.reshape(x, (-1,)) if axis is None else x
    axis = 0 if axis is None else axis % x.ndim
    before = (slice(None),) * axis
    one = xp.ones_like(line[(*before, slice(0, 1))])
    left = xp.concatenate([one, xp.cumprod(line[(*before, slice(0, -1))], axis)], axis)
    right = xp.flip(xp.cumprod(xp.concatenate([one, xp.flip(line[(*before, slice(1, None))], axis)], axis), axis), axis)
    return xp.reshape(left * right, x.shape)


@op(promote=same, grad_name="Nansum")
def nansum(xp, x, axis: tuple = None, keepdims: bool = False):
    """The sum, nan counted as zero.  Real floating-point numbers only."""
    total = sum_.kernels[type(x)](xp, x, axis, keepdims)
    if xp is np and not np.isnan(total).any():
        return total
    return sum_.kernels[type(x)](xp, xp.where(xp.isnan(x), 0, x), axis, keepdims)


@nansum.vjp("x")
def _(xp, g, x, axis):
    return spread(xp, g, x.shape, axis) * xp.where(xp.isnan(x), xp.zeros_like(x), xp.ones_like(x))  # as in torch, infinite gradients make nan at nan


def _mean_types(raw, backend):
    kind = raw[0].dtype.kind
    if kind in WHOLE:
        raise RuntimeError("mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
                           f"{_dtypes.of_numpy(raw[0].dtype).name}; pass dtype= or convert with .float()")
    return same(raw, backend)


@op(promote=_mean_types)
def mean(xp, x, axis: tuple = None, keepdims: bool = False):
    """The average; nan of nothing."""
    return sum_.kernels[type(x)](xp, x, axis, keepdims) / (reduced_size(x.shape, axis) or math.nan)


@mean.vjp("x")
def _(xp, g, x_shape, axis):
    return spread(xp, g / (reduced_size(x_shape, axis) or 1), x_shape, axis)


# -- spread round the mean ---------------------------------------------------------------------------------------------

def _spread_types(name):
    """Floating-point and complex inputs only."""
    def policy(raw, backend):
        if raw[0].dtype.kind in WHOLE:
            raise RuntimeError(f"{name} only support floating point and complex dtypes, not {_dtypes.of_numpy(raw[0].dtype).name}; "
                               "convert with .float()")
        return same(raw, backend)
    return policy


def _variance(xp, x, axis, correction, keepdims):
    off = x - mean.forward(xp, x, axis, True)
    if x.dtype.kind == "c":
        squares = off.real * off.real + off.imag * off.imag
    else:
        squares = xp.multiply(off, off, out=off) if xp is np and x.ndim else off * off
    total = sum_.kernels[type(x)](xp, squares, axis, keepdims)
    return total / max(0, reduced_size(x.shape, axis) - correction)


def _variance_gradient(xp, g, x, axis, correction):
    off = x - xp.mean(x, axis, keepdims=True)
    return keep(xp, g, x.shape, axis) * (2 / (max(0, reduced_size(x.shape, axis) - correction) or math.nan)) * off


@op(promote=_spread_types("std and var"), holomorphic=False)
def var(xp, x, axis: tuple = None, correction: float = 1, keepdims: bool = False):
    """The mean squared distance from the mean, over n - correction.  Of complex numbers, real."""
    return _variance(xp, x, axis, correction, keepdims)


@var.vjp("x")
def _(xp, g, x, axis, correction):
    return _variance_gradient(xp, g, x, axis, correction)


@op(promote=_spread_types("std and var"), holomorphic=False)
def std(xp, x, axis: tuple = None, correction: float = 1, keepdims: bool = False):
    """The square root of `var`.  Where it is 0 its gradient is taken to be 0, as in torch."""
    return xp.sqrt(_variance(xp, x, axis, correction, keepdims))


@std.vjp("x")
def _(xp, g, x, out, axis, correction):
    zero = out == 0
    return _variance_gradient(xp, xp.where(zero, 0, g / xp.where(zero, 1, out + out)), x, axis, correction)


# -- truth -------------------------------------------------------------------------------------------------------------

@op(promote=same)
def any_(xp, x, axis: tuple = None, keepdims: bool = False):
    """Whether any element is not zero: bool (uint8 for uint8, as in torch)."""
    return _truth(x, xp.any(x, axis, keepdims=keepdims))


@op(promote=same)
def all_(xp, x, axis: tuple = None, keepdims: bool = False):
    """Whether no element is zero: bool (uint8 for uint8, as in torch)."""
    return _truth(x, xp.all(x, axis, keepdims=keepdims))


def _truth(x, result):
    return result.astype(np.uint8) if x.dtype == np.uint8 else result


# -- logarithms of sums, norms -----------------------------------------------------------------------------------------

@op(promote=refusing(to_float, "logsumexp", _dtypes.COMPLEX))
def logsumexp(xp, x, axis: tuple = None, keepdims: bool = False):
    """log(sum(exp(x))), without overflow on the way; -inf of nothing."""
    if not reduced_size(x.shape, axis):
        return xp.log(xp.sum(x, axis, keepdims=keepdims))
    top = xp.max(x, axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    total = xp.log(xp.sum(xp.exp(x - top), axis, keepdims=True)) + top
    return total if keepdims else total.reshape([n for i, n in enumerate(x.shape) if i not in reduced_axes(axis, x.ndim)])


@logsumexp.vjp("x")
def _(xp, g, x, out, axis):
    return keep(xp, g, x.shape, axis) * xp.exp(x - keep(xp, out, x.shape, axis))


@op(promote=_spread_types("norm"), grad_name="LinalgVectorNorm", holomorphic=False)
def vector_norm(xp, x, ord: float = 2, axis: tuple = None, keepdims: bool = False):  # noqa: A002 - NumPy's name
    """(sum |x|^ord)^(1/ord) of all elements together; the largest or smallest |x| for ord inf or -inf, how many are not 0 for ord 0."""
    if ord == 2:
        return xp.sqrt(_sum_of_squares(xp, x, axis, keepdims))
    size = xp.absolute(x)
    if ord == math.inf or ord == -math.inf:
        if not reduced_size(x.shape, axis) and ord > 0:
            return xp.sum(size, axis, keepdims=keepdims)
        return (xp.max if ord > 0 else xp.min)(size, axis, keepdims=keepdims)
    if ord == 0:
        return xp.sum(size != 0, axis, keepdims=keepdims).astype(size.dtype)
    if ord == 1:
        return xp.sum(size, axis, keepdims=keepdims)
    return xp.power(xp.sum(xp.power(size, ord), axis, keepdims=keepdims), 1 / ord)


def _sum_of_squares(xp, x, axis, keepdims):
    if x.dtype.kind == "c":
        return xp.sum(x.real * x.real + x.imag * x.imag, axis, keepdims=keepdims)
    if axis is None and x.flags.c_contiguous:
        flat = x.reshape(-1)
        return xp.dot(flat, flat).reshape((1,) * x.ndim if keepdims else ())  # BLAS: one pass, no temporary
    return xp.sum(x * x, axis, keepdims=keepdims)


@vector_norm.vjp("x")
def _(xp, g, x, out, ord, axis):  # noqa: A002
    g, norm = keep(xp, g, x.shape, axis), keep(xp, out, x.shape, axis)
    if ord == 0:
        return xp.zeros_like(x)
    if ord == 1:
        return g * unit(xp, x)
    if ord == 2:
        zero = norm == 0
        return x * xp.where(zero, 0, g / xp.where(zero, 1, norm))
    size = xp.absolute(x)
    if ord == math.inf or ord == -math.inf:
        return share(xp, g, size == norm, axis) * unit(xp, x)
    zero = (size == 0) | (norm == 0)
    return g * unit(xp, x) * xp.where(zero, 0, xp.power(xp.where(zero, 1, size) / xp.where(norm == 0, 1, norm), ord - 1))


def share(xp, g, winners, axis):
    """`g` (dimensions kept) divided evenly among the `winners` along `axis`, which tied; a bool array or Tensor.

    As in torch, an infinite gradient makes nan of the others where `axis` is given, and zeros where it is not.
    """
    if axis is None:
        return xp.where(winners, g / xp.astype(xp.sum(winners), dtype_of(g)), 0)
    winners = xp.astype(winners, dtype_of(g))
    return winners * (g / xp.sum(winners, axis, keepdims=True))


def dtype_of(g):
    """The NumPy dtype of an array or Tensor."""
    return getattr(g, "_data", g).dtype



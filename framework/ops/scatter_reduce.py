"""Several values for one place, reduced to one: sums, products, averages, extremes."""
import math

import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._backends.adding import reduce_at_places
from .._core.op import op
from .._core.tensor import Tensor
from ._repeated import add_repeated
from ._run import run, zeros_beside
from .gathering import add_along_axis, everywhere, scatter, take_along_axis

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


def _types(raw, backend):
    x, indices, y = raw
    if hasattr(y, "dtype") and x.dtype != y.dtype:
        names = [_dtypes.of_numpy(a.dtype).name for a in (x, y)]
        raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, but they are {names[0]} and {names[1]}")
    return raw, x.dtype


def _start(reduce, dtype):
    """The value that changes nothing."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    low = reduce == "amax"
    return -math.inf if low and limits is None else math.inf if limits is None else limits.min if low else limits.max


def _gather_into(xp, out, at, y, reduce):
    """out[at] = reduce(out[at], y), where places may repeat."""
    if reduce in ("sum", "mean"):
        add_repeated(xp, out, at, y)
    elif reduce != "prod":
        reduce_at_places(xp, {"amax": "maximum", "amin": "minimum"}[reduce], out, at, y)
    elif xp is np:
        np.multiply.at(out, at, y)
    else:  # CuPy has no multiply.at: on the host, which waits for the device
        host = out.get()
        np.multiply.at(host, tuple(i.get() for i in at), y.get())
        out[...] = xp.asarray(host)


@op(promote=_types, fast=False, broadcasts=False)
def scatter_reduce(xp, x, indices, y, axis: int, reduce: str, include_self: bool = True):
    """`x` with the elements of `y` reduced into the places that `indices` names along `axis`.

    reduce: "sum", "prod", "mean", "amax", "amin".  include_self: what was there takes part; otherwise it is replaced.
    y: the shape of `indices`
    """
    at, out = tuple(everywhere(xp, indices, axis)), x.copy()
    if not include_self:
        out[at] = _start(reduce, x.dtype)
    _gather_into(xp, out, at, y, reduce)
    if reduce != "mean":
        return out
    count = _counts(xp, x, indices, axis, include_self)
    return out // count if x.dtype.kind in "iu" else out / count


def _counts(xp, x, indices, axis, include_self):
    """How many values each place is the average of, at least 1, in the type of `x`."""
    ones = zeros_beside(x, indices.shape) + 1
    count = run(add_along_axis, xp, ones.astype(x.dtype), indices, shape=x.shape, axis=axis) + int(include_self)
    return xp.maximum(count.astype(x.dtype), xp.ones_like(x))


@scatter_reduce.vjp("x", "y")
def _(xp, g, x, indices, y, out, axis, reduce, include_self):
    if reduce in ("amax", "amin"):
        gx, gy = _extreme_gradients(xp, g, x, indices, y, out, axis, include_self)
    elif reduce == "prod":
        return _product_gradients(xp, g, x, indices, y, out, axis, include_self)
    else:
        if reduce == "mean":
            g = g / _raw_counts(x, indices, axis, include_self)
        gx, gy = g, _read(xp, g, indices, axis)
    return gx if include_self else run(scatter, xp, gx, indices, 0, axis=axis), gy


def _read(xp, t, indices, axis):
    return run(take_along_axis, xp, t, indices, axis=axis)


def _raw(t):
    return getattr(t, "_data", t)


def _raw_counts(x, indices, axis, include_self):
    """`_counts` of arrays or Tensors: an array, since it does not depend on their values."""
    a, i = _raw(x), _raw(indices)
    return _counts(_module(a), a, i, axis, include_self)


def _module(a):
    """numpy or cupy."""
    return BACKENDS[type(a)].xp


def _extreme_gradients(xp, g, x, indices, y, out, axis, include_self):
    """Those that are equal to the extreme share its gradient evenly."""
    kind = _raw(g).dtype
    from_self = xp.astype(x == out, kind)
    if not include_self:
        from_self = run(scatter, xp, from_self, indices, 0, axis=axis)
    from_y = xp.astype(y == _read(xp, out, indices, axis), kind)
    share = g / (from_self + run(add_along_axis, xp, from_y, indices, shape=tuple(x.shape), axis=axis))
    untouched = xp.where(_raw_untouched(x, indices, axis), g, share * from_self)
    return untouched, from_y * _read(xp, share, indices, axis)


def _raw_untouched(x, indices, axis):
    a, i = _raw(x), _raw(indices)
    out = _module(a).ones(a.shape, bool)
    out[tuple(everywhere(_module(a), i, axis))] = False
    return out


def _product_gradients(xp, g, x, indices, y, out, axis, include_self):
    """g times the product of the others, by division; where that would be by zero, the product with a one in its place.

    Where several zeros of `y` meet in one place the gradient for `y` cannot be differentiated again, as in torch.
    """
    def product(x, y):
        return run(scatter_reduce, xp, x, indices, y, axis=axis, reduce="prod", include_self=include_self)

    x_zero, y_zero = x == 0, y == 0
    x_one = xp.where(x_zero, 1, x)
    gx = g * (product(x_one, y) if include_self and bool(_raw(x_zero).any()) else out) / x_one
    if not include_self:
        gx = run(scatter, xp, xp.where(_raw_untouched(x, indices, axis), g, gx), indices, 0, axis=axis)
    gy = _read(xp, g * out, indices, axis) / xp.where(y_zero, 1, y)
    if bool(_raw(y_zero).any()):
        kind = _raw(g).dtype
        zeros = _read(xp, run(add_along_axis, xp, xp.astype(y_zero, kind), indices, shape=tuple(x.shape), axis=axis), indices, axis)
        alone = y_zero & (zeros == 1)
        gy = xp.where(alone, _read(xp, g * product(x, xp.where(alone, 1, y)), indices, axis), gy)
        if isinstance(g, Tensor) and bool((_raw(zeros) > 1).any()):
            gy = run(delayed_error, xp, gy, words="scatter_reduce(): Double backward is unsupported for src when >1 zeros in src are scattered to "
                                                  "the same position in self")
    return gx, gy


@op()
def delayed_error(xp, x, words: str):
    """A copy of `x` whose gradient is refused: RuntimeError(words)."""
    return x.copy()


@delayed_error.vjp("x")
def _(xp, g, words):
    raise RuntimeError(words)


delayed_error.rules[0].fn.refuses = True

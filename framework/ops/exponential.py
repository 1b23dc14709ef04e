"""Exponentials, logarithms and the functions made of them, elementwise.  Integers become the default float."""
import math

import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, same, to_float

LN2, LN10 = math.log(2), math.log(10)


@op(promote=to_float)
def exp(xp, x):
    """e to the power x"""
    return xp.exp(x)


@exp.vjp("x")
def _(xp, g, out):
    return g * out


@op(promote=to_float)
def exp2(xp, x):
    """2 to the power x"""
    return xp.exp2(x)


@exp2.vjp("x")
def _(xp, g, out):
    return g * out * LN2


@op(promote=to_float)
def expm1(xp, x):
    """exp(x) - 1, exact also for small x."""
    return xp.expm1(x)


@expm1.vjp("x")
def _(xp, g, out):
    return g * (out + 1)


@op(promote=to_float)
def log(xp, x):
    """The natural logarithm; -inf at 0, nan below."""
    return xp.log(x)


@log.vjp("x")
def _(xp, g, x):
    return g / x


@op(promote=to_float)
def log2(xp, x):
    """The logarithm to base 2."""
    return xp.log2(x)


@log2.vjp("x")
def _(xp, g, x):
    return g / (x * LN2)


@op(promote=to_float)
def log10(xp, x):
    """The logarithm to base 10."""
    return xp.log10(x)


@log10.vjp("x")
def _(xp, g, x):
    return g / (x * LN10)


@op(grad_name="Log1P", promote=to_float)
def log1p(xp, x):
    """log(1 + x), exact also for small x."""
    return xp.log1p(x)


@log1p.vjp("x")
def _(xp, g, x):
    return g / (x + 1)


_FLOATS_ONLY = _dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX


@op(promote=refusing(same, "logaddexp", *_FLOATS_ONLY))
def logaddexp(xp, x, y):
    """log(exp(x) + exp(y)), without overflow on the way."""
    return xp.logaddexp(x, y)


@logaddexp.vjp("x")
def _(xp, g, x, y):
    return g / (xp.exp(y - x) + 1)


@logaddexp.vjp("y")
def _(xp, g, x, y):
    return g / (xp.exp(x - y) + 1)


@op(promote=refusing(same, "logaddexp2", *_FLOATS_ONLY))
def logaddexp2(xp, x, y):
    """log2(2^x + 2^y), without overflow on the way."""
    return xp.logaddexp2(x, y)


@logaddexp2.vjp("x")
def _(xp, g, x, y):
    return g / (xp.exp2(y - x) + 1)


@logaddexp2.vjp("y")
def _(xp, g, x, y):
    return g / (xp.exp2(x - y) + 1)


def _xlogy_types(raw, backend):
    """Floats; a number too becomes an array, whose logarithm has the right type."""
    return refusing(to_float, "xlogy", _dtypes.COMPLEX)(raw, backend)


@op(promote=_xlogy_types, cuda="out = x == 0 && y == y ? 0 : x * log(y)")
def xlogy(xp, x, y):
    """x * log(y), and 0 where x is 0 unless y is nan."""
    return xp.where((x == 0) & (y == y), 0, x * xp.log(y))


@xlogy.vjp("x", cuda="d = g * (x == 0 && y <= 0 ? 0 : log(y))")
def _(xp, g, x, y):
    return g * xp.where((x == 0) & (y <= 0), 0, xp.log(y))


@xlogy.vjp("y", cuda="d = g * x / y")
def _(xp, g, x, y):
    return g * x / y


@op(promote=to_float, cuda="out = 1 / (1 + exp(-x))")
def sigmoid(xp, x):
    """1 / (1 + exp(-x))"""
    return 1 / (1 + xp.exp(-x))


@sigmoid.kernel("numpy")
def _(xp, x):
    if not x.ndim:
        return 1 / (1 + np.exp(-x))
    t = np.negative(x)
    np.exp(t, out=t)
    t += 1
    return np.reciprocal(t, out=t)


@sigmoid.vjp("x", cuda="d = g * out * (1 - out)")
def _(xp, g, out):
    return g * out * (1 - out)


@op(promote=refusing(to_float, "logit", _dtypes.COMPLEX))
def logit(xp, x, eps: float = None):
    """log(x / (1 - x)), the inverse of `sigmoid`.  eps: x is first clamped to [eps, 1 - eps]; None: not clamped, nan outside [0, 1]."""
    if eps is not None:
        x = xp.minimum(xp.maximum(x, eps), 1 - eps)
    return xp.log(x / (1 - x))


@logit.vjp("x")
def _(xp, g, x, eps):
    if eps is None:
        return xp.where((x < 0) | (x > 1), math.nan, g / (x * (1 - x)))
    outside = (x < eps) | (x > 1 - eps)
    inner = xp.where(outside, 0.5, x)
    return xp.where(outside, 0, g / (inner * (1 - inner)))

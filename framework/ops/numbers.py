"""Looks at the numbers themselves: signs, neighbours, mantissas, common divisors; and sinc."""
import math

import numpy as np

from .. import _dtypes
from .._alert import alert_not_deterministic
from .._core.op import op
from .._core.promotion import refusing, same, to_float

_FLOATS_ONLY = (_dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX)
_WHOLE_ONLY = (_dtypes.BOOL, _dtypes.FLOAT, _dtypes.COMPLEX)


@op(promote=refusing(to_float, "copysign", _dtypes.COMPLEX))
def copysign(xp, x, y):
    """|x| with the sign of `y`, that of -0 too; integers become the default float."""
    return xp.copysign(x, y)


@copysign.vjp("x")
def _(xp, g, x, out):
    zero = x == 0
    return g * xp.where(zero, 0, out / xp.where(zero, 1, x))


@copysign.vjp("y")
def _(xp, g):
    return xp.zeros_like(g)


@op(promote=refusing(same, "nextafter", *_FLOATS_ONLY))
def nextafter(xp, x, y):
    """The neighbour of `x` among its type's numbers, towards `y`.  No gradient."""
    return xp.nextafter(x, y)


@op(promote=refusing(same, "signbit", _dtypes.COMPLEX))
def signbit(xp, x):
    """Whether the sign is minus, of -0 too.  bool"""
    return xp.signbit(x) if x.dtype.kind == "f" else x < 0


@op(promote=refusing(same, "frexp", *_FLOATS_ONLY), fast=False)
def frexp(xp, x):
    """(mantissa, exponent): x = mantissa * 2^exponent with 1/2 <= |mantissa| < 1, exponent int32."""
    return xp.frexp(x)


frexp.gives_away = 1  # the rule reads the exponent only


@frexp.vjp("x")
def _(xp, g, out):
    return g[0] * xp.power(2.0, xp.astype(xp.negative(out[1]), getattr(g[0], "_data", g[0]).dtype))


@op(promote=refusing(same, "gcd", *_WHOLE_ONLY), fast=False)
def gcd(xp, x, y):
    """The greatest common divisor of integers, not negative."""
    return xp.gcd(x, y)


@op(promote=refusing(same, "lcm", *_WHOLE_ONLY), fast=False)
def lcm(xp, x, y):
    """The least common multiple of integers, not negative."""
    return xp.lcm(x, y)


@op(promote=to_float)
def sinc(xp, x):
    """sin(pi x) / (pi x), and 1 at 0."""
    y = xp.where(x == 0, 1, x) * math.pi
    return xp.where(x == 0, 1, xp.sin(y) / y)


@sinc.vjp("x")
def _(xp, g, x):
    zero = x == 0
    y = xp.where(zero, 1, x) * math.pi
    return xp.where(zero, 0, g * ((xp.cos(y) - xp.sin(y) / y) / xp.where(zero, 1, x)))


@op(promote=refusing(to_float, "xlog1py", _dtypes.COMPLEX), fast=False)
def xlog1py(xp, x, y):
    """x * log(1 + y), and 0 where `x` is 0 and `y` is not nan."""
    return xp.where((x == 0) & (y == y), 0, x * xp.log1p(y))


@xlog1py.vjp("x")
def _(xp, g, x, y):
    return g * xp.where((x == 0) & (y <= -1), 0, xp.log1p(y))


@xlog1py.vjp("y")
def _(xp, g, x, y):
    return g * (x / (y + 1))


@op(fast=False)
def isin(xp, x, y, invert: bool = False):
    """Whether each element of `x` is among those of `y` (not among them, with `invert`).  bool, the shape of x"""
    return xp.isin(x, y, invert=invert)


@op(fast=False, syncs=True)
def histogram_counts(xp, x, weights=None, edges: tuple = ()):
    """How many elements of `x`, or the sum of their weights, lie in each bin; the last bin includes its upper edge.  -> (len(edges) - 1)"""
    if weights is not None and xp is not np:
        alert_not_deterministic("histogramdd")
    bounds = xp.asarray(edges, dtype=np.float64)
    flat = x.reshape(-1).astype(np.float64)
    inside = (flat >= bounds[0]) & (flat <= bounds[-1])
    at = xp.clip(xp.searchsorted(bounds, flat[inside], side="right") - 1, 0, len(edges) - 2)
    kept = None if weights is None else weights.reshape(-1)[inside].astype(np.float64)
    return xp.bincount(at, kept, len(edges) - 1).astype(x.dtype)

"""The error function and its relatives, elementwise.  Integers become the default float."""
import math

import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float
from . import _erf
from ._run import run

_SLOPE = 2 / math.sqrt(math.pi)


def _on_gpu():
    from cupyx.scipy import special
    return special


@op(promote=refusing(to_float, "erf", _dtypes.COMPLEX), cuda="out = erf(x)")
def erf(xp, x):
    """The error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    return _erf.erf(x) if xp is np else _on_gpu().erf(x)


@erf.vjp("x")
def _(xp, g, x):
    return g * (xp.exp(xp.negative(x * x)) * _SLOPE)


@op(promote=refusing(to_float, "erfc", _dtypes.COMPLEX), cuda="out = erfc(x)")
def erfc(xp, x):
    """1 - erf(x), exact also where erf is almost 1."""
    return _erf.erfc(x) if xp is np else _on_gpu().erfc(x)


@erfc.vjp("x")
def _(xp, g, x):
    return g * (xp.exp(xp.negative(x * x)) * -_SLOPE)


@op(promote=refusing(to_float, "erfinv", _dtypes.COMPLEX), cuda="out = erfinv(x)")
def erfinv(xp, x):
    """The inverse of `erf`: inf at 1, nan outside [-1, 1]."""
    return _erf.erfinv(x) if xp is np else _on_gpu().erfinv(x)


@erfinv.vjp("x")
def _(xp, g, out):
    return g * (xp.exp(out * out) / _SLOPE)


@op(promote=refusing(to_float, "erfcx", _dtypes.COMPLEX), cuda="out = erfcx(x)")
def erfcx(xp, x):
    """exp(x^2) erfc(x), which neither overflows nor vanishes for large x."""
    return _erf.erfcx(x) if xp is np else _on_gpu().erfcx(x)


@erfcx.vjp("x")
def _(xp, g, x, out):
    return g * (2 * x * out - _SLOPE)


@op(promote=refusing(to_float, "log_ndtr", _dtypes.COMPLEX))
def log_ndtr(xp, x):
    """The logarithm of the standard normal distribution function."""
    return _erf.log_ndtr(x) if xp is np else _on_gpu().log_ndtr(x)


@log_ndtr.vjp("x")
def _(xp, g, x):
    return g * (math.sqrt(2 / math.pi) / run(erfcx, xp, x * -math.sqrt(0.5)))


@op(promote=refusing(to_float, "ndtri", _dtypes.COMPLEX))
def ndtri(xp, x):
    """The inverse of the standard normal distribution function: -inf at 0, inf at 1, nan outside."""
    return _erf.ndtri(x) if xp is np else _on_gpu().ndtri(x)


@ndtri.vjp("x")
def _(xp, g, out):
    return g * (xp.exp(out * out * 0.5) * math.sqrt(2 * math.pi))

"""The gamma function's logarithm, its derivatives, and Bessel functions, elementwise.  Integers become the default float."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float
from . import _gamma
from ._run import run


def _on_gpu():
    from cupyx.scipy import special
    return special


@op(promote=refusing(to_float, "lgamma", _dtypes.COMPLEX), cuda="out = lgamma(x)")
def lgamma(xp, x):
    """log |gamma(x)|: inf at 0, -1, -2, ..."""
    return _gamma.lgamma(x) if xp is np else _on_gpu().gammaln(x)


@lgamma.vjp("x")
def _(xp, g, x):
    return g * run(digamma, xp, x)


@op(promote=refusing(to_float, "digamma", _dtypes.COMPLEX))
def digamma(xp, x):
    """The derivative of log gamma(x): -inf at 0, nan at -1, -2, ..."""
    return _gamma.digamma(x) if xp is np else _on_gpu().digamma(x)


@digamma.vjp("x")
def _(xp, g, x):
    return g * run(polygamma, xp, x, n=1)


@op(promote=refusing(to_float, "polygamma", _dtypes.COMPLEX), fast=False)
def polygamma(xp, x, n: int):
    """The n-th derivative of digamma, n >= 0: (-1)^(n + 1) n! zeta(n + 1, x)."""
    return _gamma.polygamma(x, n) if xp is np else _on_gpu().polygamma(n, x).astype(x.dtype)


@polygamma.vjp("x")
def _(xp, g, x, n):
    return g * run(polygamma, xp, x, n=n + 1)


def _bessel(name, order, scaled, doc):
    def forward(xp, x):
        return _gamma.bessel(x, order, scaled) if xp is np else getattr(_on_gpu(), name)(x)
    forward.__name__, forward.__doc__ = name, doc
    return op(promote=refusing(to_float, name, _dtypes.COMPLEX))(forward)


i0 = _bessel("i0", 0, False, "The modified Bessel function of the first kind, of order 0.")
i1 = _bessel("i1", 1, False, "The modified Bessel function of the first kind, of order 1.")
i0e = _bessel("i0e", 0, True, "i0(x) exp(-|x|).")
i1e = _bessel("i1e", 1, True, "i1(x) exp(-|x|).")


@i0.vjp("x")
def _(xp, g, x):
    return g * run(i1, xp, x)


@i0e.vjp("x")
def _(xp, g, x, out):
    return g * (run(i1e, xp, x) - xp.sign(x) * out)


@i1.vjp("x")
def _(xp, g, x, out):
    return g * (run(i0, xp, x) - _over(xp, out, x))


@i1e.vjp("x")
def _(xp, g, x, out):
    return g * (run(i0e, xp, x) - xp.sign(x) * out - _over(xp, out, x))


def _over(xp, out, x):
    """out / x, whose limit at 0 is 1/2."""
    zero = x == 0
    return xp.where(zero, 0.5, out / xp.where(zero, 1, x))

"""The gamma function's logarithm, its derivatives, incomplete forms, zeta, and Bessel's I, elementwise.  Integers become the default float."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, same, to_float
from . import _gamma, _incomplete_gamma
from ._run import refuses_gradient, run


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
    return _gamma.polygamma(x, n) if xp is np else _on_gpu().polygamma(xp.asarray(n), x).astype(x.dtype)


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


def _incomplete(name, upper, doc):
    def forward(xp, x, y):
        return _incomplete_gamma.gammainc(x, y, upper) if xp is np else getattr(_on_gpu(), name)(x, y)
    forward.__name__, forward.__doc__ = {"gammainc": "igamma", "gammaincc": "igammac"}[name], doc
    return op(promote=refusing(same, forward.__name__, _dtypes.COMPLEX, _dtypes.INTEGER, _dtypes.BOOL), fast=False)(forward)


igamma = _incomplete("gammainc", False, "The regularised lower incomplete gamma function P(x, y), x the parameter.")
igammac = _incomplete("gammaincc", True, "The regularised upper incomplete gamma function Q(x, y) = 1 - P(x, y), x the parameter.")
refuses_gradient(igamma, "x")
refuses_gradient(igammac, "x")


def _gamma_density(xp, x, y):
    return xp.exp((x - 1) * xp.log(y) - y - run(lgamma, xp, x))


@igamma.vjp("y")
def _(xp, g, x, y):
    return g * _gamma_density(xp, x, y)


@igammac.vjp("y")
def _(xp, g, x, y):
    return xp.negative(g * _gamma_density(xp, x, y))


@op(promote=refusing(to_float, "zeta", _dtypes.COMPLEX), fast=False)
def zeta(xp, x, y):
    """Hurwitz' zeta function: the sum of (y + k)^-x over k = 0, 1, 2, ...; inf at x = 1, nan below."""
    return _gamma.zeta(y, x) if xp is np else _on_gpu().zeta(x, y)


@zeta.vjp("y")
def _(xp, g, x, y):
    return xp.negative(g * x * run(zeta, xp, x + 1, y))


refuses_gradient(zeta, "x")

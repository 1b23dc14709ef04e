"""The rarer elementwise functions in torch's words; `ringgrad.special` has most of them under their own names."""
import math

from .. import ops
from .._backends import of_array
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from ..ops.polynomials import FAMILIES
from ._results import named

FrexpResult = named("frexp", ("mantissa", "exponent"))


def polygamma(n, input):
    """The n-th derivative of `digamma`, n >= 0.  As a method: x.polygamma(n)."""
    if isinstance(n, Tensor):  # the method passes the tensor first
        n, input = input, n
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, but n is {n}.")
    return ops.polygamma(input, int(n))


def polygamma_(self, n):
    """In-place form of `polygamma`.  Returns self."""
    return apply_inplace(ops.polygamma.op, self, (), {"n": int(n)})


def mvlgamma(input, p):
    """log of the p-dimensional gamma function: p (p - 1) / 4 log(pi) + the sum of lgamma(input + (1 - i) / 2) for i = 1 ... p."""
    if p < 1:
        raise RuntimeError(f"p has to be greater than or equal to 1, but it is {p}")
    total = ops.lgamma(input)
    for i in range(1, p):
        total = total + ops.lgamma(input - i / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


def mvlgamma_(self, p):
    """In-place form of `mvlgamma`.  Returns self."""
    return apply_inplace(ops.assign.op, self, (mvlgamma(ops.copy(self), p),), {})


def ldexp(input, other):
    """input * 2^other"""
    return ops.multiply(input, ops.power(2.0, other))


def ldexp_(self, other):
    """In-place form of `ldexp`.  Returns self."""
    return apply_inplace(ops.multiply.op, self, (ops.power(2.0, other),), {})


def frexp(input):
    """(mantissa, exponent): input = mantissa * 2^exponent with 1/2 <= |mantissa| < 1."""
    return FrexpResult(*ops.frexp(input))


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each of `elements` is among `test_elements`; either may be a number.  bool"""
    there = test_elements.device if isinstance(test_elements, Tensor) else None
    x = elements if isinstance(elements, Tensor) else ops.full((), elements, type(elements), there)
    y = test_elements._data if isinstance(test_elements, Tensor) else of_array(x._data).asarray(test_elements)
    return ops.isin(x, y, bool(invert))


# -- functions of ringgrad.special only --------------------------------------------------------------------------------

def entr(input):
    """-x log(x): 0 at 0, -inf below."""
    return ops.where(input < 0, -math.inf, ops.negative(ops.xlogy(input, input)))


def ndtr(input):
    """The standard normal distribution function: half of erfc(-x / sqrt(2))."""
    return ops.erfc(input * -math.sqrt(0.5)) * 0.5


def spherical_bessel_j0(input):
    """sin(x) / x, 1 at 0: the spherical Bessel function of the first kind, of order 0.

    As in torch it passes no gradient, like all of this block.
    """
    x = input.detach()
    return ops.where(ops.isinf(x), 0.0, ops.sinc(x * (1 / math.pi)))


def modified_bessel_i0(input):
    """`i0` under another name, without its gradient."""
    return ops.i0(input.detach())


def modified_bessel_i1(input):
    """`i1` under another name, without its gradient."""
    return ops.i1(input.detach())


def zeta(input, other):
    """Hurwitz' zeta function: the sum of (other + k)^-input over k = 0, 1, 2, ...; differentiable in `other`."""
    return ops.zeta(input, other)


def igamma(input, other):
    """The regularised lower incomplete gamma function P(input, other); differentiable in `other`."""
    return ops.igamma(input, other)


def igammac(input, other):
    """The regularised upper incomplete gamma function 1 - P(input, other); differentiable in `other`."""
    return ops.igammac(input, other)


def _polynomial(family):
    def polynomial(input, n):
        return ops.orthogonal_polynomial(input, n, family)
    polynomial.__name__ = polynomial.__qualname__ = family
    words = family.split("_")
    polynomial.__doc__ = (f"The {' '.join(words[:-1])} {words[-1].title()}_n(x), elementwise; the degree n is a number or a tensor that broadcasts, "
                          "and below 0 the result is 0.")
    return polynomial


POLYNOMIALS = {family: _polynomial(family) for family in FAMILIES}


_TWINNED = {"lgamma": ops.lgamma, "digamma": ops.digamma, "i0": ops.i0, "sinc": ops.sinc, "copysign": ops.copysign, "nextafter": ops.nextafter,
            "gcd": ops.gcd, "lcm": ops.lcm, "igamma": ops.igamma, "igammac": ops.igammac}
FUNCTIONS = {**_TWINNED, "igamma": igamma, "igammac": igammac, "signbit": ops.signbit, "polygamma": polygamma, "mvlgamma": mvlgamma,
             "ldexp": ldexp, "frexp": frexp, "isin": isin}
METHODS = {**{n: f for n, f in FUNCTIONS.items() if n != "isin"}, "polygamma_": polygamma_, "mvlgamma_": mvlgamma_, "ldexp_": ldexp_}
INPLACE = {n: f.op for n, f in _TWINNED.items()}

"""Samples of the rarer elementwise functions."""
import math

import numpy as np

from .sample import FLOATS, INTS, Fails, Sample, apart, const, elementwise, lib, positive, rand, randint, randn

DOUBLE = ("float32", "float64")
lgamma = np.vectorize(math.lgamma, otypes=[float])


def digamma(x):
    """By differences of lgamma of both sides, extrapolated: independent of the series under test."""
    def slope(h):
        return (lgamma(x + h) - lgamma(x - h)) / (2 * h)
    return (64 * slope(1e-3) - 20 * slope(2e-3) + slope(4e-3)) / 45


def polygamma(n, x):
    """The defining series, summed to 20000 terms, and the rest as an integral with its first corrections."""
    k = np.arange(20000.0)
    y = x[..., None] + k
    top = x + 20000.0
    rest = top ** -n / n + 0.5 * top ** -(n + 1.0) + (n + 1) / 12 * top ** -(n + 2.0)
    return (-1) ** (n + 1) * math.factorial(n) * ((y ** -(n + 1.0)).sum(-1) + rest)


def bessel(x, order, scaled=False):
    """The integral of exp(x cos t) cos(order t) over a half turn, by the trapezoidal rule, which is exact to rounding here."""
    t = (np.arange(400) + 0.5) * np.pi / 400
    return (np.exp(x[..., None] * np.cos(t) - (np.abs(x)[..., None] if scaled else 0)) * np.cos(order * t)).mean(-1)


def of(name):
    """torch.special's function, for samples under the op's own name."""
    return lambda t: getattr(t.special, name)


SMOOTH = [
    elementwise("lgamma", positive(3, 4), ref=lgamma, dtypes=FLOATS + INTS, gives="to_float", slack=4),
    elementwise("lgamma", const([-2.5, -0.3, 0.2, 12.5, 140.0]), ref=lgamma, dtypes=DOUBLE),
    elementwise("digamma", positive(3, 4), ref=digamma, dtypes=("float16", "bfloat16", "float32", "float64"), slack=40),
    elementwise("digamma", const([-2.5, -0.3, 0.2, 12.5, 140.0]), ref=digamma, dtypes=DOUBLE, slack=500),
    Sample("polygamma", [1, positive(3, 4)], ref=polygamma, dtypes=DOUBLE, slack=10, torch_slack=20),
    Sample("polygamma", [3, positive(3)], ref=polygamma, dtypes=DOUBLE, slack=10, torch_slack=20),
    Sample("Tensor.polygamma", [positive(3), 2], ref=lambda x, n: polygamma(n, x), dtypes=("float64",), slack=10),
    Sample("mvlgamma", [rand(3, 4, low=2.0, high=5.0), 3], op="lgamma", dtypes=DOUBLE, slack=4, inplace="a composition",
           ref=lambda x, p: 1.5 * np.log(np.pi) + lgamma(x) + lgamma(x - 0.5) + lgamma(x - 1)),
    elementwise("i0", randn(3, 4), ref=lambda x: bessel(x, 0), dtypes=FLOATS, slack=4),
    elementwise("special.i0e", const([-30.0, -19, -0.5, 0.2, 5, 21]), ref=lambda x: bessel(x, 0, True), dtypes=DOUBLE, slack=4),
    elementwise("special.i1", randn(3, 4), ref=lambda x: bessel(x, 1), dtypes=DOUBLE, slack=4),
    elementwise("special.i1e", const([-30.0, -19, -0.5, 0.2, 5, 21]), ref=lambda x: bessel(x, 1, True), dtypes=DOUBLE, slack=4),
    elementwise("sinc", randn(3, 4), ref=np.sinc, dtypes=FLOATS, slack=4),
    elementwise("special.entr", positive(3, 4), op="xlogy", ref=lambda x: -x * np.log(x), dtypes=DOUBLE),
    elementwise("special.xlog1py", apart(3, 4), positive(4), ref=lambda x, y: x * np.log1p(y), dtypes=DOUBLE),
    elementwise("special.ndtr", randn(3, 4), op="erfc", ref=lambda x: np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2, dtypes=DOUBLE),
]

NUMBERS = [
    elementwise("copysign", apart(3, 4), apart(4), ref=np.copysign, dtypes=FLOATS),
    Sample("copysign", [apart(3), -2.0], ref=np.copysign, dtypes=FLOATS),
    elementwise("nextafter", randn(3, 4), randn(4), ref=np.nextafter, dtypes=("float64",), grad=False),
    elementwise("signbit", randn(3, 4), ref=np.signbit, dtypes=("float32", "float64", "int64", "uint8"), gives="bool", grad=False),
    Sample("frexp", [randn(3, 4)], ref=np.frexp, dtypes=DOUBLE),
    Sample("ldexp", [randn(3, 4), const([1, 2, 5, 0], "int64")], op="power", ref=np.ldexp, dtypes=DOUBLE, inplace="a composition"),
    elementwise("gcd", randint(0, 30, 3, 4, follows=True), randint(0, 30, 4, follows=True), ref=np.gcd, dtypes=INTS, grad=False),
    elementwise("lcm", randint(1, 9, 3, 4, follows=True), randint(1, 9, 4, follows=True), ref=np.lcm, dtypes=INTS, grad=False),
    Sample("isin", [randint(0, 5, 3, 4), const([1, 3], "int64")], ref=np.isin, dtypes=("float64",), gives="bool", grad=False),
    Sample("isin", [randint(0, 5, 3, 4), 2], dict(invert=True), ref=lambda x, y: np.isin(x, y, invert=True), dtypes=("float64",), gives="bool", grad=False),
    Sample("isin", [2, randint(0, 5, 3, 4)], ref=np.isin, dtypes=("float64",), gives="bool", grad=False),
    Sample("finfo", [lib("float32")], op=None, call=lambda lib, d: lib.finfo(d).eps, ref=lambda d: 2.0 ** -23),
]

REFUSED = [
    Fails("polygamma", [-1, positive(3)], says="does not support negative n"),
    Fails("mvlgamma", [positive(3), 0], says="p has to be greater than or equal to 1"),
    Fails("gcd", [randn(3), randn(3)], error=NotImplementedError, says="gcd"),
    Fails("lgamma", [const([1 + 2j], "complex128")], error=NotImplementedError, says="lgamma"),
]

SAMPLES = [*SMOOTH, *NUMBERS, *REFUSED]

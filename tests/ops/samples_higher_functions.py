"""Samples of Bessel's, Airy's and the incomplete gamma functions, of zeta and the orthogonal polynomials, against integrals and series.

torch's own bessel_j0, y0, j1, y1 and airy_ai are single precision on parts of their range (by its constants), so those rows stay where they are not.
"""
import math

import numpy as np
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre

from .sample import Fails, Sample, const, elementwise, positive, rand, randint

DOUBLE = ("float32", "float64")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(400)
lgamma, erfc = np.vectorize(math.lgamma, otypes=[float]), np.vectorize(math.erfc, otypes=[float])


def integral(f, low, high):
    """Of f(t), t beside the last dimension, from low to high (numbers or arrays)."""
    low, high = np.asarray(low, float)[..., None], np.asarray(high, float)[..., None]
    return (f(low + (high - low) * (1 + NODES) / 2) * WEIGHTS).sum(-1) * ((high - low) / 2)[..., 0]


def bessel_j(x, n):
    return integral(lambda t: np.cos(n * t - x[..., None] * np.sin(t)), 0, np.pi) / np.pi


def bessel_y(x, n):
    """Schlaefli's integral, DLMF 10.9.7."""
    first = integral(lambda t: np.sin(x[..., None] * np.sin(t) - n * t), 0, np.pi)
    rest = integral(lambda t: (np.exp(n * t) + (-1) ** n * np.exp(-n * t)) * np.exp(-x[..., None] * np.sinh(t)), 0 * x, np.arcsinh(45 / x))
    return (first - rest) / np.pi


def bessel_k(x, n, scaled=False):
    return integral(lambda t: np.exp(-x[..., None] * (np.cosh(t) - scaled)) * np.cosh(n * t), 0 * x, np.arccosh(1 + 45 / x))


def airy_ai(x):
    """Maclaurin's series with more digits."""
    x = x.astype(np.longdouble)
    f, g = np.ones_like(x), x.copy()
    total = 0
    for k in range(1, 60):
        total = total + np.longdouble("0.355028053887817239260063186") * f - np.longdouble("0.258819403792806798405183560") * g
        f, g = f * x ** 3 / ((3 * k - 1) * 3 * k), g * x ** 3 / (3 * k * (3 * k + 1))
    return total.astype(float)


def igamma(a, x):
    a, x = np.broadcast_arrays(a, x)
    term = total = 1 / a
    for k in range(1, 200):
        term = term * x / (a + k)
        total = total + term
    return total * np.exp(a * np.log(x) - x - lgamma(a))


def zeta(x, q):
    """The defining series, summed to 20000 terms, and the rest as an integral with its first corrections."""
    x, q = np.broadcast_arrays(np.asarray(x, float), np.asarray(q, float))
    top = q + 20000.0
    rest = top ** (1 - x) / (x - 1) + 0.5 * top ** -x + x / 12 * top ** (-x - 1)
    return ((q[..., None] + np.arange(20000.0)) ** -x[..., None]).sum(-1) + rest


def series(evaluate):
    """The polynomial of degree n by NumPy's sum of a series with one coefficient."""
    return lambda x, n: np.vectorize(lambda v, k: evaluate(v, [0] * int(k) + [1]), otypes=[float])(x, n)


def second_kind(x, n):
    t = np.arccos(x)
    return np.sin((n + 1) * t) / np.sin(t)


def third_kind(x, n):
    t = np.arccos(x)
    return np.cos((n + 0.5) * t) / np.cos(t / 2)


def fourth_kind(x, n):
    t = np.arccos(x)
    return np.sin((n + 0.5) * t) / np.sin(t / 2)


def shifted(f):
    return lambda x, n: f(2 * x - 1, n)


KINDS = {"t": series(chebyshev.chebval), "u": second_kind, "v": third_kind, "w": fourth_kind}
POLYNOMIALS = {f"chebyshev_polynomial_{k}": f for k, f in KINDS.items()} | {
    "hermite_polynomial_h": series(hermite.hermval), "hermite_polynomial_he": series(hermite_e.hermeval),
    "laguerre_polynomial_l": series(laguerre.lagval), "legendre_polynomial_p": series(legendre.legval)}
SHIFTED = {f"shifted_chebyshev_polynomial_{k}": shifted(f) for k, f in KINDS.items()}


def polynomial(name, ref, low):
    """Degrees as a tensor and as a number."""
    where = dict(op="orthogonal_polynomial", ref=ref, dtypes=DOUBLE, slack=20, grad=False)
    return [elementwise(f"special.{name}", rand(3, 4, low=low, high=0.95), randint(0, 9, 4), **where),
            Sample(f"special.{name}", [rand(3, 4, low=low, high=0.95), 5], **where)]


def bessel(name, values, ref, **fields):
    """No derivatives, as in torch."""
    return elementwise(f"special.{name}", const(values), ref=ref, grad=False, **({"dtypes": DOUBLE, "slack": 40} | fields))


NEAR, FAR, SCALED = [0.3, 1.9, 2.5, 4.5], [7.0, 24.0, 26.0, 90.0], [0.3, 0.9, 1.2, 4.5, 30.0]
BESSEL = [row for n in (0, 1) for row in (
    bessel(f"bessel_j{n}", [-3.5, -0.2, *NEAR], lambda x, n=n: bessel_j(x, n), torch_slack=1e5),
    bessel(f"bessel_j{n}", [*FAR, -90.0], lambda x, n=n: bessel_j(x, n), dtypes=("float64",), torch_slack=1e5),
    bessel(f"bessel_y{n}", NEAR, lambda x, n=n: bessel_y(x, n), torch_slack=1e5),
    bessel(f"bessel_y{n}", FAR, lambda x, n=n: bessel_y(x, n), dtypes=("float64",), torch_slack=1e5),
    bessel(f"modified_bessel_k{n}", SCALED, lambda x, n=n: bessel_k(x, n)),
    bessel(f"scaled_modified_bessel_k{n}", SCALED, lambda x, n=n: bessel_k(x, n, True)),
    bessel(f"modified_bessel_i{n}", [-1.5, 0.2, 3.0], op=f"i{n}",
           ref=lambda x, n=n: integral(lambda t: np.exp(x[..., None] * np.cos(t)) * np.cos(n * t), 0, np.pi) / np.pi),
)] + [
    bessel("airy_ai", [-3.5, -1.1, -0.4, 0.0, 0.6, 1.4, 3.5], airy_ai, torch_slack=1e6),
    bessel("spherical_bessel_j0", [-2.0, -0.1, 0.3, 5.0], lambda x: np.sin(x) / x, op="sinc"),
]

GAMMA = [
    elementwise("igamma", positive(3, 4), positive(4), ref=igamma, dtypes=DOUBLE, grad=(1,), slack=20),
    elementwise("igammac", positive(3, 4), positive(4), ref=lambda a, x: 1 - igamma(a, x), dtypes=DOUBLE, grad=(1,), slack=20),
    Sample("special.gammainc", [const([0.3, 20.0, 20.0, 150.0, 150.0]), const([4.0, 12.0, 40.0, 130.0, 165.0])], op="igamma", ref=igamma,
           dtypes=("float64",), grad=(1,), slack=40),
    Sample("special.gammaincc", [const([0.0, 1.0, 2.0, 3.0]), const([1.0, 0.0, math.inf, 2.0])], op="igammac", dtypes=DOUBLE, grad=False,
           ref=lambda a, x: np.array([0.0, 1.0, 0.0, math.exp(-2) * 5]), slack=4, call=lambda lib, a, x: lib.special.gammaincc(a.detach(), x.detach())),
    elementwise("special.zeta", rand(3, 4, low=1.5, high=6.0), positive(4), ref=zeta, dtypes=DOUBLE, grad=(1,), slack=40),
    Sample("special.zeta", [3.0, positive(4)], ref=zeta, dtypes=DOUBLE, slack=40),
    elementwise("special.erfcx", const([-2.0, -0.3, 0.2, 1.5, 5.0]), ref=lambda x: np.exp(x * x) * erfc(x), dtypes=DOUBLE, slack=8),
    elementwise("special.log_ndtr", const([-5.0, -1.2, -0.3, 0.2, 1.5]), ref=lambda x: np.log(erfc(-x / math.sqrt(2)) / 2), dtypes=DOUBLE, slack=8),
    Sample("special.ndtri", [const([1e-3, 0.05, 0.3, 0.6, 0.95])], dtypes=("float64",), slack=20,
           check=lambda out, x: np.testing.assert_allclose(erfc(-out / math.sqrt(2)) / 2, x, rtol=1e-12)),
    Sample("Tensor.mvlgamma_", [const([2.5, 3.5]), 2], op="lgamma", dtypes=DOUBLE, grad=False, call=lambda lib, x, p: x.detach().clone().mvlgamma_(p),
           ref=lambda x, p: 0.5 * np.log(np.pi) + lgamma(x) + lgamma(x - 0.5), slack=8),
]

OUT = [
    Sample(name, [positive(3)], op=op, dtypes=("float64",), grad=False, ref=ref, slack=8,
           call=lambda lib, x, f=name: (lambda out: (getattr(lib.special, f.rpartition(".")[2])(x.detach(), out=out), out)[1])(lib.empty(0, dtype=x.dtype, device=x.device)))
    for name, op, ref in (("special.erfcx", "erfcx", lambda x: np.exp(x * x) * erfc(x)), ("special.expit", "sigmoid", lambda x: 1 / (1 + np.exp(-x))))
]

REFUSED = [
    Fails("igamma", [randint(1, 4, 3), randint(1, 4, 3)], error=NotImplementedError, says="igamma"),
    Fails("special.erfcx", [const([1 + 2j], "complex128")], error=NotImplementedError, says="erfcx"),
    Fails("special.zeta", [const([1 + 2j], "complex128"), 2.0], error=NotImplementedError, says="zeta"),
]

SAMPLES = [*BESSEL, *GAMMA, *OUT, *REFUSED, *(r for n, f in POLYNOMIALS.items() for r in polynomial(n, f, -0.95)),
           *(r for n, f in SHIFTED.items() for r in polynomial(n, f, 0.05))]

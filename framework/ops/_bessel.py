"""Bessel functions of order 0 and 1 and Airy's Ai, for NumPy arrays of floats, in double precision.

Numbers of equations are those of Abramowitz and Stegun, "Handbook of Mathematical Functions", and of the DLMF (https://dlmf.nist.gov).
"""
import numpy as np

from ._gamma import in_double

_EULER = 0.57721566490153286061


def _series(x, order, sign):
    """(the regular solution, the bracket of the singular one) near 0: J and Y (A. and S. 9.1.10-13), with sign 1 I and K (9.6.10-13)."""
    q = sign * x * x / 4
    term = (x / 2) ** order
    psi = [-_EULER, -_EULER + order]  # at k + 1 and k + order + 1
    regular, digammas = term.copy(), term * sum(psi) / 2
    for k in range(1, 22):
        term = term * q / (k * (k + order))
        psi = [psi[0] + 1 / k, psi[1] + 1 / (k + order)]
        regular += term
        digammas += term * sum(psi) / 2
    return regular, np.log(x / 2) * regular - digammas


def _miller(x, order):
    """(J, Y) for 2 <= x < 25: J_70 ... J_0 by recurrence downwards, scaled by their sum (9.1.46); Y by Neumann's series (9.1.88, 9.1.89)."""
    above, here = np.zeros_like(x), np.full_like(x, 1e-150)
    total, neumann, found = np.zeros_like(x), np.zeros_like(x), {}
    for m in range(70, -1, -1):
        k, odd = divmod(m, 2)
        if not odd:
            total += 2 * here if m else here
        if k and odd == order:
            neumann += (-1) ** k * here * ((2 * k + 1) / (k * (k + 1)) if order else 2 / k)
        if m < 2:
            found[m] = here
        above, here = here, 2 * m / x * here - above
    j0, j, s = found[0] / total, found[order] / total, neumann / total
    y = (np.log(x / 2) + _EULER - order) * j - s - (j0 / x if order else 0)
    return j, y * 2 / np.pi


def _hankel(x, order):
    """(J, Y) for x >= 25: the real and imaginary part of Hankel's expansion (9.2.5-10)."""
    term = np.ones_like(x, complex)
    total = term.copy()
    for k in range(1, 24):
        term = term * (1j * (4 * order - (2 * k - 1) ** 2) / (8 * k) / x)
        total += term
    turn = np.exp(-1j * (order / 2 + 0.25) * np.pi)
    wave = (np.cos(x) + 1j * np.sin(x)) * turn * total * np.sqrt(2 / (np.pi * x))
    return wave.real, wave.imag


def _j_and_y(size, order):
    regular, bracket = _series(np.minimum(size, 2), order, -1)
    near = regular, 2 / np.pi * (bracket - (order / size if order else 0))
    middle, far = _miller(np.clip(size, 2, 25), order), _hankel(np.maximum(size, 25), order)
    return [np.where(size < 2, a, np.where(size < 25, b, c)) for a, b, c in zip(near, middle, far)]


@in_double
def bessel_j(x, order):
    """J_order(x)."""
    out = _j_and_y(np.abs(x), order)[0]
    out = np.where(np.isinf(x), 0, out)
    return np.where(x < 0, -out, out) if order else out


@in_double
def bessel_y(x, order):
    """Y_order(x): -inf at 0, nan below."""
    out = np.where(np.isinf(x), 0, _j_and_y(np.abs(x), order)[1])
    return np.where(x < 0, np.nan, np.where(x == 0, -np.inf, out))


@in_double
def bessel_k(x, order, scaled):
    """K_order(x): inf at 0, nan below; scaled: times exp(x).

    From 1 on, the integral of exp(-x cosh t) cosh(order t) (9.6.24) by the trapezoidal rule over the part where it is above 1e-18.
    """
    near = np.minimum(x, 1)
    _, bracket = _series(near, order, 1)
    small = ((1 / near if order else 0) - (1 - 2 * order) * bracket) * (np.exp(near) if scaled else 1)
    far = np.maximum(x, 1)
    half = np.arcsinh(np.sqrt(21 / far))  # cosh t - 1 = 2 sinh(t / 2)^2 is 42 / x at t = 2 half
    step, large = half / 20, np.zeros_like(far)
    for k in range(41):
        t = k * step
        large += (0.5 if k == 0 else 1) * np.exp(-2 * far * np.sinh(t / 2) ** 2) * np.cosh(order * t)
    large = large * step * (1 if scaled else np.exp(-far))
    return np.where(x < 0, np.nan, np.where(x == 0, np.inf, np.where(x < 1, small, np.where(np.isinf(x), 0, large))))


_AI0, _DAI0 = 0.35502805388781723926, -0.25881940379280679841  # Ai(0), Ai'(0)


@in_double
def airy(x):
    """Ai(x)."""
    size = np.where(np.isfinite(x), np.maximum(np.abs(x), 1), 1)
    turn = np.where(x < 0, np.exp(1j * np.pi / 3), 1)
    far = _airy_integral(size * turn)
    far = np.where(x < 0, 2 * far * turn, far).real  # Ai(-x) = 2 Re(e^(i pi / 3) Ai(x e^(i pi / 3))), DLMF 9.2.14
    out = np.where(np.abs(x) < 1, _airy_series(np.clip(x, -1, 1)), far)
    return np.where(np.isinf(x), 0, np.where(np.isnan(x), x, out))


def _airy_series(x):
    """Maclaurin's series, DLMF 9.4.1."""
    cube, f, g = x ** 3, np.full_like(x, _AI0), _DAI0 * x
    total = f + g
    for k in range(1, 12):
        f, g = f * cube / ((3 * k - 1) * 3 * k), g * cube / (3 * k * (3 * k + 1))
        total += f + g
    return total


def _airy_integral(z):
    """e^(-2/3 z^1.5) / pi times the integral of exp(-sqrt(z) t^2) cos(t^3 / 3), DLMF 9.5.8; by the trapezoidal rule.  |z| >= 1"""
    root = np.sqrt(z)
    step, total = 0.1 / np.sqrt(np.abs(root)), np.full_like(z, 0.5, complex)
    for k in range(1, 72):
        t = k * step
        total += np.exp(-root * t * t) * np.cos(t ** 3 / 3)
    return np.exp(-2 / 3 * z * root) * total * step / np.pi

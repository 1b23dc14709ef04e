"""Orthogonal polynomials of one variable, by the three-term recurrence that each family has."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refusing, to_float

# family: ((p, q), step): the polynomial of degree 1 is p x + q, and step(k) gives (a, b, c) of P(k + 1) = (a x + b) P(k) - c P(k - 1).
# Abramowitz and Stegun, table 22.7; V and W, the Chebyshev polynomials of the third and fourth kind: DLMF 18.9.9 and table 18.9.1.
FAMILIES = {
    "chebyshev_polynomial_t": ((1, 0), lambda k: (2, 0, 1)),
    "chebyshev_polynomial_u": ((2, 0), lambda k: (2, 0, 1)),
    "chebyshev_polynomial_v": ((2, -1), lambda k: (2, 0, 1)),
    "chebyshev_polynomial_w": ((2, 1), lambda k: (2, 0, 1)),
    "shifted_chebyshev_polynomial_t": ((2, -1), lambda k: (4, -2, 1)),
    "shifted_chebyshev_polynomial_u": ((4, -2), lambda k: (4, -2, 1)),
    "shifted_chebyshev_polynomial_v": ((4, -3), lambda k: (4, -2, 1)),
    "shifted_chebyshev_polynomial_w": ((4, -1), lambda k: (4, -2, 1)),
    "hermite_polynomial_h": ((2, 0), lambda k: (2, 0, 2 * k)),
    "hermite_polynomial_he": ((1, 0), lambda k: (1, 0, k)),
    "laguerre_polynomial_l": ((-1, 1), lambda k: (-1 / (k + 1), (2 * k + 1) / (k + 1), k / (k + 1))),
    "legendre_polynomial_p": ((1, 0), lambda k: ((2 * k + 1) / (k + 1), 0, k / (k + 1))),
}


@op(promote=refusing(to_float, "orthogonal_polynomial", _dtypes.COMPLEX), fast=False, syncs=True)
def orthogonal_polynomial(xp, x, y, family: str):
    """P_n(x) of the family `family`, n the whole part of `y`; 0 for n < 0.  As in torch it passes no gradient."""
    (p, q), step = FAMILIES[family]
    n = xp.trunc(y)
    before, here = xp.ones(np.broadcast_shapes(x.shape, y.shape), x.dtype), p * x + q
    out = xp.where(n == 0, before, xp.where(n == 1, here, 0))
    last = int(xp.max(xp.where(xp.isfinite(n), n, 0))) if n.size else 0
    for k in range(1, last):
        a, b, c = step(k)
        before, here = here, (a * x + b) * here - c * before
        out = xp.where(n == k + 1, here, out)
    return out

"""Comparisons, logic and bits, elementwise.  None has a gradient."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refuse, refusing, same

FLOAT, COMPLEX, BOOL = _dtypes.FLOAT, _dtypes.COMPLEX, _dtypes.BOOL

# -- comparisons: bool results -----------------------------------------------------------------------------------------


@op(promote=same, half=True)
def equal(xp, x, y):
    """x == y"""
    return xp.equal(x, y)


@op(promote=same, half=True)
def not_equal(xp, x, y):
    """x != y"""
    return xp.not_equal(x, y)


@op(promote=refusing(same, "lt", COMPLEX), half=True)
def less(xp, x, y):
    """x < y"""
    return xp.less(x, y)


@op(promote=refusing(same, "le", COMPLEX), half=True)
def less_equal(xp, x, y):
    """x <= y"""
    return xp.less_equal(x, y)


@op(promote=refusing(same, "gt", COMPLEX), half=True)
def greater(xp, x, y):
    """x > y"""
    return xp.greater(x, y)


@op(promote=refusing(same, "ge", COMPLEX), half=True)
def greater_equal(xp, x, y):
    """x >= y"""
    return xp.greater_equal(x, y)


def _one_type(raw, backend):
    x, y = raw
    if x.dtype != y.dtype:
        have, got = _dtypes.of_numpy(x.dtype).name, _dtypes.of_numpy(y.dtype).name
        raise RuntimeError(f"isclose: {have} did not match {got}; convert one of the tensors with .to(dtype)")
    return raw, x.dtype


@op(promote=_one_type)
def isclose(xp, x, y, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False):
    """|x - y| <= atol + rtol * |y|, and equal infinities.  equal_nan: two nans count as close."""
    close = x == y
    if equal_nan:
        close = close | ((x != x) & (y != y))
    if x.dtype.kind in "biu":
        x, y = x.astype(np.float64), y.astype(np.float64)
    apart = xp.absolute(x - y)
    return close | (xp.isfinite(apart) & (apart <= atol + xp.absolute(rtol * y)))


@op(promote=same, half=True)
def isnan(xp, x):
    """Whether x is not a number."""
    return x != x


@op(promote=same, half=True)
def isinf(xp, x):
    """Whether x is inf or -inf, or has a part that is."""
    return xp.zeros(x.shape, bool) if x.dtype.kind in "biu" else xp.isinf(x)


@op(promote=same, half=True)
def isfinite(xp, x):
    """Whether x is neither infinite nor nan."""
    return xp.ones(x.shape, bool) if x.dtype.kind in "biu" else xp.isfinite(x)


# -- logic: zero is false, anything else true; bool results ------------------------------------------------------------

def _truth(x):
    """`x`, or for complex numbers, whose truth CuPy does not know, whether they are not zero."""
    return x != 0 if x.dtype.kind == "c" else x


@op(promote=same)
def logical_and(xp, x, y):
    """x and y"""
    return xp.logical_and(_truth(x), _truth(y))


@op(promote=same)
def logical_or(xp, x, y):
    """x or y"""
    return xp.logical_or(_truth(x), _truth(y))


@op(promote=same)
def logical_xor(xp, x, y):
    """Either x or y, not both."""
    return xp.logical_xor(_truth(x), _truth(y))


@op(promote=same)
def logical_not(xp, x):
    """not x"""
    return xp.logical_not(_truth(x))


# -- bits of integers --------------------------------------------------------------------------------------------------

def _integers(name):
    return refusing(same, name, FLOAT, COMPLEX)


def _shiftable(name):
    """Integers only, and no bools."""
    def policy(raw, backend):
        inputs, common = same(raw, backend)
        refuse(name, common, BOOL, FLOAT, COMPLEX)
        return inputs, common
    return policy


@op(promote=_integers("bitwise_and"), fast=False)
def bitwise_and(xp, x, y):
    """x & y; for bools, `and`."""
    return xp.bitwise_and(x, y)


@op(promote=_integers("bitwise_or"), fast=False)
def bitwise_or(xp, x, y):
    """x | y; for bools, `or`."""
    return xp.bitwise_or(x, y)


@op(promote=_integers("bitwise_xor"), fast=False)
def bitwise_xor(xp, x, y):
    """x ^ y; for bools, `xor`."""
    return xp.bitwise_xor(x, y)


@op(promote=_integers("bitwise_not"), fast=False)
def invert(xp, x):
    """~x; for bools, `not`."""
    return xp.invert(x)


@op(promote=_shiftable("bitwise_left_shift"), fast=False)
def left_shift(xp, x, y):
    """x << y"""
    return xp.left_shift(x, y)


@op(promote=_shiftable("bitwise_right_shift"), fast=False)
def right_shift(xp, x, y):
    """x >> y, with the sign of x."""
    return xp.right_shift(x, y)

"""Powers, roots and reciprocals, elementwise."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refuse, refusing, same, to_float
from ._parts import is_complex, is_number


def _power_types(raw, backend):
    """RuntimeError for an integer tensor to a negative integer power, NotImplementedError for bools, as in torch."""
    x, y = raw
    if is_number(y) and isinstance(y, (int, np.integer)) and y < 0 and hasattr(x, "dtype") and x.dtype.kind in "iu":
        raise RuntimeError("Integers to negative integer powers are not allowed; convert the base to a floating-point type.")
    inputs, common = same(raw, backend)
    if is_number(y):
        return [inputs[0], y], common
    refuse("pow", common, _dtypes.BOOL)
    return inputs, common


_power_types.numbers = True


@op(promote=_power_types, grad_name="Pow")
def power(xp, x, y):
    """x to the power y.  Integers to negative powers give 0, save 1 and -1."""
    if is_number(y):
        return x | (not y) if x.dtype.kind == "b" else to_number(xp, x, y)
    if xp is np and x.dtype.kind == "i" and np.any(y < 0):
        sign = np.where(y & 1, x, 1)
        return np.where(y >= 0, np.power(x, np.maximum(y, 0)), np.where(np.abs(x) == 1, sign, 0))
    return xp.power(x, y)


def to_number(xp, x, y):
    """x to the power of a number, through cheaper functions where there are some."""
    if y == 2:
        return xp.square(x)
    if y == 1:
        return x * 1
    if y == 0.5:
        return xp.sqrt(x)
    if y == 3:
        return xp.square(x) * x
    if y == -1:
        return xp.reciprocal(x)
    return xp.power(x, y)


@power.vjp("x", cuda="d = y == 0 ? 0 : y == 2 ? g * (2 * x) : g * (y * pow(x, y - 1))")
def _(xp, g, x, y):
    if is_number(y):
        return xp.zeros_like(g) if y == 0 else g * (to_number(xp, x, y - 1) * y)
    return xp.where(y == 0, 0, g * (y * xp.power(x, y - 1)))


@power.vjp("y")
def _(xp, g, x, y, out):
    flat = (x == 0) & ((xp.real(y) if is_complex(y) else y) >= 0)
    return g * xp.where(flat, 0, out * xp.log(x))


@op(promote=same, grad_name="Pow")
def square(xp, x):
    """x * x; of bools, int64."""
    return x.astype(np.int64) if x.dtype.kind == "b" else xp.square(x)


@square.vjp("x")
def _(xp, g, x):
    return g * (x + x)


@op(promote=to_float)
def sqrt(xp, x):
    """The square root; integers become the default float."""
    return xp.sqrt(x)


@sqrt.vjp("x", cuda="d = g / (out + out)")
def _(xp, g, out):
    return g / (out + out)


@op(promote=to_float, cuda="out = rsqrt(x)")
def rsqrt(xp, x):
    """1 / sqrt(x); integers become the default float."""
    return xp.reciprocal(xp.sqrt(x))


@rsqrt.vjp("x", cuda="d = g * (out * out * out) / -2")
def _(xp, g, out):
    return g * (out * out * out) * -0.5


@op(promote=to_float)
def reciprocal(xp, x):
    """1 / x; integers become the default float."""
    return xp.reciprocal(x)


@reciprocal.vjp("x", cuda="d = -g * (out * out)")
def _(xp, g, out):
    return xp.negative(g) * (out * out)


@op(promote=refusing(same, "hypot", _dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX))
def hypot(xp, x, y):
    """sqrt(x^2 + y^2), without overflow on the way."""
    return xp.hypot(x, y)


@hypot.vjp("x")
def _(xp, g, x, out):
    return g * (x / out)


@hypot.vjp("y")
def _(xp, g, y, out):
    return g * (y / out)

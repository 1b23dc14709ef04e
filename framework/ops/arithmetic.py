"""Sums, products, quotients.  All elementwise: (*a), (*b) -> both broadcast together."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.promotion import refuse, refusing, same, to_float, with_exact_numbers
from ._parts import is_complex, is_number, unit
from ._run import run

BLOCK = 1 << 16  # elements

F32 = np.dtype(np.float32)
BOOL, INTEGER, COMPLEX = _dtypes.BOOL, _dtypes.INTEGER, _dtypes.COMPLEX


def _kind(x):
    return x.dtype.kind if hasattr(x, "dtype") else "b" if isinstance(x, bool) else "n"


def no_bools(raw, backend):
    """The type policy of differences: RuntimeError for bool operands."""
    kinds = [_kind(x) for x in raw]
    if all(k == "b" for k in kinds):
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator "
                           "instead.")
    if "b" in kinds:
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
                           "use the `~` or `logical_not()` operator instead.")
    return same(raw, backend)


no_bools.numbers = True


def _types_of_sums(raw, backend):
    """`same`; but on a GPU an array of half precision stays what it is beside one of float32, in which kernels/adding.py adds them."""
    x, y = raw
    if backend.name == "cupy" and type(x) is type(y) is backend.Array and x.ndim and x.shape == y.shape and x.dtype != y.dtype and (
            _is_wide_and_half(x.dtype, y.dtype) or _is_wide_and_half(y.dtype, x.dtype)):
        return raw, F32
    return same(raw, backend)


_types_of_sums.numbers = True


def _is_wide_and_half(x, y):
    return x == F32 and _dtypes.is_half(y)


@op(promote=_types_of_sums, half=True)
def add(xp, x, y):
    """x + y"""
    return xp.add(x, y)


@add.vjp("x")
def _(xp, g):
    return g


@add.vjp("y")
def _(xp, g):
    return g


@op(promote=same, grad_name="Add")
def add_scaled(xp, x, y, alpha: float = 1):
    """x + alpha * y: torch's add(x, y, alpha=alpha)."""
    return xp.add(x, y * (alpha if x.dtype.kind in "fVc" else np.asarray(alpha).astype(x.dtype)[()]))


def _add_scaled_to(x, y, alpha):
    """x += alpha * y for large NumPy arrays of one float type, in blocks that stay in the cache; False for others."""
    if not (type(x) is type(y) is np.ndarray and x.size > BLOCK and x.shape == y.shape and x.dtype is y.dtype and x.dtype.kind == "f"
            and x.dtype.itemsize > 2 and x.flags.c_contiguous and y.flags.c_contiguous):
        return False
    if isinstance(alpha, complex) or x is not y and np.may_share_memory(x, y):
        return False
    x, y, scratch = x.reshape(-1), y.reshape(-1), np.empty(BLOCK, x.dtype)
    for start in range(0, x.size, BLOCK):
        part = x[start:start + BLOCK]
        part += np.multiply(y[start:start + BLOCK], alpha, out=scratch[:part.size])
    return True


add_scaled.writer = _add_scaled_to


@add_scaled.vjp("x")
def _(xp, g):
    return g


@add_scaled.vjp("y")
def _(xp, g, alpha):
    return g * alpha


@op(promote=no_bools, grad_name="Sub", half=True)
def subtract(xp, x, y):
    """x - y"""
    return xp.subtract(x, y)


@subtract.vjp("x")
def _(xp, g):
    return g


@subtract.vjp("y")
def _(xp, g):
    return xp.negative(g)


@op(promote=no_bools, half=True)
def rsub(xp, x, y):
    """y - x: what stands behind `number - tensor`."""
    return xp.subtract(y, x)


@rsub.vjp("x")
def _(xp, g):
    return xp.negative(g)


@rsub.vjp("y")
def _(xp, g):
    return g


@op(promote=with_exact_numbers(same), grad_name="Mul", half=True)
def multiply(xp, x, y):
    """x * y"""
    return xp.multiply(x, y)


@multiply.vjp("x")
def _(xp, g, y):
    return g * y


@multiply.vjp("y")
def _(xp, g, x):
    return g * x


@op(promote=with_exact_numbers(to_float), grad_name="Div", half=True)
def divide(xp, x, y):
    """x / y; the quotient of integers is of the default float type."""
    return xp.divide(x, y)


@divide.vjp("x")
def _(xp, g, y):
    return g / y


@divide.vjp("y")
def _(xp, g, x, y):
    return g * (x / y) / xp.negative(y)


# -- quotients rounded to whole numbers, and what is left over ---------------------------------------------------------

def _refuse_zero(xp, x, y):
    """RuntimeError, as in torch on the CPU, for an integer division by zero.  (A GPU does not look: it would have to be waited for.)"""
    if xp is np and x.dtype.kind in "iu" and not np.all(y):
        raise RuntimeError("ZeroDivisionError: an integer tensor is divided by zero")


@op(promote=refusing(same, "floor_divide", BOOL, COMPLEX), grad_name="Div")
def floor_divide(xp, x, y):
    """The largest whole number <= x / y.  Its gradient is zero."""
    _refuse_zero(xp, x, y)
    return xp.floor_divide(x, y) if xp is np or x.dtype.kind != "f" else _floor_of_quotient(xp, x, y)


def _floor_of_quotient(xp, x, y):
    """floor_divide of floats as NumPy and torch have it, from the remainder: CuPy rounds down x / y, which may have been rounded up before."""
    part = remainder.forward(xp, x, y)
    quotient = (x - part) / y
    floor = xp.floor(quotient)
    floor = floor + (quotient - floor > 0.5)
    plain = (x != x) | (y == 0)
    return xp.where(plain, x / y, xp.where(quotient == 0, xp.copysign(quotient, x / y), floor)).astype(x.dtype, copy=False)


@op(promote=refusing(same, "trunc_divide", BOOL, COMPLEX), grad_name="Div")
def trunc_divide(xp, x, y):
    """x / y rounded towards zero.  Its gradient is zero."""
    _refuse_zero(xp, x, y)
    if x.dtype.kind == "f":
        return xp.trunc(xp.divide(x, y))
    return xp.floor_divide(x - xp.fmod(x, y), y)


for _rounded in (floor_divide, trunc_divide):
    for _input in ("x", "y"):
        @_rounded.vjp(_input)
        def _(xp, g):
            return xp.zeros_like(g)


@op(promote=refusing(same, "remainder", BOOL, COMPLEX))
def remainder(xp, x, y):
    """x - y * floor(x / y): the remainder with the sign of y, Python's %."""
    _refuse_zero(xp, x, y)
    if xp is np or x.dtype.kind != "f":
        return xp.remainder(x, y)
    part = xp.fmod(x, y)
    return (part + xp.where((part != 0) & ((part < 0) != (y < 0)), y, 0)).astype(x.dtype, copy=False)


@remainder.vjp("x")
def _(xp, g):
    return g


@remainder.vjp("y")
def _(xp, g, x, y):
    return xp.negative(g) * run(floor_divide, xp, x, y)


@op(promote=refusing(same, "fmod", BOOL, COMPLEX))
def fmod(xp, x, y):
    """x - y * trunc(x / y): the remainder with the sign of x, C's fmod."""
    _refuse_zero(xp, x, y)
    return xp.fmod(x, y)


@fmod.vjp("x")
def _(xp, g):
    return g


@fmod.vjp("y")
def _(xp, g, x, y):
    return xp.negative(g) * xp.trunc(x / y)


# -- one operand -------------------------------------------------------------------------------------------------------

def _no_bool_negation(raw, backend):
    if raw[0].dtype.kind == "b":
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the "
                           "`~` or `logical_not()` operator instead.")
    return same(raw, backend)


@op(promote=_no_bool_negation, grad_name="Neg", half=True)
def negative(xp, x):
    """-x"""
    return xp.negative(x)


@negative.vjp("x")
def _(xp, g):
    return xp.negative(g)


@op(promote=refusing(same, "abs", BOOL), grad_name="Abs", holomorphic=False)
def absolute(xp, x):
    """|x|, real also for complex x."""
    return xp.absolute(x)


@absolute.vjp("x", cuda="d = g * (x > 0 ? 1 : x < 0 ? -1 : 0)")
def _(xp, g, x):
    return g * unit(xp, x)


def _no_complex_sign(raw, backend):
    if raw[0].dtype.kind == "c":
        raise NotImplementedError("Unlike NumPy, sign is not intended to support complex numbers. Please use sgn instead.")
    return same(raw, backend)


@op(promote=_no_complex_sign)
def sign(xp, x):
    """-1, 0 or 1; 0 for nan, as in torch.  Its gradient is zero."""
    if x.dtype.kind == "b":
        return x.copy()
    return unit(xp, x)


@sign.vjp("x")
def _(xp, g):
    return xp.zeros_like(g)


@op(promote=same, holomorphic=False)
def sgn(xp, x):
    """`sign`; for complex numbers x / |x|, and 0 at 0."""
    return x.copy() if x.dtype.kind == "b" else unit(xp, x)


@sgn.vjp("x")
def _(xp, g, x):
    if not is_complex(x):
        return xp.zeros_like(g)
    direction, size = unit(xp, x), xp.absolute(x)
    return xp.where(size == 0, 0, (g - xp.real(xp.conj(direction) * g) * direction) / xp.where(size == 0, 1, size))


# -- several operands at once ------------------------------------------------------------------------------------------

def _one_float_type(raw, backend):
    """lerp's type policy: nothing is promoted.  RuntimeError where types differ, NotImplementedError for integers, as in torch."""
    arrays = [a for a in raw if hasattr(a, "dtype")]
    first = arrays[0].dtype
    for a, name in zip(raw[1:], ("end", "weight")):
        if hasattr(a, "dtype") and a.dtype != first:
            have, got = _dtypes.of_numpy(first).name, _dtypes.of_numpy(a.dtype).name
            raise RuntimeError(f"expected dtype {have} for `{name}` but got dtype {got}; convert it with .to({have})")
    refuse("lerp", first, BOOL, INTEGER)
    return same(raw, backend)


_one_float_type.numbers = True


@op(promote=_one_float_type, cuda="out = 2 * fabs(weight) < 1 ? x + weight * (y - x) : y - (y - x) * (1 - weight)")
def lerp(xp, x, y, weight):
    """x + weight * (y - x), computed from the nearer end.  `weight` may be a number.  No type promotion."""
    if is_number(weight):
        weight = x.dtype.type(weight)
    if is_number(weight) or xp is np and weight.ndim == 0:
        return x + weight * (y - x) if abs(weight) < 0.5 else y - (y - x) * (1 - weight)
    return xp.where(xp.absolute(weight) < 0.5, x + weight * (y - x), y - (y - x) * (1 - weight))


@lerp.vjp("x", cuda="d = g * (1 - weight)")
def _(xp, g, weight):
    return g * (1 - weight)


@lerp.vjp("y")
def _(xp, g, weight):
    return g * weight


@lerp.vjp("weight", cuda="d = g * (y - x)")
def _(xp, g, x, y):
    return g * (y - x)


@op(promote=refusing(same, "addcmul", BOOL), cuda="out = x + y * z * value")
def addcmul(xp, x, y, z, value: float = 1):
    """x + value * y * z; beside integers, `value` loses its fraction, as in torch."""
    if x.dtype.kind in "iu":
        value = int(value)
    return x + (y * z if value == 1 else y * z * value)


@addcmul.vjp("x")
def _(xp, g):
    return g


@addcmul.vjp("y", cuda="d = g * z * value")
def _(xp, g, z, value):
    return g * z * value


@addcmul.vjp("z", cuda="d = g * y * value")
def _(xp, g, y, value):
    return g * y * value


def _no_integer_quotient(raw, backend):
    inputs, common = same(raw, backend)
    if all(a.dtype.kind in "biu" for a in raw[1:]):
        raise RuntimeError("Integer division with addcdiv is not supported: it would be ambiguous. For true division, convert the operands "
                           "to a floating-point type; for rounded division, use x + value * ringgrad.div(y, z, rounding_mode='trunc').")
    return inputs, common


@op(promote=_no_integer_quotient, cuda="out = x + y / z * value")
def addcdiv(xp, x, y, z, value: float = 1):
    """x + value * y / z"""
    return x + (y / z if value == 1 else y / z * value)


@addcdiv.vjp("x")
def _(xp, g):
    return g


@addcdiv.vjp("y", cuda="d = g * value / z")
def _(xp, g, z, value):
    return g * value / z


@addcdiv.vjp("z", cuda="d = g * (y / z) * value / -z")
def _(xp, g, y, z, value):
    return g * (y / z) * value / xp.negative(z)

"""Elementwise functions in torch's words.  Where an op's own function has torch's signature, it stands in the tables itself."""
import math

import numpy as np

from .. import _dtypes, ops
from .._core.inplace import apply_inplace
from .._core.promotion import result_dtype
from .._core.tensor import as_number, unwrap
from ..ops.selection import largest_number

# torch name: op function.  One operand, no arguments.
UNARY = {
    "abs": ops.absolute, "absolute": ops.absolute, "neg": ops.negative, "negative": ops.negative, "sign": ops.sign, "sgn": ops.sgn,
    "square": ops.square, "sqrt": ops.sqrt, "rsqrt": ops.rsqrt, "reciprocal": ops.reciprocal, "exp": ops.exp, "exp2": ops.exp2,
    "expm1": ops.expm1, "log": ops.log, "log2": ops.log2, "log10": ops.log10, "log1p": ops.log1p, "sin": ops.sin, "cos": ops.cos,
    "tan": ops.tan, "sinh": ops.sinh, "cosh": ops.cosh, "tanh": ops.tanh, "sigmoid": ops.sigmoid, "erf": ops.erf, "erfc": ops.erfc,
    "erfinv": ops.erfinv, "floor": ops.floor, "ceil": ops.ceil, "trunc": ops.trunc, "fix": ops.trunc, "frac": ops.frac,
    "logical_not": ops.logical_not, "bitwise_not": ops.invert,
    "asin": ops.arcsin, "acos": ops.arccos, "atan": ops.arctan,
    "asinh": ops.arcsinh, "acosh": ops.arccosh, "atanh": ops.arctanh, "arcsin": ops.arcsin, "arccos": ops.arccos, "arctan": ops.arctan,
    "arcsinh": ops.arcsinh, "arccosh": ops.arccosh, "arctanh": ops.arctanh,
}
TESTS = {"isnan": ops.isnan, "isinf": ops.isinf, "isfinite": ops.isfinite}  # have no in-place form

# torch name: op function.  Two operands, `input` and `other`.
BINARY = {
    "mul": ops.multiply, "multiply": ops.multiply, "true_divide": ops.divide, "floor_divide": ops.floor_divide, "remainder": ops.remainder,
    "fmod": ops.fmod, "eq": ops.equal, "ne": ops.not_equal, "not_equal": ops.not_equal, "lt": ops.less, "less": ops.less,
    "le": ops.less_equal, "less_equal": ops.less_equal, "gt": ops.greater, "greater": ops.greater, "ge": ops.greater_equal,
    "greater_equal": ops.greater_equal, "logical_and": ops.logical_and, "logical_or": ops.logical_or, "logical_xor": ops.logical_xor,
    "bitwise_and": ops.bitwise_and, "bitwise_or": ops.bitwise_or, "bitwise_xor": ops.bitwise_xor, "bitwise_left_shift": ops.left_shift,
    "bitwise_right_shift": ops.right_shift, "hypot": ops.hypot, "atan2": ops.arctan2, "arctan2": ops.arctan2, "xlogy": ops.xlogy,
    "heaviside": ops.heaviside,
}
WITHOUT_TWIN = {"maximum": ops.maximum, "minimum": ops.minimum, "fmax": ops.fmax, "fmin": ops.fmin, "logaddexp": ops.logaddexp,
                "logaddexp2": ops.logaddexp2}


# -- sums and differences with a factor --------------------------------------------------------------------------------

def _checked_alpha(input, other, alpha):
    """`alpha` as a number.  RuntimeError, in torch's words, when it is of a higher category than the result."""
    alpha = as_number(alpha)
    category = result_dtype([unwrap(input), unwrap(other)]).category
    if isinstance(alpha, bool) and category != _dtypes.BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and category < _dtypes.FLOAT:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, complex) and category < _dtypes.COMPLEX:
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    return alpha


def _is_one(alpha):
    return alpha.__class__ is int and alpha == 1


def add(input, other, *, alpha=1):
    """input + alpha * other"""
    if _is_one(alpha):
        return ops.add(input, other)
    alpha = _checked_alpha(input, other, alpha)
    return ops.add_scaled(input, other, alpha)


def sub(input, other, *, alpha=1):
    """input - alpha * other"""
    if _is_one(alpha):
        return ops.subtract(input, other)
    alpha = _checked_alpha(input, other, alpha)
    return ops.add_scaled(input, other, -alpha)


def rsub(input, other, *, alpha=1):
    """other - alpha * input"""
    if _is_one(alpha):
        return ops.rsub(input, other)
    alpha = _checked_alpha(input, other, alpha)
    return ops.rsub(ops.multiply(input, alpha), other)


def add_(self, other, *, alpha=1):
    """In-place form of `add`: self += alpha * other.  Returns self."""
    if _is_one(alpha):
        return apply_inplace(ops.add.op, self, (other,), {})
    alpha = _checked_alpha(self, other, alpha)
    return apply_inplace(ops.add_scaled.op, self, (other,), {"alpha": alpha})


def sub_(self, other, *, alpha=1):
    """In-place form of `sub`: self -= alpha * other.  Returns self."""
    if _is_one(alpha):
        return apply_inplace(ops.subtract.op, self, (other,), {})
    alpha = _checked_alpha(self, other, alpha)
    return apply_inplace(ops.add_scaled.op, self, (other,), {"alpha": -alpha})


# -- quotients and powers ----------------------------------------------------------------------------------------------

_DIVISIONS = {None: ops.divide, "floor": ops.floor_divide, "trunc": ops.trunc_divide}


def _division(rounding_mode):
    if rounding_mode not in _DIVISIONS:
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    return _DIVISIONS[rounding_mode]


def div(input, other, *, rounding_mode=None):
    """input / other; with rounding_mode "floor" or "trunc" rounded down or towards zero, integers then staying integers."""
    return ops.divide(input, other) if rounding_mode is None else _division(rounding_mode)(input, other)


def div_(self, other, *, rounding_mode=None):
    """In-place form of `div`.  Returns self."""
    return apply_inplace(_division(rounding_mode).op, self, (other,), {})


def pow(input, exponent):
    """input to the power of exponent; either may be a number."""
    return ops.power(input, exponent)


def pow_(self, exponent):
    """In-place form of `pow`.  Returns self."""
    return apply_inplace(ops.power.op, self, (exponent,), {})


def float_power(input, exponent):
    """`pow` in double precision: float64, or complex128."""
    def wide(x):
        return x if not hasattr(x, "_data") else ops.astype(x, np.complex128 if x._data.dtype.kind == "c" else np.float64)
    return ops.power(wide(input), wide(exponent))


def float_power_(self, exponent):
    """In-place form of `float_power`, for float64 and complex128 tensors only.  Returns self."""
    wide = np.dtype(np.complex128 if _is_complex(self) else np.float64)
    if self._data.dtype != wide:
        raise RuntimeError(f"the base given to float_power_ has dtype {_dtypes.of_numpy(self._data.dtype).name} but the operation's result "
                           f"requires dtype {wide}")
    return pow_(self, exponent)


# -- bounds ------------------------------------------------------------------------------------------------------------

def _check_bounds(min, max):
    if min is None and max is None:
        raise RuntimeError("clamp: At least one of 'min' or 'max' must not be None")


def clamp(input, min=None, max=None):
    """input, but at least `min` and at most `max`: numbers or tensors, one of which may be left out."""
    _check_bounds(min, max)
    return ops.clip(input, min, max)


def clamp_(self, min=None, max=None):
    """In-place form of `clamp`.  Returns self."""
    _check_bounds(min, max)
    return apply_inplace(ops.clip.op, self, (min, max), {})


def clamp_min(input, min):
    """input, but at least `min`."""
    return ops.clip(input, min, None)


def clamp_max(input, max):
    """input, but at most `max`."""
    return ops.clip(input, None, max)


def clamp_min_(self, min):
    """In-place form of `clamp_min`.  Returns self."""
    return apply_inplace(ops.clip.op, self, (min, None), {})


def clamp_max_(self, max):
    """In-place form of `clamp_max`.  Returns self."""
    return apply_inplace(ops.clip.op, self, (None, max), {})


_WHERE = ops.where.op  # its `apply` spares the binding of arguments


def where(condition, input=None, other=None):
    """input where `condition`, other elsewhere.  With the condition alone: the indices of its true elements, one tensor per dimension."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if input is None or other is None:
        raise TypeError("where() takes a condition alone, or a condition with both `input` and `other`")
    return _WHERE.apply((condition, input, other), {})


def where_method(self, condition, other):
    """This tensor where `condition`, other elsewhere."""
    return _WHERE.apply((condition, self, other), {})


# -- several operands --------------------------------------------------------------------------------------------------

def lerp(input, end, weight):
    """input + weight * (end - input); the weight is a number or a tensor."""
    return ops.lerp(input, end, weight)


def lerp_(self, end, weight):
    """In-place form of `lerp`.  Returns self."""
    return apply_inplace(ops.lerp.op, self, (end, weight), {})


def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2"""
    return ops.addcmul(input, tensor1, tensor2, as_number(value))


def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2"""
    return ops.addcdiv(input, tensor1, tensor2, as_number(value))


def addcmul_(self, tensor1, tensor2, *, value=1):
    """In-place form of `addcmul`.  Returns self."""
    return apply_inplace(ops.addcmul.op, self, (tensor1, tensor2), {"value": as_number(value)})


def addcdiv_(self, tensor1, tensor2, *, value=1):
    """In-place form of `addcdiv`.  Returns self."""
    return apply_inplace(ops.addcdiv.op, self, (tensor1, tensor2), {"value": as_number(value)})


# -- rounding, special values ------------------------------------------------------------------------------------------

def round(input, *, decimals=0):
    """input rounded to `decimals` decimals (negative: to tens, ...); halves go to the even neighbour."""
    return ops.round(input, decimals)


def round_(self, *, decimals=0):
    """In-place form of `round`.  Returns self."""
    return apply_inplace(ops.round.op, self, (), {"decimals": decimals})


def _limits(input, posinf, neginf):
    largest = largest_number(input._data.dtype)
    return largest if posinf is None else posinf, -largest if neginf is None else neginf


def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """input with nan replaced by `nan` (0), inf by `posinf` and -inf by `neginf` (by default the largest and smallest finite numbers)."""
    return ops.nan_to_num(input, nan or 0.0, *_limits(input, posinf, neginf))


def nan_to_num_(self, nan=None, posinf=None, neginf=None):
    """In-place form of `nan_to_num`.  Returns self."""
    posinf, neginf = _limits(self, posinf, neginf)
    return apply_inplace(ops.nan_to_num.op, self, (), {"nan": nan or 0.0, "posinf": posinf, "neginf": neginf})


def logit(input, eps=None):
    """log(x / (1 - x)); eps: x is first clamped to [eps, 1 - eps]."""
    return ops.logit(input, eps)


def logit_(self, eps=None):
    """In-place form of `logit`.  Returns self."""
    return apply_inplace(ops.logit.op, self, (), {"eps": eps})


def deg2rad(input):
    """Degrees as radians."""
    return ops.multiply(input, math.pi / 180)


def rad2deg(input):
    """Radians as degrees."""
    return ops.multiply(input, 180 / math.pi)


def deg2rad_(self):
    """In-place form of `deg2rad`.  Returns self."""
    return apply_inplace(ops.multiply.op, self, (math.pi / 180,), {})


def rad2deg_(self):
    """In-place form of `rad2deg`.  Returns self."""
    return apply_inplace(ops.multiply.op, self, (180 / math.pi,), {})


def isposinf(input):
    """Whether elements are inf."""
    return ops.equal(input, math.inf)


def isneginf(input):
    """Whether elements are -inf."""
    return ops.equal(input, -math.inf)


def isreal(input):
    """Whether elements have no imaginary part."""
    return ops.equal(ops.imag(input), 0) if input._data.dtype.kind == "c" else ops.equal(input, input) | True


# -- closeness ---------------------------------------------------------------------------------------------------------

def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other|, element by element.  RuntimeError unless both have one dtype."""
    return ops.isclose(input, other, rtol, atol, equal_nan)


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close, as `isclose` says: a Python bool."""
    return bool(ops.all(ops.isclose(input, other, rtol, atol, equal_nan))._data)


def result_type(tensor1, tensor2):
    """The dtype that an operation on two tensors or numbers would have."""
    return result_dtype([unwrap(tensor1), unwrap(tensor2)])


def equal(input, other):
    """Whether two tensors have the same shape and elements: a Python bool."""
    return input._data.shape == other._data.shape and bool(ops.all(ops.equal(input, other))._data)


# -- complex numbers, copies -------------------------------------------------------------------------------------------

def _is_complex(input):
    return input._data.dtype.kind == "c"


def conj(input):
    """The complex conjugate; of real numbers, `input` itself."""
    return ops.conj(input) if _is_complex(input) else input


def conj_physical(input):
    """The complex conjugate in memory of its own."""
    return ops.conj(input)


def real(input):
    """The real part, a view; of real numbers, `input` itself."""
    return ops.real(input) if _is_complex(input) else input


def imag(input):
    """The imaginary part, a view.  RuntimeError for real numbers."""
    return ops.imag(input)


def clone(input, *, memory_format=None):
    """A copy that gradients flow through."""
    return ops.copy(input)


def resolve_conj(input):
    """`input` itself: conjugation is never put off here."""
    return input


FUNCTIONS = {
    **UNARY, **TESTS, **BINARY, **WITHOUT_TWIN, "add": add, "sub": sub, "subtract": sub, "rsub": rsub, "div": div, "divide": div,
    "pow": pow, "float_power": float_power, "clamp": clamp, "clip": clamp, "clamp_min": clamp_min, "clamp_max": clamp_max, "where": where,
    "lerp": lerp, "addcmul": addcmul, "addcdiv": addcdiv, "round": round, "nan_to_num": nan_to_num, "logit": logit, "deg2rad": deg2rad,
    "rad2deg": rad2deg, "isposinf": isposinf, "isneginf": isneginf, "isreal": isreal, "isclose": isclose, "allclose": allclose,
    "equal": equal, "conj": conj, "conj_physical": conj_physical, "real": real, "imag": imag, "angle": ops.angle, "clone": clone,
    "resolve_conj": resolve_conj,
    "result_type": result_type,
}
METHODS = {
    **{name: f for name, f in FUNCTIONS.items() if name not in ("rsub", "real", "imag", "result_type")}, "where": where_method,
    "real": property(real, doc=real.__doc__), "imag": property(imag, doc=imag.__doc__),
    "add_": add_, "sub_": sub_, "subtract_": sub_, "div_": div_, "divide_": div_, "pow_": pow_, "clamp_": clamp_, "clip_": clamp_,
    "clamp_min_": clamp_min_, "clamp_max_": clamp_max_, "lerp_": lerp_, "addcmul_": addcmul_, "addcdiv_": addcdiv_, "round_": round_,
    "nan_to_num_": nan_to_num_, "logit_": logit_, "deg2rad_": deg2rad_, "rad2deg_": rad2deg_, "float_power_": float_power_,
}
INPLACE = {"conj_physical": ops.conj.op, **{name: f.op for table in (UNARY, BINARY) for name, f in table.items()}}

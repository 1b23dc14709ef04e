"""Questions about types, the limits of numbers, and the names torch keeps for layouts."""
import math

import ml_dtypes
import numpy as np

from .. import _config
from .._core.tensor import Tensor, wrap
from .._dtypes import INTEGER, as_dtype, get_default_dtype, set_default_dtype
from .legacy import TensorType


class finfo:  # noqa: N801 - torch's name
    """The limits of a floating-point type (of a complex one: of its parts); by default of the default float.

    bits, eps (the step from 1 to the next number), max, min (= -max), smallest_normal (= tiny), resolution, dtype (its name).
    TypeError for integers.
    """

    def __init__(self, type=None):  # noqa: A002
        kind = get_default_dtype() if type is None else as_dtype(type).to_real()
        if not kind.is_floating_point:
            raise TypeError(f"finfo() requires a floating point input type, not {kind}. Use iinfo for integers")
        limits = ml_dtypes.finfo(kind.np) if kind.np.kind == "V" else np.finfo(kind.np)
        self.bits, self.dtype = 8 * kind.itemsize, kind.name
        for name in ("eps", "max", "min", "smallest_normal", "tiny", "resolution"):
            setattr(self, name, float(getattr(limits, name)))
        self.resolution = float(f"{self.resolution:.1g}")

    def __repr__(self):
        numbers = ", ".join(f"{n}={getattr(self, n):g}" for n in ("resolution", "min", "max", "eps", "smallest_normal", "tiny"))
        return f"finfo({numbers}, dtype={self.dtype})"


class iinfo:  # noqa: N801 - torch's name
    """The limits of an integer type: bits, min, max, dtype (its name).  TypeError for other types."""

    def __init__(self, type):  # noqa: A002
        kind = as_dtype(type)
        if kind.category != INTEGER:
            raise TypeError(f"iinfo() requires an integer input type, not {kind}. Use finfo for floating point numbers")
        limits = np.iinfo(kind.np)
        self.bits, self.min, self.max, self.dtype = limits.bits, int(limits.min), int(limits.max), kind.name

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


# -- questions ---------------------------------------------------------------------------------------------------------

def is_tensor(obj):
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj):
    """Whether `obj` is a tensor's storage."""
    return hasattr(obj, "_untyped") and hasattr(obj, "nbytes")


def _check(name, input):
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def is_floating_point(input):
    """Whether the elements are floating-point numbers.  TypeError for what is no Tensor."""
    _check("is_floating_point", input)
    return input.dtype.is_floating_point


def is_complex(input):
    """Whether the elements are complex numbers.  TypeError for what is no Tensor."""
    _check("is_complex", input)
    return input.dtype.is_complex


def is_signed(input):
    """Whether the type has negative numbers."""
    _check("is_signed", input)
    return input.dtype.is_signed


def is_inference(input):
    """Whether the tensor was made in inference mode."""
    _check("is_inference", input)
    return input.is_inference()


def is_nonzero(input):
    """Whether a tensor's one element is not zero.  RuntimeError when it has several or none."""
    _check("is_nonzero", input)
    n = input._data.size
    if n != 1:
        raise RuntimeError(f"Boolean value of Tensor with {'no values' if not n else 'more than one value'} is ambiguous")
    return bool(input._data.item())


def is_same_size(input, other):
    """Whether two tensors have the same shape."""
    return input._data.shape == other._data.shape


def numel(input):
    """Number of elements."""
    _check("numel", input)
    return int(input._data.size)


def get_device(input):
    """The CUDA index of a tensor, or -1 on the CPU."""
    _check("get_device", input)
    return input.get_device()


def _shape_as_tensor(input):
    """The shape as a tensor of int64."""
    return wrap(np.array(input._data.shape, np.int64))


def _assert(condition, message):
    """assert condition, message: also for a tensor of one truth value."""
    if not condition:
        raise AssertionError(message)


def _checker(name, error):
    def check(cond, message=None):
        if not isinstance(cond, bool):
            raise TypeError(f"cond must be a bool, but got {type(cond)}")
        if not cond and message is not None and not callable(message):
            raise TypeError("message must be a callable")
        if not cond:
            raise error("Expected cond to be True, but got False." if message is None else str(message()))
    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"{error.__name__} with the words message() unless cond, a bool, holds."
    return check


CHECKS = {name: _checker(name, error) for name, error in (
    ("_check", RuntimeError), ("_check_value", ValueError), ("_check_type", TypeError), ("_check_index", IndexError),
    ("_check_not_implemented", NotImplementedError))}


def set_default_tensor_type(t):
    """The older spelling of `set_default_dtype`: FloatTensor, DoubleTensor or their names.  A CUDA type's place is not taken over."""
    if isinstance(t, str):
        t = TensorType.named(t)
    set_default_dtype(t.dtype if isinstance(t, TensorType) else t)


# -- names -------------------------------------------------------------------------------------------------------------

class Name:
    """A constant that only has a name."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"{_config.NAME}.{self.name}"

    def __reduce__(self):
        return _named, (self.name,)


class layout(Name):  # noqa: N801 - torch's name
    """How the elements of a tensor are laid out: strided, sparse_coo, ..."""


class memory_format(Name):  # noqa: N801 - torch's name
    """In which order the elements of a tensor lie in memory: contiguous_format, channels_last, ..."""


class AbsentType(Name):
    """A type that NumPy has not, so that no tensor is of it: to compare with, not to make tensors with."""


def _named(name):
    return CONSTANTS[name]


# The memory formats are taken wherever torch takes them.  On a GPU images may have their channels last; on the CPU elements stay in row-major order.
CONSTANTS = {
    "pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None,
    **{n: layout(n) for n in ("strided", "sparse_coo", "sparse_csr")},
    **{n: memory_format(n) for n in ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")},
    "layout": layout, "memory_format": memory_format, "complex32": AbsentType("complex32"),
}
CONSTANTS["chalf"] = CONSTANTS["complex32"]
FUNCTIONS = {
    "finfo": finfo, "iinfo": iinfo, "is_tensor": is_tensor, "is_storage": is_storage, "is_floating_point": is_floating_point,
    "is_complex": is_complex, "is_signed": is_signed, "is_inference": is_inference, "is_nonzero": is_nonzero, "is_same_size": is_same_size,
    "numel": numel, "get_device": get_device, "_shape_as_tensor": _shape_as_tensor, "_assert": _assert, **CHECKS,
    "set_default_tensor_type": set_default_tensor_type,
}
METHODS = {"is_nonzero": is_nonzero, "is_signed": is_signed, "is_same_size": is_same_size}
INPLACE = {}

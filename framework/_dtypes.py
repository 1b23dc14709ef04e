"""The data types, and torch's rules for mixing them.

A `dtype` is torch's word (`ringgrad.float32`); arrays carry NumPy's (`numpy.dtype('float32')`). `of_array` and `.np` translate.
Promotion follows https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc: tensors with dimensions outrank
0-d tensors, which outrank Python numbers, and a lower rank matters only when its category (bool < integer < float < complex) is higher.
"""
from functools import cache

import ml_dtypes
import numpy as np

from . import _config

BOOL, INTEGER, FLOAT, COMPLEX = range(4)


class dtype:  # noqa: N801 - torch spells it in lower case
    """One element type: `name`, `itemsize` in bytes, `is_floating_point`, `is_complex`, `is_signed`, and `np`, NumPy's type."""

    __slots__ = ("name", "np", "category", "itemsize", "is_floating_point", "is_complex", "is_signed")

    def __init__(self, name, np_type, category):
        self.name, self.np, self.category = name, np.dtype(np_type), category
        self.itemsize = self.np.itemsize
        self.is_floating_point = category == FLOAT
        self.is_complex = category == COMPLEX
        self.is_signed = self.np.kind not in "bu"

    def __repr__(self):
        return f"{_config.NAME}.{self.name}"

    def __reduce__(self):
        return _by_name, (self.name,)

    def to_complex(self):
        """The complex type with this one's precision."""
        return complex128 if self is float64 or self is complex128 else complex64

    def to_real(self):
        """The real type with this one's precision."""
        return {complex64: float32, complex128: float64}.get(self, self)


bool_ = dtype("bool", np.bool_, BOOL)
uint8 = dtype("uint8", np.uint8, INTEGER)
int8 = dtype("int8", np.int8, INTEGER)
int16 = dtype("int16", np.int16, INTEGER)
int32 = dtype("int32", np.int32, INTEGER)
int64 = dtype("int64", np.int64, INTEGER)
float16 = dtype("float16", np.float16, FLOAT)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOAT)
float32 = dtype("float32", np.float32, FLOAT)
float64 = dtype("float64", np.float64, FLOAT)
complex64 = dtype("complex64", np.complex64, COMPLEX)
complex128 = dtype("complex128", np.complex128, COMPLEX)

uint16 = dtype("uint16", np.uint16, INTEGER)  # these three mix with no other integers, as in torch
uint32 = dtype("uint32", np.uint32, INTEGER)
uint64 = dtype("uint64", np.uint64, INTEGER)

ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128)
LARGE_UNSIGNED = (uint16, uint32, uint64)
FLOAT8 = tuple(dtype(name, getattr(ml_dtypes, name), FLOAT) for name in (
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"))  # to store and convert, not to compute with
RARE = LARGE_UNSIGNED + FLOAT8
ALIASES = {"half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
           "cfloat": complex64, "cdouble": complex128}
_FROM_NUMPY = {d.np: d for d in ALL + RARE}
_HALVES = frozenset((float16.np, bfloat16.np))

_default = float32


def _by_name(name):
    return next(d for d in ALL + RARE if d.name == name)


def of_numpy(np_dtype):
    """torch's word for a NumPy dtype; TypeError for those torch has no word for."""
    try:
        return _FROM_NUMPY[np_dtype]
    except KeyError:
        names = ", ".join(d.name for d in ALL)
        raise TypeError(f"can't convert an array of dtype {np_dtype}: the supported types are {names}") from None


def as_dtype(spelled):
    """A `dtype` from what users write for one: ours, Python's `float` / `int` / `bool` / `complex`, or NumPy's."""
    if isinstance(spelled, dtype):
        return spelled
    python = {float: float64, int: int64, bool: bool_, complex: complex128}
    if isinstance(spelled, type) and spelled in python:
        return python[spelled]
    try:
        return of_numpy(np.dtype(spelled))
    except TypeError:
        raise TypeError(f"dtype must be a ringgrad.dtype such as ringgrad.float32, not {spelled!r}") from None


def get_default_dtype():
    """The type of new floating-point tensors; float32 unless changed."""
    return _default


def set_default_dtype(d):
    """Make `d` (a floating-point dtype) the type of new floating-point tensors.  TypeError for any other type."""
    global _default
    d = as_dtype(d)
    if not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, not {d}")
    _default = d


def is_half(np_dtype):
    """True for float16 and bfloat16, which the CPU stores but computes in float32."""
    return np_dtype in _HALVES


@cache
def promote_types(a, b):
    """The smallest type that both `a` and `b` convert to, by torch's lattice.  RuntimeError for uint16, 32 or 64 beside other integers."""
    a, b = as_dtype(a), as_dtype(b)
    if a is b:
        return a
    if (a in FLOAT8 or b in FLOAT8) and a is not b:
        raise RuntimeError(f"Promotion for Float8 Types is not supported, attempted to promote {a.name} and {b.name}; convert one of them first")
    if max(a.category, b.category) < FLOAT and (a in LARGE_UNSIGNED or b in LARGE_UNSIGNED):
        raise RuntimeError(f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {a.name} and {b.name}; convert one "
                           "of them first")
    if a.category > b.category:
        a, b = b, a
    if b.category == COMPLEX:
        wide = complex128 in (a, b) or a is float64
        return complex128 if wide else complex64
    if a.category != b.category:
        return b
    if b.category == FLOAT:
        return a if a.itemsize > b.itemsize else b if b.itemsize > a.itemsize else float32
    if uint8 in (a, b):
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return a if a.itemsize > b.itemsize else b


def scalar_dtype(value):
    """The type a Python number stands for when nothing else decides."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return _default
    if isinstance(value, (complex, np.complexfloating)):
        return _default.to_complex()
    raise TypeError(f"expected a Tensor or a number, got {type(value).__name__}")


def result_dtype(operands):
    """torch's result type for operands of three ranks: arrays with dimensions, 0-d arrays, Python numbers.

    operands: arrays (anything with `.dtype` and `.ndim`) and numbers -> dtype
    """
    dims = zeros = numbers = None
    for x in operands:
        if hasattr(x, "ndim") and not isinstance(x, np.generic):
            d = of_numpy(x.dtype)
            if x.ndim:
                dims = d if dims is None else promote_types(dims, d)
            else:
                zeros = d if zeros is None else promote_types(zeros, d)
        else:
            d = scalar_dtype(x)
            numbers = d if numbers is None else promote_types(numbers, d)
    return _outrank(dims, _outrank(zeros, numbers))


def _outrank(higher, lower):
    """`higher`, unless `lower` is of a higher category; a float met by a complex keeps its own precision."""
    if higher is None or lower is None:
        return higher or lower
    if higher.category == FLOAT and lower.category == COMPLEX:
        return higher.to_complex()
    if higher is bool_ or lower.category > max(higher.category, INTEGER):
        return promote_types(higher, lower)
    return higher


def can_cast(source, target):
    """True when an in-place operation may store a `source` result in a `target` tensor (no drop in category).

    torch.can_cast: https://docs.pytorch.org/docs/stable/generated/torch.can_cast.html
    """
    source, target = as_dtype(source), as_dtype(target)
    if source.category > target.category:
        return False
    return not (source is not bool_ and target is bool_)

"""The CPU backend: NumPy arrays."""
from contextlib import nullcontext

import ml_dtypes
import numpy as np

_NOTHING = nullcontext()
xp = np
name = "numpy"
Array = np.ndarray
# Formulas on 0-d arrays yield NumPy scalars in the middle of a backward pass; they belong to this backend too.
ARRAY_TYPES = (np.ndarray, *(np.dtype(c).type for c in "?bBhilqefdFD"), np.longlong, np.ulonglong, np.uint16, np.uint32,
               ml_dtypes.bfloat16)
COMPUTES_HALF_IN_FLOAT32 = True


def asarray(x, dtype=None):
    """`x` as an array of this backend; copies only when it must."""
    return np.asarray(x, dtype=dtype)


def from_host(array, index=None, non_blocking=False):
    """A host array as an array of this backend: itself."""
    return array


def to_host(array, non_blocking=False):
    """An array of this backend as a NumPy array: itself."""
    return array


def index_of(array):
    """The CPU has no index."""
    return


def data_ptr(array):
    """Address of the first element; 0 for an array without elements."""
    return array.__array_interface__["data"][0] if array.size else 0


def offset(array, owner):
    """Bytes from the first element of `owner` to that of `array`, which looks into its memory."""
    return data_ptr(array) - data_ptr(owner)


def synchronize(index=None):
    """Nothing runs behind the CPU's back."""


def require_device(index=None):
    """The CPU is always there."""




def checking_matrices():
    """A context in which a matrix that cannot be inverted, solved with or factored raises NumPy's LinAlgError: it always does."""
    return _NOTHING


def scalar(value, dtype):
    """A Python number as a 0-d array; out-of-range integers wrap as torch's do."""
    return np.asarray(value).astype(dtype)


def on_device_of(array):
    """A context in which work goes to the device of `array`: nothing to do on the CPU."""
    return _NOTHING

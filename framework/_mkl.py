"""Intel's MKL (extra `mkl`) where it is installed: large matrix products, and functions of whole arrays that NumPy lacks.

On Intel processors its products are about a fifth faster than those of the OpenBLAS in NumPy's wheels, and torch's wheels use it too.  On others it
takes paths that are slower than OpenBLAS's and NumPy's own (AMD Zen 5: products take twice as long), so there it stays unused.  RINGGRAD_MKL=0 turns
it off everywhere, RINGGRAD_MKL=1 on; `python -m benchmarks steps` prints both.  The library is opened when a large array first asks for it.
"""
import ctypes
import functools
import glob
import os
import sys

import numpy as np

from ._config import flag

LARGE = 1 << 20  # multiplications; below this the call through ctypes takes as long as is gained
MANY = 1 << 14  # elements from which on a function of an array is worth the call
_ROW_MAJOR, _PLAIN, _TURNED = 101, 111, 112  # CBLAS_LAYOUT, CBLAS_TRANSPOSE
_SEQUENTIAL = 1  # MKL_THREADING_SEQUENTIAL
_ANY_ALIGNMENT = 2  # MKL_CBWR_AUTO: results do not depend on where in memory the matrices lie
_HIGH_ACCURACY = 1  # VML_LA: within one unit in the last place
_TYPES = {np.dtype(np.float32): ("cblas_sgemm", ctypes.c_float), np.dtype(np.float64): ("cblas_dgemm", ctypes.c_double)}
_FUNCTIONS = {"cdf_norm": "vmsCdfNorm", "exp": "vmsExp"}


def _intel(path="/proc/cpuinfo"):
    """Whether the processor is one of Intel's.  True where that cannot be read."""
    try:
        with open(path, "rb", 0) as file:
            return b"GenuineIntel" in file.read(512)
    except OSError:
        return True


_found = glob.glob(os.path.join(sys.prefix, "lib", "libmkl_rt.so*"))
PRESENT = bool(_found) and flag("RINGGRAD_MKL", _intel())  # and to be used


@functools.cache
def _library():
    """The functions that are used here: {NumPy type: gemm}, {name: function of float32 arrays}.  Empty where MKL cannot be opened."""
    try:
        library = ctypes.CDLL(min(_found))
        if _threads() == 1:
            library.MKL_Set_Threading_Layer(_SEQUENTIAL)
        library.MKL_CBWR_Set(_ANY_ALIGNMENT)
        return {**{dtype: _prepared_gemm(getattr(library, name), scalar) for dtype, (name, scalar) in _TYPES.items()},
                **{ours: _prepared_function(getattr(library, name)) for ours, name in _FUNCTIONS.items()}}
    except (OSError, AttributeError, ValueError):
        return {}


def _threads():
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return os.cpu_count()


def _prepared_gemm(gemm, scalar):
    n, address = ctypes.c_int, ctypes.c_void_p
    gemm.argtypes, gemm.restype = [n, n, n, n, n, n, scalar, address, n, address, n, scalar, address, n], None
    return gemm


def _prepared_function(function):
    function.argtypes, function.restype = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    return function


# -- matrix products ---------------------------------------------------------------------------------------------------


def matmul(a, b, out=None):
    """a @ b of NumPy arrays, as np.matmul: matrices, or a stack of one, by MKL; all else by NumPy."""
    if PRESENT:
        if a.ndim == 3 and len(a) == len(b) == 1:
            done = gemm(a[0], b[0], None if out is None else out[0])
            if done is not None:
                return done[None]
        else:
            done = gemm(a, b, out)
            if done is not None:
                return done
    return np.matmul(a, b, out=out)


def gemm(a, b, out=None):
    """a @ b by MKL; None where it does not apply: small, not matrices, of other types, or without a dimension that is dense in memory."""
    if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] < LARGE or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        return None
    function, left, right = _library().get(a.dtype), _layout(a), _layout(b)
    if function is None or left is None or right is None:
        return None
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), a.dtype)
    elif out.strides[1] != a.itemsize or out.strides[0] < out.shape[1] * a.itemsize or out.dtype != a.dtype:
        return None
    function(_ROW_MAJOR, left[0], right[0], out.shape[0], out.shape[1], a.shape[1], 1.0, a.ctypes.data, left[1], b.ctypes.data, right[1],
             0.0, out.ctypes.data, out.strides[0] // a.itemsize)
    return out


def _layout(a):
    """(transposed or not, elements from one row to the next) of a matrix as BLAS sees it; None where it cannot."""
    size, (down, across), (rows, columns) = a.itemsize, a.strides, a.shape
    if across == size and down >= columns * size and down % size == 0:
        return _PLAIN, down // size
    if down == size and across >= rows * size and across % size == 0:
        return _TURNED, across // size
    return None


# -- functions of arrays -----------------------------------------------------------------------------------------------


def exp(x, out):
    """out = e^x of NumPy arrays, which may be one: by MKL for large ones of float32 in one block of memory, else by NumPy."""
    if PRESENT and x.size >= MANY and x.dtype == np.float32 == out.dtype and x.flags.c_contiguous and out.flags.c_contiguous:
        found = _library().get("exp")
        if found is not None:
            found(x.size, x.ctypes.data, out.ctypes.data, _HIGH_ACCURACY)
            return out
    return np.exp(x, out=out)


def function(name):
    """A function (x, out) on contiguous float32 arrays: "cdf_norm", the standard normal distribution function, or "exp".  None without MKL."""
    found = _library().get(name) if PRESENT else None
    if found is None:
        return None

    def apply(x, out):
        found(x.size, x.ctypes.data, out.ctypes.data, _HIGH_ACCURACY)
        return out
    return apply

"""In-place forms of elementwise ops: the ufunc writes over its first operand, which the general way copies a result into."""
import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._core.op import REGISTRY
from .._core.recording import F32, F64

UFUNCS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.true_divide, "negative": np.negative,
          "absolute": np.absolute, "square": np.square, "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "tanh": np.tanh, "sin": np.sin,
          "cos": np.cos, "floor": np.floor, "ceil": np.ceil}
ON_GPU = {"add": "fi", "subtract": "fi", "multiply": "fi", "divide": "f"}  # kinds of types that CuPy's functions are taken for
_LARGEST = 1 << 24  # whole numbers up to here are exact in float32


def register():
    """Give the ops their writers.  Called once, when all ops are there."""
    for name, ufunc in UFUNCS.items():
        REGISTRY[name].writer = _writer(ufunc)
    scaled = REGISTRY["add_scaled"]
    in_blocks = scaled.writer
    scaled.writer = lambda x, y, alpha: in_blocks(x, y, alpha) or _add_scaled_onto_gpu(x, y, alpha)
    REGISTRY["relu"].writer = lambda x: _onto(np.maximum, x, 0)
    REGISTRY["clip"].writer = _clip


def _writer(ufunc):
    if ufunc.nin == 1:
        return lambda x: _onto(ufunc, x)
    return lambda x, y: _onto(ufunc, x, y)


def _onto(ufunc, x, *others):
    """ufunc(x, *others, out=x) where it needs no conversion.  Returns whether it was done."""
    if type(x) is not np.ndarray:
        return _onto_gpu(ufunc, x, *others)
    if x.dtype is not F32 and x.dtype is not F64:
        return False
    for y in others:
        if not (_is_number(y) or type(y) is np.ndarray and y.dtype is x.dtype and _broadcasts_to(y.shape, x.shape)):
            return False
    ufunc(x, *others, out=x)
    return True


def _onto_gpu(ufunc, x, *others):
    """`_onto` for CuPy arrays, of whole numbers too, and of halves beside halves."""
    backend, name = BACKENDS.get(type(x)), "divide" if ufunc is np.true_divide else ufunc.__name__
    if getattr(backend, "name", "") != "cupy" or len(others) != 1:
        return False
    (y,), half, kind = others, _dtypes.is_half(x.dtype), "f" if _dtypes.is_half(x.dtype) else x.dtype.kind
    if kind not in ON_GPU.get(name, "") or half and name not in ("add", "subtract"):  # others round twice
        return False
    if type(y) is type(x):
        if y.dtype != x.dtype or not _broadcasts_to(y.shape, x.shape) or y is not x and backend.xp.may_share_memory(x, y):
            return False
    elif half or not (type(y) is int and abs(y) <= _LARGEST or type(y) is float and kind == "f"):
        return False
    else:
        y = backend.scalar(y, x.dtype)
    getattr(backend.xp, name)(x, y, out=x)
    return True


def _add_scaled_onto_gpu(x, y, alpha):
    """x += alpha * y on CuPy arrays of one float type that is not half."""
    backend = BACKENDS.get(type(x))
    if getattr(backend, "name", "") != "cupy" or type(y) is not type(x) or y.dtype != x.dtype or x.dtype.kind != "f" or x.itemsize < 4 or (
            type(alpha) not in (int, float) or not _broadcasts_to(y.shape, x.shape)):
        return False
    return _onto_gpu(np.add, x, y * backend.scalar(alpha, x.dtype))


def _is_number(y):
    return type(y) is float or type(y) is int and -_LARGEST <= y <= _LARGEST


def _broadcasts_to(shape, want):
    return shape == want or len(shape) <= len(want) and all(n in (1, m) for n, m in zip(shape[::-1], want[::-1]))


def _clip(x, lower, upper):
    bounds = [(np.maximum, lower), (np.minimum, upper)]
    if not all(b is None or _is_number(b) for _, b in bounds):
        return False
    if None not in (lower, upper):
        return _onto(np.clip, x, lower, upper)
    return all(_onto(ufunc, x, b) for ufunc, b in bounds if b is not None)

"""Python numbers, nested lists and arrays, turned into arrays the way torch reads them."""
import numpy as np

from .._core.tensor import Tensor
from .._dtypes import ALL, get_default_dtype, of_numpy, promote_types, scalar_dtype

_NUMBERS = frozenset((bool, int, float, complex))
_SEQUENCES = (list, tuple, range)
_NO_SEQUENCES = (str, bytes, dict, Tensor, np.ndarray, np.generic)


def read(data, dtype=None):
    """A new NumPy array of what users hand to `tensor`: a number, nested sequences of numbers, an array.  dtype: a ringgrad dtype or None.

    Types are inferred as torch does: Python ints are int64, floats the default float, NumPy scalars keep their type, and a list promotes over all
    it holds.  ValueError for ragged lists, TypeError and RuntimeError for what is no number.
    """
    if isinstance(data, (np.ndarray, np.generic)):
        return np.array(data, dtype=(known(data.dtype) if dtype is None else dtype).np)
    if not _is_sequence(data) and hasattr(data, "__array__"):
        a = np.asarray(data)
        return np.array(a, dtype=(known(a.dtype) if dtype is None else dtype).np)
    plain, found = _types(data)
    if not plain:
        data = _unpack(data)
    dtype = dtype or found or get_default_dtype()
    try:
        return _array(data, dtype.np)
    except (ValueError, TypeError, OverflowError) as error:
        _explain(data, dtype, error)
        raise


def _is_sequence(x):
    """Whether torch walks through x as through a list: a deque, an array.array, and whatever else has a length and an index."""
    if isinstance(x, _SEQUENCES):
        return True
    kind = type(x)
    return kind not in _NUMBERS and hasattr(kind, "__getitem__") and hasattr(kind, "__len__") and not isinstance(x, _NO_SEQUENCES)


def known(np_dtype):
    """torch's word for a NumPy dtype.  TypeError for those it has none for."""
    native = np_dtype.newbyteorder("=")
    try:
        return of_numpy(native)
    except TypeError:
        raise TypeError(f"can't convert np.ndarray of type {np_dtype.type.__module__}.{np_dtype.type.__name__}. The only supported types are: "
                        f"{', '.join(d.name for d in ALL)}.") from None


def _array(data, np_dtype):
    if np_dtype.kind in "iu":
        a = np.array(data)
        if a.dtype.kind == "O" or a.dtype.kind == "u":
            raise OverflowError("Overflow when unpacking long long")
        if a.size and a.dtype.kind == "f" and not np.isfinite(a).all():
            raise OverflowError
        limits = np.iinfo(np_dtype)
        low = limits.min if np_dtype.kind == "i" else -limits.max
        if a.size and a.dtype.kind in "if" and (a.min() < low or a.max() > limits.max):
            raise OverflowError
        return a.astype(np_dtype)
    if np_dtype.kind in "fV":
        with np.errstate(over="ignore"):
            return np.array(data, dtype=np.float64).astype(np_dtype)
    return np.array(data, dtype=np_dtype)


def _types(data):
    """(whether only Python numbers are inside, the dtype they promote to or None when there are none)."""
    if not _is_sequence(data):
        return type(data) in _NUMBERS, _type_of(data)
    kinds = set(map(type, data))
    if kinds <= _NUMBERS:
        return True, _promote(scalar_dtype(k()) for k in kinds)
    if str in kinds:
        raise ValueError("too many dimensions 'str'")
    inner = [_types(item) for item in data]
    return all(p for p, _ in inner), _promote(d for _, d in inner if d is not None)


def _promote(dtypes):
    out = None
    for d in dtypes:
        out = d if out is None else promote_types(out, d)
    return out


def _type_of(x):
    if isinstance(x, Tensor):
        return x.dtype
    if isinstance(x, (np.ndarray, np.generic)):
        return known(x.dtype)
    if isinstance(x, str):
        raise TypeError("new(): invalid data type 'str'")
    try:
        return scalar_dtype(x)
    except TypeError:
        raise RuntimeError(f"Could not infer dtype of {type(x).__name__}") from None


def _unpack(data):
    """Tensors and NumPy scalars inside nested sequences, as Python numbers and nested lists."""
    if _is_sequence(data):
        return [_unpack(item) for item in data]
    if isinstance(data, Tensor):
        if data._data.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data.item()
    return data.tolist() if isinstance(data, (np.ndarray, np.generic)) else data


def _explain(data, dtype, error):
    """Raise torch's error for data that NumPy refused."""
    shape, level = [], data
    while _is_sequence(level):
        shape.append(len(level))
        level = level[0] if len(level) else None
    _check_regular(data, shape, 0)
    if isinstance(error, OverflowError):
        if str(error).startswith("Overflow"):
            raise ValueError("Overflow when unpacking long long") from None
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow") from None
    if not dtype.is_complex and isinstance(error, TypeError):
        raise TypeError("must be real number, not complex") from None


def _check_regular(data, shape, depth):
    if depth == len(shape):
        if _is_sequence(data):
            raise TypeError(f"{type(data).__name__!r} object cannot be interpreted as a number: the first element beside it, at dim {depth}, is one")
        return
    if not _is_sequence(data):
        raise TypeError(f"not a sequence: expected a sequence of length {shape[depth]} at dim {depth} (got {data!r})")
    if len(data) != shape[depth]:
        raise ValueError(f"expected sequence of length {shape[depth]} at dim {depth} (got {len(data)})")
    for item in data:
        _check_regular(item, shape, depth + 1)


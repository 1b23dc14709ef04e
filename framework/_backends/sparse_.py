"""Sparse arrays: coordinates beside values, both of them NumPy (or both CuPy) arrays.

A tensor whose `_data` is a SparseArray is a sparse tensor.  No formula knows them: whatever NumPy function or dispatch kernel meets one raises
`Elsewhere`, and dispatch then asks the op what it does with sparse operands (`Op.on_sparse`, answered in `_functional/_sparse_ops.py`).
Only what a backward pass does by itself, adding gradients up, is arithmetic here.
"""
import functools
from typing import Any

import numpy as np

from .._alert import alert_not_deterministic
from . import numpy_
from .adding import add_at_places

name = "sparse"
COMPUTES_HALF_IN_FLOAT32 = False
dense_backends: dict = {}  # array type -> backend, put here by the package


class Elsewhere(NotImplementedError):  # noqa: N818 - dispatch takes it for a direction, not for an error
    """A dense formula met a sparse array: dispatch takes the op's way for sparse operands, and where there is none this is the error."""

    def __init__(self, what):
        super().__init__(f"{what} is not implemented for sparse tensors; make the operand dense first, with .to_dense()")


class Pattern:
    """The places of the values of a sparse array.  indices: int64 (sparse dimensions, nnz), shape: the whole array's; neither changes."""

    def __init__(self, indices, shape):
        self.indices, self.shape = indices, tuple(shape)

    @property
    def rank(self):
        """Number of sparse dimensions."""
        return len(self.indices)

    @functools.cached_property
    def flat(self):
        """One number per value: its place among the sparse dimensions in row-major order."""
        backend = dense_backends[type(self.indices)]
        with backend.on_device_of(self.indices):
            places = backend.xp.zeros(self.indices.shape[1], np.int64)
            for coordinates, n in zip(self.indices, self.shape):
                places *= n
                places += coordinates
        return places

    @functools.cached_property
    def distinct(self):
        """(the pattern with each place once, where its first value stands); itself and None when no place comes twice."""
        xp = dense_backends[type(self.indices)].xp
        first = xp.unique(self.flat, return_index=True)[1]
        return (self, None) if len(first) == len(self.flat) else (Pattern(self.indices[:, first], self.shape), first)

    @functools.cached_property
    def by_row(self):
        """Of a matrix: (order, rows, columns, starts), the values sorted by row; row i's are those from starts[i] to starts[i + 1]."""
        return self._sorted(0)

    @functools.cached_property
    def by_column(self):
        """`by_row` of the transpose."""
        return self._sorted(1)

    def _sorted(self, axis):
        xp = dense_backends[type(self.indices)].xp
        rows, columns = self.indices[axis], self.indices[1 - axis]
        order = None
        if not bool((rows[1:] >= rows[:-1]).all()):
            order = xp.argsort(rows, kind="stable")
            rows, columns = rows[order], columns[order]
        return order, rows, columns, xp.searchsorted(rows, xp.arange(self.shape[axis] + 1))


class SparseArray:
    """An array that holds `values` (nnz, *dense shape) at the places of `pattern` and zeros elsewhere; values at one place add up.

    coalesced: the places are sorted and differ.  layout: "sparse_coo", or "sparse_csr", which is a sorted matrix that shows itself by rows.
    """

    __slots__ = ("pattern", "values", "coalesced", "layout")
    base, strides = None, ()

    def __init__(self, pattern, values, coalesced=False, layout="sparse_coo"):
        self.pattern, self.values, self.coalesced, self.layout = pattern, values, coalesced, layout

    indices = property(lambda self: self.pattern.indices)
    shape = property(lambda self: self.pattern.shape)
    ndim = property(lambda self: len(self.pattern.shape))
    dtype = property(lambda self: self.values.dtype)
    itemsize = property(lambda self: self.values.itemsize)
    flags: Any = property(lambda self: _FLAGS)

    @property
    def size(self):
        """Number of elements, zeros too."""
        return int(np.prod(self.shape, dtype=np.int64))

    def copy(self, order="C"):
        """The same values in memory of their own."""
        return SparseArray(Pattern(self.indices.copy(), self.shape), self.values.copy(), self.coalesced, self.layout)

    def astype(self, dtype, copy=True):
        """The same values in another type."""
        return SparseArray(self.pattern, self.values.astype(dtype, copy=copy), self.coalesced, self.layout)

    def tobytes(self):
        """The memory of places and values."""
        return self.indices.tobytes() + self.values.tobytes()

    def dense(self):
        """The array with its zeros."""
        xp = dense_backends[type(self.values)].xp
        n = self.pattern.rank
        out = xp.zeros((int(np.prod(self.shape[:n], dtype=np.int64)), *self.shape[n:]), self.dtype)
        if self.coalesced:
            out[self.pattern.flat] = self.values
        else:
            if xp is not numpy_.xp:
                alert_not_deterministic("add_dense_sparse_cuda")
            add_at_places(xp, out, self.pattern.flat, self.values)
        return out.reshape(self.shape)

    def __setitem__(self, key, other):
        """self[...] = other, of the same shape: the places and values of the other; 0 leaves no values."""
        if isinstance(other, SparseArray) and other.shape == self.shape:
            self.pattern, self.values, self.coalesced = other.pattern, other.values, other.coalesced
        elif not isinstance(other, SparseArray) and not np.any(other):
            self.pattern, self.values = Pattern(self.indices[:, :0], self.shape), self.values[:0]
            self.coalesced = self.pattern.rank > 0
        else:
            raise RuntimeError("a sparse tensor is overwritten by zeros or by a sparse tensor of its shape, not by other values; use .to_dense()")

    def __add__(self, other):
        if not isinstance(other, SparseArray):
            return other + self.dense() if hasattr(other, "shape") else NotImplemented
        xp = dense_backends[type(self.values)].xp
        if self.pattern is other.pattern:
            return SparseArray(self.pattern, self.values + other.values, self.coalesced, self.layout)
        if self.pattern.rank != other.pattern.rank:
            return self.dense() + other.dense()
        joined = Pattern(xp.concatenate([self.indices, other.indices], 1), self.shape)
        return SparseArray(joined, xp.concatenate([self.values, other.values]))

    __radd__ = __add__

    def __mul__(self, number):
        if not isinstance(number, (int, float, complex)):
            raise Elsewhere("mul")
        return SparseArray(self.pattern, self.values * number, self.coalesced, self.layout)

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if ufunc is np.add and method == "__call__" and not kwargs:
            return np.add(*[x.dense() if isinstance(x, SparseArray) else x for x in inputs], **({} if out is None else {"out": out}))
        raise Elsewhere(ufunc.__name__)

    def __array_function__(self, func, types, args, kwargs):
        raise Elsewhere(func.__name__)

    def __array__(self, dtype=None, copy=None):
        raise Elsewhere("asarray")

    def __getattr__(self, attribute):
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        raise Elsewhere(attribute)

    def __repr__(self):
        return f"SparseArray(shape={self.shape}, nnz={len(self.values)}, dtype={self.dtype})"


def _refused(name):
    def operator(self, *others):
        raise Elsewhere(name.strip("_"))
    return operator


for _name in ("sub", "rsub", "truediv", "rtruediv", "pow", "rpow", "matmul", "rmatmul", "lt", "le", "gt", "ge", "getitem"):
    setattr(SparseArray, f"__{_name}__", _refused(_name))


class _Flags:
    """A sparse array owns its memory and may be written."""

    writeable = c_contiguous = f_contiguous = True


_FLAGS: Any = _Flags()
Array = SparseArray
ARRAY_TYPES = (SparseArray,)


class _Namespace:
    """What gradient rules may do with sparse gradients, where they would use NumPy's functions on dense ones."""

    def astype(self, x, dtype):
        return x.astype(dtype)

    def copy(self, x):
        return x.copy()

    def zeros_like(self, x, dtype=None):
        return SparseArray(Pattern(x.indices[:, :0], x.shape), x.values[:0].astype(dtype or x.dtype), True, x.layout)

    def __getattr__(self, function):
        raise Elsewhere(function)


xp = _Namespace()


def kernel(op):
    """The kernel of an op on sparse arrays: none, its way lies elsewhere."""
    def elsewhere(xp, *inputs, **attrs):
        raise Elsewhere(op.name)
    return elsewhere


def _below(array):
    return dense_backends[type(array.values)]


def asarray(x, dtype=None):
    """`x` as it is, sparse or dense, in another type if need be."""
    if not isinstance(x, SparseArray):
        return (dense_backends.get(type(x)) or numpy_).asarray(x, dtype=dtype)
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def to_host(array):
    """TypeError: there is no NumPy array of this kind."""
    raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")


def from_host(array, index=None, non_blocking=False):
    """NotImplementedError: this is asked for an index that lists places."""
    raise Elsewhere("indexing by lists and arrays")


def moved(array, move):
    """A sparse array whose parts were moved by `move`."""
    return SparseArray(Pattern(move(array.indices), array.shape), move(array.values), array.coalesced, array.layout)


def index_of(array):
    """The CUDA index of the values, None on the CPU."""
    return _below(array).index_of(array.values)


def data_ptr(array):
    """RuntimeError: a sparse array is in two places."""
    raise RuntimeError("Cannot access data pointer of a sparse tensor, whose indices and values lie apart; ask those")


def offset(array, owner):
    """RuntimeError: a sparse array is in two places."""
    return data_ptr(array)


def scalar(value, dtype):
    """A Python number as a 0-d array."""
    return numpy_.scalar(value, dtype)


def on_device_of(array):
    """A context in which work goes to the device of `array`."""
    array = getattr(array, "_data", array)  # a Tensor, when the backward pass is recorded
    return _below(array).on_device_of(array.values)

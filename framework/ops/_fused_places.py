"""Overrides as in `_fused`, for what reads and writes at places that indices name: rows of tables, elements of rows, the largest of them."""
import numpy as np

from .._core.recording import F32
from ._fused import _fit, _last, _rows, override

FEW = 64  # of topk, up to which a row's largest elements are kept in order while it is read


@override("add_rows")
def _(x, indices, rows=0, padding_idx=-1, scale_grad_by_freq=False):
    if padding_idx >= 0 or scale_grad_by_freq or not indices.flags.c_contiguous or not _fit(x):
        return NotImplemented
    if indices.min() < 0 or indices.max() >= rows:  # a compiled loop would write there; NumPy refuses
        return NotImplemented
    from . import _loops as loops
    y = np.zeros((rows, x.shape[-1]), F32)
    loops.add_rows(_rows(x), indices.reshape(-1), y)
    return y


def _places(indices, shape, axis):
    """Whether int64 `indices` in one block of memory name places in the rows of an array of `shape`, one row of them for each of its rows."""
    return _last(indices, axis) and indices.dtype == np.int64 and indices.flags.c_contiguous and indices.shape[:-1] == shape[:-1]


@override("take_along_axis")
def _(x, indices, axis):
    if not (x.ndim and _places(indices, x.shape, axis) and _fit(x)):
        return NotImplemented
    from . import _loops as loops
    y = np.empty(indices.shape, F32)
    return y if loops.take_along_rows(_rows(x), _rows(indices), _rows(y)) else NotImplemented


@override("add_along_axis")
def _(x, indices, shape, axis):
    if not (x.ndim and x.shape == indices.shape and _places(indices, shape, axis) and _fit(x)):
        return NotImplemented
    from . import _loops as loops
    y = np.zeros(shape, F32)
    return y if loops.add_along_rows(_rows(x), _rows(indices), _rows(y)) else NotImplemented


@override("topk")
def _(x, k, axis=-1, largest=True):
    if not (x.ndim and 0 < k <= FEW and 4 * k < x.shape[-1] and _last(x, axis) and _fit(x)):
        return NotImplemented
    from . import _loops as loops
    values, places = np.empty((*x.shape[:-1], k), F32), np.empty((*x.shape[:-1], k), np.int64)
    loops.first_of_rows(_rows(x), largest, _rows(values), _rows(places))
    return values, places

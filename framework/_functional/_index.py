"""What stands between the brackets of x[...], taken apart.

torch's order: numbers, slices, None and `...` first, which make a view; then the tensors of indices, on the dimensions that are left whole.
"""
import operator
import warnings

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.tensor import Tensor, unwrap, wrap
from ._data import read

_WHOLE = slice(None)
_INDEX_TYPES = frozenset(np.dtype(t) for t in (np.int64, np.int32, np.uint8))


def plain(index, shape):
    """(op, its second argument) of an index of ints, slices, None and `...` alone, quickly; None for others, and for those that are wrong."""
    items = index if type(index) is tuple else (index,)
    at, new, last, dots, axis = 0, 0, None, False, None
    spare = len(shape)
    for i in items:
        if type(i) is int or type(i) is slice:
            spare -= 1
    if spare < 0:
        return None
    for i in items:
        kind = type(i)
        if kind is int:
            if not -shape[at] <= i < shape[at]:
                return None
            at, last = at + 1, int
        elif kind is slice:
            step = i.step
            if not (i.start is None is i.stop is step):
                if step is not None and (type(step) is not int or step <= 0):
                    return None
                if not (i.start is None or type(i.start) is int) or not (i.stop is None or type(i.stop) is int):
                    return None
                last = slice
            at += 1
        elif i is None:
            axis, new = at + new, new + 1
        elif i is ... and not dots:
            dots, at = True, at + spare
        else:
            return None
    if new == 1 and last is None:
        return ops.expand_dims, axis
    return ops.select if last is int else ops.getitem, items if dots else (*items, ...)


def parse(x, index):
    """(basic, tensors): the index of the view, or None when that is all of `x`, and [(dimension of the view, tensor of indices)]."""
    items = index if type(index) is tuple else tuple(index) if _stands_for_a_tuple(index) else (index,)
    shape = x._data.shape
    items = [_as_item(i, x) for i in items]
    used = sum(_dimensions(i) for i in items)
    if used > len(shape):
        if not shape and len(items) == 1 and isinstance(items[0], int):
            raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a number")
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    return _take_apart(x, items, shape, len(shape) - used)


def _stands_for_a_tuple(index):
    """torch still reads a short list that holds more than numbers as a tuple, with a warning."""
    if type(index) is not list or len(index) >= 32:
        return False
    if not any(i is None or i is ... or isinstance(i, (Tensor, list, tuple, slice, np.ndarray)) for i in index):
        return False
    warnings.warn("Using a non-tuple sequence for multidimensional indexing is deprecated; use x[tuple(seq)] instead of x[seq], or "
                  "x[ringgrad.tensor(seq)] to index one dimension.", UserWarning, stacklevel=4)
    return True


def _take_apart(x, items, shape, spare):
    basic, tensors, at, changed, dots = [], [], 0, False, False
    out = 0  # dimensions of the view so far
    for item in items:
        if item is None or item is True or item is False:
            basic.append(None)
            changed = True
            if item is not None:
                tensors.append((out, _beside(np.zeros(int(item), np.int64), x)))
            out += 1
        elif item is ...:
            if dots:
                continue  # torch lets later ones stand for nothing
            dots = True
            basic += [_WHOLE] * spare
            at += spare
            out += spare
        elif type(item) is int:
            n = shape[at]
            if not -n <= item < n:
                raise IndexError(f"index {item} is out of bounds for dimension {at} with size {n}")
            basic.append(item)
            at, changed = at + 1, True
        elif type(item) is slice:
            part = _as_slice(item, shape[at])
            basic.append(part)
            at, out, changed = at + 1, out + 1, changed or part is not _WHOLE
        else:
            for indices in _index_tensors(item, shape, at):
                tensors.append((out, indices))
                basic.append(_WHOLE)
                at, out = at + 1, out + 1
    return ((*basic, ...) if changed else None), tensors


def _as_item(i, x):
    """An item of an index as an int, a slice, None, `...`, a bool or a Tensor with dimensions."""
    kind = type(i)
    if kind is int or kind is slice or i is None or i is ... or kind is bool:
        return i
    if isinstance(i, Tensor):
        a = i._data
        if not a.ndim and a.dtype.kind in "iub" and a.dtype != np.uint8:
            return bool(a) if a.dtype.kind == "b" else int(a)
        return _beside(i, x)
    if isinstance(i, np.bool_):
        return bool(i)
    if isinstance(i, (list, tuple, range, np.ndarray)):
        array = i if isinstance(i, np.ndarray) else read(i)
        return _beside(array if array.size else array.astype(np.int64), x)
    try:
        return operator.index(i)
    except TypeError:
        raise IndexError(f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {kind.__name__})"
                        ) from None


def _beside(i, x):
    """A Tensor or NumPy array of indices as a Tensor on the device of `x`; host indices serve every device.  IndexError for other types."""
    a = unwrap(i)
    if a.dtype.kind != "b" and a.dtype not in _INDEX_TYPES:
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, not {a.dtype}")
    if type(a) is type(x._data):
        return i if a is not i else wrap(i)
    if not isinstance(a, np.ndarray):
        raise RuntimeError(f"indices should be either on cpu or on the same device as the indexed tensor ({x.device})")
    backend = of_array(x._data)
    return wrap(backend.from_host(a, backend.index_of(x._data)))


def _dimensions(item):
    """How many dimensions of the tensor an item uses up."""
    if item is None or item is ... or type(item) is bool:
        return 0
    return item._data.ndim if isinstance(item, Tensor) and _is_mask(item) else 1


def _is_mask(i):
    return i._data.dtype.kind == "b" or i._data.dtype == np.uint8


def _as_slice(s, n):
    """A slice with plain bounds; the whole of a dimension always as the same object."""
    if s.start is None and s.stop is None and s.step is None:
        return _WHOLE
    start, stop, step = (None if v is None else operator.index(v) for v in (s.start, s.stop, s.step))
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero")
    if step in (None, 1) and start in (None, 0) and (stop is None or stop >= n):
        return _WHOLE
    return slice(start, stop, step)


def _index_tensors(i, shape, at):
    """The tensors of indices that one stands for: itself, or for a mask the places where it is True, one per dimension."""
    if not _is_mask(i):
        return [i]
    if i._data.dtype.kind != "b":
        warnings.warn("indexing with dtype ringgrad.uint8 is now deprecated, please use a dtype ringgrad.bool instead.", UserWarning, stacklevel=5)
    for d, n in enumerate(i._data.shape):
        if n != shape[at + d]:
            raise IndexError(f"The shape of the mask {list(i._data.shape)} at index {d} does not match the shape of the indexed tensor "
                             f"{list(shape)} at index {at + d}")
    return [wrap(a) for a in places(i._data)]


def places(mask):
    """The indices of the True elements of an array, an array for each dimension; on a GPU the host waits, to know how many they are."""
    with of_array(mask).on_device_of(mask):
        return mask.nonzero()


def view_of(x, basic):
    """The view x[basic]."""
    if basic is None:
        return x
    last = next((i for i in reversed(basic[:-1]) if i is not _WHOLE), None)
    return ops.select(x, basic) if type(last) is int else ops.getitem(x, basic)

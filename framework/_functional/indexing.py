"""x[index] and x[index] = value in all their forms."""
import numpy as np

from .. import ops
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._state import state
from ..ops.indexing import MOST
from ._index import parse, plain, view_of
from ._write import assign, beside


def getitem(self, index):
    """x[index]: ints, slices, None and `...` give a view; lists, tensors of indices and masks a copy.  IndexError out of bounds."""
    if isinstance(index, Tensor):
        a = index._data
        if a.ndim and a.dtype.char in "li" and type(a) is type(self._data) and self._data.ndim:
            return ops.index(self, index)
        if a.ndim > 1 and a.dtype.kind == "b" and a.shape == self._data.shape and state.tracer is None and not (self._requires_grad and state.grad):
            self, index = ops.reshape(self, (-1,)), ops.reshape(index, (-1,))  # one number for each place, not one per dimension
    else:
        quick = plain(index, self._data.shape)
        if quick is not None:
            return quick[0](self, quick[1])
    basic, tensors = parse(self, index)
    if not tensors:
        return ops.getitem(self, (...,)) if basic is None else view_of(self, basic)
    dims, indices = _apart(tensors)
    return ops.index(view_of(self, basic), *indices, dims=dims)


def setitem(self, index, value):
    """x[index] = value, in place: `value`, a tensor or a number, is broadcast and, but for tensors of indices, converted.

    Gradients go to both.  TypeError for other values; RuntimeError when the shape does not fit.
    """
    if not isinstance(value, (Tensor, int, float, complex, np.generic)):
        raise TypeError(f"can't assign a {type(value).__name__} to a tensor of {self.dtype}; make it a tensor first, with ringgrad.tensor")
    if _is_mask(index) and (not isinstance(value, Tensor) or value._data.size == 1):
        _fill_mask(self, index, value)
        return
    quick = None if isinstance(index, Tensor) else plain(index, self._data.shape)
    if quick is not None:
        target = quick[0](self, quick[1])
        assign(target, _without_leading_ones(beside(value, self), target._data.ndim))
        return
    basic, tensors = parse(self, index)
    target, value = view_of(self, basic), beside(value, self)
    if tensors:
        dims, indices = _apart(tensors)
        apply_inplace(ops.index_put.op, target, (value, *_padded(indices)), {"dims": dims, "accumulate": False})
    else:
        assign(target, _without_leading_ones(value, target._data.ndim))


def _is_mask(index):
    return isinstance(index, Tensor) and index._data.dtype.kind == "b" and index._data.ndim > 0


def _fill_mask(x, mask, value):
    """x[mask] = one number, without looking for the places: that would wait for the device."""
    a, shape = mask._data, x._data.shape
    if a.shape != shape[:a.ndim]:
        parse(x, mask)  # says what does not fit
    if a.ndim < len(shape):
        mask = ops.reshape(mask, (*a.shape, *(1,) * (len(shape) - a.ndim)))
    value = ops.reshape(value, ()) if isinstance(value, Tensor) and value._data.ndim else value
    apply_inplace(ops.masked_fill.op, x, (mask, beside(value, x)), {})


def _padded(indices):
    return (*indices, *[None] * (MOST - len(indices)))


def _apart(tensors):
    if len(tensors) > MOST:
        raise RuntimeError(f"at most {MOST} tensors of indices can stand in one index, and here are {len(tensors)}: flatten some dimensions first")
    return tuple([d for d, _ in tensors]), [i for _, i in tensors]


def _without_leading_ones(value, ndim):
    if isinstance(value, Tensor) and value._data.ndim > ndim:
        extra = value._data.ndim - ndim
        if value._data.shape[:extra] == (1,) * extra:
            return ops.reshape(value, value._data.shape[extra:])
    return value


def _put_arguments(self, indices, values, accumulate):
    """(view, inputs, attrs) of an index_put through torch's tuple of index tensors."""
    basic, tensors = parse(self, tuple(indices))
    dims, indices = _apart(tensors)
    target = view_of(self, basic)
    return target, (beside(values, self), *_padded(indices)), {"dims": dims, "accumulate": bool(accumulate)}


def index_put(input, indices, values, accumulate=False):
    """A copy of `input` with `values` at input[indices], a tuple of tensors; added to what is there when `accumulate`."""
    target, others, attrs = _put_arguments(input, indices, values, accumulate)
    return ops.index_put.op.apply((target, *others), attrs)


def index_put_(self, indices, values, accumulate=False):
    """In-place form of `index_put`."""
    target, others, attrs = _put_arguments(self, indices, values, accumulate)
    apply_inplace(ops.index_put.op, target, others, attrs)
    return self


FUNCTIONS = {"index_put": index_put}
METHODS = {"__getitem__": getitem, "__setitem__": setitem, "index_put": index_put, "index_put_": index_put_}
INPLACE = {}

"""A copy with one part replaced: what writing through a view does, without touching the input."""
import numpy as np

from .. import ops
from .._backends import of_array
from .._core.tensor import Tensor, wrap
from ..ops.shape import wrap_dim


def _replaced(name, input, src, part):
    """A copy of `input` whose part(copy), a view, holds `src`.  RuntimeError unless that has its shape."""
    out = ops.copy(input)
    view = part(out)
    if view._data.shape != src._data.shape:
        raise RuntimeError(f"{name}: expected src to have a size equal to the slice of self. src size = {list(src._data.shape)}, slice size = "
                           f"{list(view._data.shape)}")
    view.copy_(src)
    return out


def select_scatter(input, src, dim, index):
    """`input` with `src` in the place of input.select(dim, index)."""
    return _replaced("select_scatter", input, src, lambda x: x.select(dim, index))


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """`input` with `src` at start:end:step of dimension `dim`."""
    at = (*(slice(None),) * wrap_dim(dim, input._data.ndim), slice(start, end, step))
    return _replaced("slice_scatter", input, src, lambda x: x[at])


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """`input` with `src` in the place of input.diagonal(offset, dim1, dim2)."""
    return _replaced("diagonal_scatter", input, src, lambda x: x.diagonal(offset, dim1, dim2))


def fill_diagonal_(self, fill_value, wrap=False):
    """Write a number on the main diagonal, of all dimensions at once; wrap: in a tall matrix again below each square.  Returns self."""
    shape = self._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"fill_diagonal_: dimensions must be larger than 1, but the shape is {list(shape)}")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: all dimensions of input must be of equal length, but the shape is {list(shape)}")
    if len(shape) > 2:
        places = np.arange(shape[0])
        self[tuple(self.new_tensor(places, dtype="int64") for _ in shape)] = fill_value
        return self
    rows, columns = shape
    for top in range(0, rows if wrap else 1, columns + 1):
        self[top:top + columns].diagonal().fill_(fill_value)
    return self


def sum_to_size(input, *args, size=None):
    """The sum over the dimensions along which a tensor of `size` would have been broadcast to this one."""
    shape = tuple(size) if size is not None else tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    have = input._data.shape
    lead = len(have) - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, have[lead:])):
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(have)}}}.")
    axes = tuple(i for i, m in enumerate(have) if i < lead or (shape[i - lead] == 1 and m != 1))
    return ops.reshape(ops.sum(input, axes, True), shape) if axes else input


def unravel_index(indices, shape):
    """The coordinates of places in a flattened tensor of `shape`: a tuple of tensors, one per dimension."""
    if not isinstance(indices, Tensor) or indices._data.dtype.kind not in "iu":
        raise TypeError("expected 'indices' to be integer dtype, but got "
                        f"{indices.dtype if isinstance(indices, Tensor) else type(indices).__name__}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    backend = of_array(indices._data)
    return tuple(wrap(backend.asarray(a, indices._data.dtype)) for a in backend.xp.unravel_index(indices._data, shape))


FUNCTIONS = {"select_scatter": select_scatter, "slice_scatter": slice_scatter, "diagonal_scatter": diagonal_scatter, "unravel_index": unravel_index}
METHODS = {"select_scatter": select_scatter, "slice_scatter": slice_scatter, "diagonal_scatter": diagonal_scatter, "fill_diagonal_": fill_diagonal_,
           "sum_to_size": sum_to_size}
INPLACE = {}

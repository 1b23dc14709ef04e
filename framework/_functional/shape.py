"""Views and other arrangements of the same elements, in torch's words.

What can be a view is one.  `dim` counts from the end when negative; IndexError for a dimension that does not exist.
"""
import math

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.broadcasting import mismatch
from .._core.recording import shares_memory
from .._core.tensor import Tensor
from .._dtypes import as_dtype
from .._tensor.info import Size
from ..ops import _layout
from ..ops.shape import wrap_dim
from ._sizes import several, sizes

# -- another shape -----------------------------------------------------------------------------------------------------


def reshape(input, *args, shape=None):
    """The elements in row-major order in another shape; a view when strides allow it.  reshape(x, (2, -1)) or x.reshape(2, -1)"""
    return ops.reshape(input, _wanted(args if shape is None else (shape,), "reshape"))


def _wanted(shape, name):
    shape = sizes(shape, name)
    for i, n in enumerate(shape):
        if n < -1:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {list(shape)}")
    return shape


def view(self, *shape, dtype=None, size=None):
    """As `reshape`, but never a copy: RuntimeError where strides do not allow a view.  view(dtype) reads the same bytes as another type."""
    if dtype is not None or (len(shape) == 1 and not isinstance(shape[0], (int, tuple, list)) and not hasattr(shape[0], "__index__")):
        return ops.view_as_type(self, as_dtype(shape[0] if dtype is None else dtype))
    return _viewed(self, _wanted(shape if size is None else (size,), "view"))


def _viewed(x, shape):
    """`x` in another shape, sharing its memory.  RuntimeError where strides do not allow that."""
    out = ops.reshape(x, shape)
    if not shares_memory(out._data, x._data):
        raise RuntimeError("view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous "
                           "subspaces). Use .reshape(...) instead.")
    return out


def view_as(self, other):
    """This tensor viewed in the shape of `other`."""
    return _viewed(self, other._data.shape)


def reshape_as(self, other):
    """This tensor in the shape of `other`."""
    return ops.reshape(self, other._data.shape)


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim ... end_dim made one.  (*a, *b, *c) -> (*a, prod b, *c)"""
    n = input._data.ndim
    start, end = wrap_dim(start_dim, n), wrap_dim(end_dim, n)
    if start > end:
        raise RuntimeError(f"flatten() has invalid args: start_dim cannot come after end_dim, but they are {start_dim} and {end_dim}")
    if start == end and n:
        return input
    shape = input._data.shape
    return ops.reshape(input, (*shape[:start], math.prod(shape[start:end + 1]), *shape[end + 1:]))


def unflatten(input, dim, sizes):
    """Dimension `dim` made several, of `sizes`, one of which may be -1.  A view."""
    shape = input._data.shape
    dim = wrap_dim(dim, len(shape))
    sizes = tuple(sizes) if not isinstance(sizes, int) else (sizes,)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if -1 not in sizes and math.prod(sizes) != shape[dim]:
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the input tensor")
    return _viewed(input, (*shape[:dim], *sizes, *shape[dim + 1:]))


def ravel(input):
    """All elements in one dimension; a view when strides allow it."""
    return ops.reshape(input, (-1,))


def unsqueeze(input, dim):
    """A new dimension of size 1 at `dim`.  A view."""
    return ops.expand_dims(input, dim)


def squeeze(input, dim=None):
    """Without the dimensions of size 1: all, or those among `dim` (an int or a tuple).  A view."""
    return ops.squeeze(input, dim)


def _at_least(n, place):
    def function(*tensors):
        tensors = several(tensors)
        out = tuple(ops.reshape(t, place(t._data.shape)) if t._data.ndim < n else t for t in tensors)
        return out[0] if len(out) == 1 else out
    function.__name__ = function.__qualname__ = f"atleast_{n}d"
    function.__doc__ = f"Each tensor with dimensions of size 1 added until it has {n}; one tensor comes back as itself, several as a tuple."
    return function


atleast_1d = _at_least(1, lambda shape: (1,))
atleast_2d = _at_least(2, lambda shape: (1,) * (2 - len(shape)) + shape)
atleast_3d = _at_least(3, lambda shape: {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


# -- another order of dimensions ---------------------------------------------------------------------------------------

def transpose(input, dim0, dim1):
    """Dimensions `dim0` and `dim1` trade places.  A view."""
    return ops.swapaxes(input, dim0, dim1)


def t(input):
    """The transpose of a matrix; vectors and scalars as they are.  A view.  RuntimeError beyond two dimensions."""
    n = input._data.ndim
    if n > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {n}D")
    return ops.swapaxes(input, 0, 1) if n == 2 else input


def _T(self):
    """The dimensions in reverse order.  A view."""
    return ops.transpose(self)


def _mT(self):
    """Each matrix (the last two dimensions) transposed.  A view."""
    _check_matrices(self, "mT")
    return ops.swapaxes(self, -2, -1)


def _mH(self):
    """Each matrix transposed and conjugated."""
    out = _mT(self)
    return ops.conj(out) if out._data.dtype.kind == "c" else out


def _H(self):
    """A matrix transposed and conjugated."""
    if self._data.ndim not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self._data.ndim}-D tensor.")
    return _mH(self) if self._data.ndim else self


def _check_matrices(x, name):
    if x._data.ndim < 2:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got {x._data.ndim}-D tensor.")


def permute(input, *args, dims=None):
    """Dimension i of the result is dimension dims[i] of the input.  A view.  permute(x, (1, 0)), x.permute(1, 0) or permute(x, dims=(1, 0))"""
    return ops.transpose(input, sizes(args if dims is None else (dims,), "permute"))


def movedim(input, source, destination):
    """Dimensions `source` (an int or a tuple) moved to `destination`; the others keep their order.  A view."""
    return ops.moveaxis(input, source, destination)


# -- repetition --------------------------------------------------------------------------------------------------------

def expand(self, *args, size=None, implicit=False):
    """Dimensions of size 1 repeated, without copying, to `size`; -1 leaves a dimension as it is.  A view, read-only where elements repeat."""
    want, have = sizes(args if size is None else (size,), "expand"), self._data.shape
    if -1 in want:
        lead = len(want) - len(have)
        if -1 in want[:max(lead, 0)]:
            raise RuntimeError(f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {want.index(-1)}")
        want = tuple([have[i - lead] if n == -1 else n for i, n in enumerate(want)])
    return ops.broadcast_to(self, want)


def expand_as(self, other):
    """This tensor expanded to the shape of `other`."""
    return ops.broadcast_to(self, other._data.shape)


def broadcast_to(input, size):
    """`input` expanded to `size`; see `expand`."""
    return expand(input, size)


def broadcast_shapes(*shapes):
    """The shape that tensors of these shapes (tuples or ints) broadcast to.  RuntimeError when they do not."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    clash = mismatch(shapes)
    if clash:
        raise RuntimeError(f"Shape mismatch: objects cannot be broadcast to a single shape. {clash}")
    return Size(np.broadcast_shapes(*shapes))


def broadcast_tensors(*tensors):
    """Each tensor expanded to the shape that all of them broadcast to."""
    tensors = several(tensors)
    shape = broadcast_shapes(*(x._data.shape for x in tensors))
    return tuple([ops.broadcast_to(x, shape) for x in tensors])


def repeat(self, *args, repeats=None):
    """This tensor laid side by side repeats[i] times along dimension i; more repeats than dimensions add dimensions in front.  A copy."""
    times = sizes(args if repeats is None else (repeats,), "repeat")
    if len(times) < self._data.ndim:
        raise RuntimeError(f"Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: {len(times)} repeats for "
                           f"{self._data.ndim} dimensions")
    return ops.tile(self, times)


def tile(input, *args, dims=None):
    """As `repeat`, but fewer repeats than dimensions count from the end."""
    times = sizes(args if dims is None else (dims,), "tile")
    return ops.tile(input, (1,) * (input._data.ndim - len(times)) + times)


def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    """Each element `repeats` times in a row along `dim` (None: of the flattened tensor).

    repeats: an int, or a tensor or list with one count per element.  A copy.  RuntimeError for negative counts.
    """
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError(f"repeats can not be negative, got {repeats}")
        if dim is not None and input._data.ndim:
            wrap_dim(dim, input._data.ndim)
            return ops.repeat(input, repeats, dim)
        return ops.repeat(input, repeats)
    return _repeat_each(input, repeats, dim)


def _repeat_each(input, repeats, dim):
    counts = np.asarray(repeats) if not isinstance(repeats, Tensor) else of_array(repeats._data).to_host(repeats._data)
    x, dim = (ravel(input), 0) if dim is None else (input, wrap_dim(dim, input._data.ndim))
    if counts.size == 1:
        return repeat_interleave(x, int(counts.reshape(-1)[0]), dim)
    if counts.ndim != 1 or len(counts) != x._data.shape[dim]:
        raise RuntimeError(f"repeats must have the same size as input along dim, but got repeats.size(0) = {len(counts)} and "
                           f"input.size({dim}) = {x._data.shape[dim]}")
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    backend = of_array(x._data)
    with backend.on_device_of(x._data):
        rows = backend.asarray(np.repeat(np.arange(len(counts)), counts))
    return ops.take(x, rows, dim)


def contiguous(self, memory_format=None):
    """This tensor when its elements lie in row-major order without gaps, else a copy that does; on a GPU in the order `memory_format`."""
    if memory_format is not None and self.is_cuda:
        return _layout.convert(ops, self, memory_format)
    return self if self._data.flags.c_contiguous else ops.ascontiguousarray(self)


FUNCTIONS = {
    "reshape": reshape, "flatten": flatten, "unflatten": unflatten, "ravel": ravel, "unsqueeze": unsqueeze, "squeeze": squeeze,
    "atleast_1d": atleast_1d, "atleast_2d": atleast_2d, "atleast_3d": atleast_3d, "transpose": transpose, "swapaxes": transpose,
    "swapdims": transpose, "t": t, "permute": permute, "movedim": movedim, "moveaxis": movedim, "adjoint": _mH, "broadcast_to": broadcast_to,
    "broadcast_shapes": broadcast_shapes, "broadcast_tensors": broadcast_tensors, "tile": tile, "repeat_interleave": repeat_interleave,
}
METHODS = {
    **{n: f for n, f in FUNCTIONS.items() if not n.startswith(("atleast", "broadcast_shapes", "broadcast_tensors"))},
    "view": view, "view_as": view_as, "reshape_as": reshape_as, "expand": expand, "expand_as": expand_as, "repeat": repeat,
    "contiguous": contiguous, "T": property(_T), "mT": property(_mT), "H": property(_H), "mH": property(_mH),
}
INPLACE = {}

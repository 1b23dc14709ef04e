"""Several tensors in one, and one in several, in torch's words."""
import math

from .. import ops
from .._core.tensor import Tensor
from ..ops.shape import wrap_dim
from ._sizes import check_tensors, several
from .shape import atleast_1d, atleast_2d, atleast_3d

# -- one out of several ------------------------------------------------------------------------------------------------


def cat(tensors, dim=0):
    """Tensors one after another along `dim`; their other dimensions are equal.  Types are promoted; empty 1-d tensors are left out."""
    check_tensors(tensors, "cat")
    if not tensors:
        raise ValueError("cat(): expected a non-empty list of Tensors")
    return ops.concatenate([t for t in tensors if t._data.shape != (0,)] or tensors, dim)


def stack(tensors, dim=0):
    """Tensors of one shape, side by side along a new dimension `dim`."""
    check_tensors(tensors, "stack")
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    return ops.stack(tensors, dim)


def hstack(tensors):
    """Tensors side by side: along the second dimension, 1-d ones along the first."""
    check_tensors(tensors, "hstack")
    tensors = [atleast_1d(t) for t in tensors]
    return cat(tensors, 0 if tensors and tensors[0]._data.ndim == 1 else 1)


def vstack(tensors):
    """Tensors on top of each other: along the first dimension, 1-d ones as rows."""
    check_tensors(tensors, "vstack")
    return cat([atleast_2d(t) for t in tensors], 0)


def dstack(tensors):
    """Tensors behind each other: along the third dimension."""
    check_tensors(tensors, "dstack")
    return cat([atleast_3d(t) for t in tensors], 2)


def column_stack(tensors):
    """1-d tensors as the columns of a matrix; others side by side."""
    check_tensors(tensors, "column_stack")
    return hstack([ops.reshape(t, (t._data.size, 1)) if t._data.ndim <= 1 else t for t in tensors])


def meshgrid(*tensors, indexing="ij"):
    """Coordinates on the grid that 1-d tensors span: tensor k varies along dimension k.  n tensors -> n tensors of n dimensions, views

    indexing: "ij", or "xy", which swaps the first two dimensions.
    """
    tensors = several(tensors)
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for t in tensors:
        if t._data.dtype != tensors[0]._data.dtype:
            raise RuntimeError(f"meshgrid expects all tensors to have the same dtype, but got {tensors[0].dtype} and {t.dtype}")
        if t._data.ndim > 1:
            raise RuntimeError(f"meshgrid: Expected 0D or 1D tensor in the tensor list but got: shape {list(t._data.shape)}")
    swap = indexing == "xy" and len(tensors) > 1
    order = [tensors[1], tensors[0], *tensors[2:]] if swap else list(tensors)
    shape = tuple([t._data.size for t in order])
    n = len(shape)
    grids = [ops.broadcast_to(ops.reshape(t, (1,) * i + (t._data.size,) + (1,) * (n - i - 1)), shape) for i, t in enumerate(order)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def cartesian_prod(*tensors):
    """All combinations of the elements of 1-d tensors, the last varying fastest.  n tensors -> (prod of sizes, n)"""
    for t in tensors:
        if t._data.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t._data.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return ops.stack([ops.reshape(g, (-1,)) for g in meshgrid(*tensors)], 1)


def combinations(input, r=2, with_replacement=False):
    """All ways to choose `r` elements of a 1-d tensor, in order of position.  (n) -> (count, r)"""
    if input._data.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._data.shape)}")
    n = input._data.size
    grid = meshgrid(*[ops.arange(n, device=input.device)] * r)
    rows = ops.stack([ops.reshape(g, (-1,)) for g in grid], 1) if r else None
    if rows is None:
        return ops.empty((0,), input.dtype, input.device)
    ahead = (rows[:, 1:] >= rows[:, :-1]) if with_replacement else (rows[:, 1:] > rows[:, :-1])
    return ops.index(input, rows[ahead.all(1)]._data, dims=(0,))


def block_diag(*tensors):
    """Matrices along the diagonal of a larger one, zeros elsewhere.  (n_i, m_i) -> (sum n_i, sum m_i)"""
    blocks = [atleast_2d(t) for t in several(tensors)]
    width, rows, at = sum(t._data.shape[1] for t in blocks), [], 0
    for t in blocks:
        n, m = t._data.shape
        rows.append(ops.place(t, (n, width), (slice(None), slice(at, at + m))))
        at += m
    return ops.concatenate(rows, 0)


# -- several out of one ------------------------------------------------------------------------------------------------

def split(tensor, split_size_or_sections, dim=0):
    """Pieces along `dim`: each of a given size (the last may be smaller), or of the sizes in a list.  Views."""
    n = _length(tensor, dim, "split")
    if isinstance(split_size_or_sections, (int, Tensor)):
        size = int(split_size_or_sections)
        if size < 0 or (size == 0 and n):
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}" if size < 0 else
                               f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        return ops.split(tensor, tuple(range(size, n, size)) if size else (), dim)
    sections = [int(s) for s in split_size_or_sections]
    if sum(sections) != n or any(s < 0 for s in sections):
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), but got "
                           f"split_sizes={sections}")
    cuts, at = [], 0
    for s in sections[:-1]:
        at += s
        cuts.append(at)
    return ops.split(tensor, tuple(cuts), dim) if sections else ()


def split_method(self, split_size, dim=0):
    """`split`, as torch's method spells its argument."""
    return split(self, split_size, dim)


def split_with_sizes(input, split_sizes, dim=0):
    """`split` into pieces of the sizes in a list."""
    return split(input, split_sizes, dim)


def chunk(input, chunks, dim=0):
    """At most `chunks` pieces along `dim`, all of one size but the last.  Views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = _length(input, dim, "chunk")
    size = math.ceil(n / chunks)
    return ops.split(input, tuple(range(size, n, size)) if size else (0,) * (chunks - 1), dim)


def tensor_split(input, indices_or_sections, dim=0):
    """Pieces along `dim`: a number of them, sizes differing by at most one, or cut before each of a list of indices.

    Views, each of its own making: unlike those of `split` they may be written to.
    """
    n = _length(input, dim, "tensor_split")
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        small, larger = divmod(n, sections)
        ends = [i * small + min(i, larger) for i in range(1, sections)]
    else:
        ends = [min(max(i + n if i < 0 else i, 0), n) for i in indices_or_sections]
    before = (slice(None),) * wrap_dim(dim, input._data.ndim)
    return tuple(ops.getitem(input, (*before, slice(a, b))) for a, b in zip((0, *ends), (*ends, n)))


def _split_along(name, dim_of, least):
    def function(input, indices_or_sections):
        if input._data.ndim < least:
            raise RuntimeError(f"{name} requires a tensor with at least {least} dimension{'s' * (least > 1)}, but got a tensor with "
                               f"{input._data.ndim} dimensions!")
        return tensor_split(input, indices_or_sections, dim_of(input._data.ndim))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`tensor_split` along the dimension that {name[0]}stack joins."
    return function


hsplit = _split_along("hsplit", lambda ndim: 0 if ndim == 1 else 1, 1)
vsplit = _split_along("vsplit", lambda ndim: 0, 2)
dsplit = _split_along("dsplit", lambda ndim: 2, 3)


def unbind(input, dim=0):
    """The parts of the tensor at each place of `dim`, without that dimension: a tuple of views."""
    _length(input, dim, "unbind")
    return ops.unstack(input, dim)


def narrow(input, dim, start, length):
    """`length` places of dimension `dim` from `start` on, which may count from the end.  A view."""
    n = _length(input, dim, "narrow")
    start = int(start)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [-{n}, {n}], but got {start})")
    start += n if start < 0 else 0
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return ops.getitem(input, (*(slice(None),) * wrap_dim(dim, input._data.ndim), slice(start, start + length), ...))


def select(input, dim, index):
    """The part of the tensor at place `index` of `dim`, without that dimension.  A view."""
    if not input._data.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis, index = wrap_dim(dim, input._data.ndim), int(index)
    n = input._data.shape[axis]
    if not -n <= index < n:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(input._data.shape)} at dimension {dim}")
    return ops.select(input, (*(slice(None),) * axis, index, ...))


def __iter__(self):
    """The parts of the tensor at each place of its first dimension.  TypeError for a 0-d tensor."""
    if not self._data.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(ops.unstack(self, 0))


def _length(x, dim, name):
    if not x._data.ndim:
        if name == "unbind":
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")
    return x._data.shape[wrap_dim(dim, x._data.ndim)]


FUNCTIONS = {
    "cat": cat, "concat": cat, "concatenate": cat, "stack": stack, "hstack": hstack, "vstack": vstack, "row_stack": vstack, "dstack": dstack,
    "column_stack": column_stack, "meshgrid": meshgrid, "cartesian_prod": cartesian_prod, "combinations": combinations, "block_diag": block_diag,
    "split": split, "split_with_sizes": split_with_sizes, "chunk": chunk, "tensor_split": tensor_split, "hsplit": hsplit, "vsplit": vsplit,
    "dsplit": dsplit, "unbind": unbind, "narrow": narrow, "select": select,
}
METHODS = {n: FUNCTIONS[n] for n in ("split_with_sizes", "chunk", "tensor_split", "hsplit", "vsplit", "dsplit", "unbind", "narrow", "select")}
METHODS |= {"split": split_method, "__iter__": __iter__}
INPLACE = {}

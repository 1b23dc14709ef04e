"""What ops do when an operand is sparse: compositions of dense ops on values, so that gradients of any order follow by themselves.

`Op.on_sparse` hangs each function on its op; dispatch calls it when the dense formula meets a sparse array.  Ops that are not here raise
NotImplementedError and name `.to_dense()`.
"""
import numpy as np

from .. import ops
from .._backends import of_array
from .._backends.adding import reduce_at_places
from .._backends.sparse_ import Pattern, SparseArray
from .._core.op import REGISTRY
from .._core.tensor import Tensor, wrap
from .._dtypes import as_dtype
from ..ops.shape import wrap_dim
from ..ops.sparse import values_at


def is_sparse(x):
    """Whether `x` is a sparse tensor of either layout."""
    return isinstance(x, Tensor) and type(x._data) is SparseArray


def xp_of(x):
    """The array module of a sparse or dense tensor's parts."""
    a = x._data.values if is_sparse(x) else x._data
    return of_array(a).xp


def rebuilt(x, values, pattern=None, coalesced=None):
    """A sparse tensor like `x` with other values, and another pattern if it is given."""
    raw = x._data
    return ops.sparse_coo(values, pattern or raw.pattern, raw.coalesced if coalesced is None else coalesced, raw.layout)


def coalesced(x):
    """`x` with sorted places that differ; itself when it is so already."""
    raw = x._data
    if raw.coalesced:
        return x
    xp = xp_of(x)
    with of_array(raw.values).on_device_of(raw.values):
        places, inverse = xp.unique(raw.pattern.flat, return_inverse=True)
        indices = xp.stack(xp.unravel_index(places, raw.shape[:raw.pattern.rank])).astype(np.int64) if raw.pattern.rank else raw.indices
    values = ops.add_segments(ops.sparse_values(x), inverse, len(places))
    return ops.sparse_coo(values, Pattern(indices.reshape(raw.pattern.rank, -1), raw.shape), True, raw.layout)


def dense(x):
    """`x` with its zeros."""
    if not is_sparse(x):
        return x
    raw = x._data
    rows = int(np.prod(raw.shape[:raw.pattern.rank], dtype=np.int64))
    return ops.reshape(ops.add_segments(ops.sparse_values(x), raw.pattern.flat, rows), raw.shape)


def masked(x, mask):
    """`x`, dense or sparse, at the places of the sparse tensor `mask` and zero elsewhere."""
    if tuple(x.shape) != tuple(mask.shape):
        raise RuntimeError(f"sparse_mask(): operands have incompatible sizes; self has size {list(x.shape)} but mask has size {list(mask.shape)}")
    return rebuilt(mask, values_at(x, mask._data.pattern))


# -- elementwise -------------------------------------------------------------------------------------------------------

LINEAR = ("negative",)  # of values that add up to an element as of the element itself
KEEPS_ZERO = ("absolute", "sqrt", "square", "sin", "sinh", "tan", "tanh", "arcsin", "arcsinh", "arctan", "arctanh", "expm1", "log1p", "sign",
              "floor", "ceil", "round", "trunc", "relu", "deg2rad", "rad2deg", "erf")


def _on_values(op, merge):
    def apply(x, **attrs):
        x = coalesced(x) if merge else x
        return rebuilt(x, op.apply((ops.sparse_values(x),), attrs))
    return apply


for _name in (*LINEAR, *KEEPS_ZERO):
    if _name in REGISTRY:
        REGISTRY[_name].on_sparse(_on_values(REGISTRY[_name], _name not in LINEAR))


def _is_number(y):
    return not isinstance(y, Tensor) or (not is_sparse(y) and y._data.ndim == 0)


def _check_shapes(name, x, y):
    if tuple(x.shape) != tuple(y.shape):
        raise RuntimeError(f"{name}: expected sizes of 'self' and 'other' to match, but {list(x.shape)} != {list(y.shape)}")


@ops.add.op.on_sparse
def add(x, y):
    """sparse + sparse -> sparse, dense + sparse -> dense."""
    return _sum("add", x, y, 1)


@ops.subtract.op.on_sparse
def subtract(x, y):
    """sparse - sparse -> sparse, dense - sparse -> dense."""
    return _sum("sub", x, y, -1)


@ops.add_scaled.op.on_sparse
def add_scaled(x, y, alpha):
    """x + alpha * y, as `add`."""
    return _sum("add", x, y, alpha)


def _sum(name, x, y, factor):
    if not is_sparse(x) or not is_sparse(y):
        if is_sparse(x):
            raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead, or .to_dense()")
        return ops.add(x, dense(ops.multiply(y, factor)))
    _check_shapes(name, x, y)
    a, b = x._data, y._data
    if a.pattern.rank != b.pattern.rank:
        raise RuntimeError(f"{name}: expected 'self' and 'other' to have same number of sparse dimensions, but {a.pattern.rank} != {b.pattern.rank}")
    xp = xp_of(x)
    values = ops.concatenate([ops.sparse_values(x), ops.multiply(ops.sparse_values(y), factor)], 0)
    joined = rebuilt(x, values, Pattern(xp.concatenate([a.indices, b.indices], 1), a.shape), False)
    return coalesced(joined) if a.coalesced and b.coalesced else joined


@ops.multiply.op.on_sparse
def multiply(x, y):
    """A sparse tensor times a number, or element by element with a dense or sparse tensor of its shape -> sparse."""
    if not is_sparse(x):
        x, y = y, x
    if _is_number(y):
        return rebuilt(x, ops.multiply(ops.sparse_values(x), y))
    _check_shapes("mul", x, y)
    if is_sparse(y):
        x, y, xp = coalesced(x), coalesced(y), xp_of(x)
        both = xp.isin(x._data.pattern.flat, y._data.pattern.flat)
        x = rebuilt(x, ops.pick_rows(ops.sparse_values(x), both), Pattern(x._data.indices[:, both], x._data.shape), True)
    return rebuilt(x, ops.multiply(ops.sparse_values(x), values_at(y, x._data.pattern)))


@ops.divide.op.on_sparse
def divide(x, y):
    """A sparse tensor by a number."""
    if not is_sparse(x) or not _is_number(y):
        raise RuntimeError("Sparse division requires a scalar or zero-dim dense tensor divisor"
                           + (f" (got shape {list(y.shape)} for divisor)" if isinstance(y, Tensor) else "") + "; use .to_dense()")
    return rebuilt(x, ops.divide(ops.sparse_values(x), y))


@ops.power.op.on_sparse
def power(x, y):
    """A sparse tensor to the power of a positive number."""
    if not is_sparse(x) or not _is_number(y):
        raise NotImplementedError("pow is not implemented for a sparse exponent; make it dense first, with .to_dense()")
    if not isinstance(y, Tensor) and not y:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    x = coalesced(x)
    return rebuilt(x, ops.power(ops.sparse_values(x), y))


@ops.assign.op.on_sparse
def assign(x, y):
    """What a copy of `y` into `x` leaves there: `y` itself, sparse."""
    if not is_sparse(x) or not is_sparse(y):
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented: convert one with .to_dense() or .to_sparse()")
    return ops.astype(y, x._data.dtype)


@ops.copy.op.kernel("sparse")
def _(xp, x):
    return x.copy()


@ops.astype.op.kernel("sparse")
def _(xp, x, dtype):
    return x.astype(np.dtype(getattr(dtype, "np", dtype)))


# -- shape -------------------------------------------------------------------------------------------------------------

@ops.transpose.op.on_sparse
def transpose(x, axes=None):
    """Dimensions in another order; sparse ones stay before dense ones."""
    raw, n = x._data, len(x.shape)
    axes = tuple(range(n))[::-1] if axes is None else tuple(wrap_dim(a, n) for a in axes)
    rank = raw.pattern.rank
    if sorted(axes) != list(range(n)):
        raise RuntimeError(f"permute: {axes} is not an order of the {n} dimensions of a sparse tensor")
    if sorted(axes[:rank]) != list(range(rank)):
        raise RuntimeError("transpose: a sparse and a dense dimension cannot trade places; use .to_dense()")
    values = ops.sparse_values(x)
    inner = (0, *(a - rank + 1 for a in axes[rank:]))
    pattern = Pattern(raw.indices[list(axes[:rank])], tuple(raw.shape[a] for a in axes))
    moved = values if inner == tuple(range(len(inner))) else ops.transpose(values, inner)
    swapped = ops.sparse_coo(moved, pattern, raw.coalesced and axes[:rank] == tuple(range(rank)), "sparse_coo")
    return coalesced(swapped) if raw.layout != "sparse_coo" else swapped


@ops.swapaxes.op.on_sparse
def swapaxes(x, axis1, axis2):
    """Two dimensions trade places."""
    axes = list(range(len(x.shape)))
    a, b = wrap_dim(axis1, len(axes)), wrap_dim(axis2, len(axes))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(x, tuple(axes))


@ops.concatenate.op.on_sparse
def concatenate(*xs, axis=0):
    """Sparse tensors of one number of sparse dimensions, joined along one of those."""
    if not all(is_sparse(x) for x in xs):
        raise RuntimeError("cat: sparse and dense tensors cannot be joined; convert with .to_dense() or .to_sparse()")
    first, xp = xs[0]._data, xp_of(xs[0])
    axis = wrap_dim(axis, first.ndim)
    if axis >= first.pattern.rank or any(x._data.pattern.rank != first.pattern.rank for x in xs):
        raise NotImplementedError("cat of sparse tensors joins them along a sparse dimension that all of them have; use .to_dense()")
    offset, parts = 0, []
    for x in xs:
        a = x._data
        if a.shape[:axis] + a.shape[axis + 1:] != first.shape[:axis] + first.shape[axis + 1:]:
            raise RuntimeError(f"All tensors must have the same shape: {list(first.shape)} and {list(a.shape)} differ besides dimension {axis}")
        moved = a.indices.copy()
        moved[axis] += offset
        offset += a.shape[axis]
        parts.append(moved)
    pattern = Pattern(xp.concatenate(parts, 1), (*first.shape[:axis], offset, *first.shape[axis + 1:]))
    return ops.sparse_coo(ops.concatenate([ops.sparse_values(x) for x in xs], 0), pattern, False, "sparse_coo")


@ops.take.op.on_sparse
def take(x, indices, axis):
    """index_select: the places `indices` of a dimension, which may repeat."""
    raw, xp = x._data, xp_of(x)
    axis = wrap_dim(axis, raw.ndim)
    wanted = xp.asarray(indices._data if isinstance(indices, Tensor) else indices).reshape(-1)
    shape = (*raw.shape[:axis], len(wanted), *raw.shape[axis + 1:])
    if axis >= raw.pattern.rank:
        return rebuilt(x, ops.take(ops.sparse_values(x), wrap(wanted), axis - raw.pattern.rank + 1), Pattern(raw.indices, shape))
    if wanted.size and (int(wanted.min()) < 0 or int(wanted.max()) >= raw.shape[axis]):
        raise IndexError(f"index_select(): index out of range: dimension {axis} has {raw.shape[axis]} places, and the indices reach from "
                         f"{int(wanted.min())} to {int(wanted.max())}")
    order = xp.argsort(wanted, kind="stable")
    low, high = (xp.searchsorted(wanted[order], raw.indices[axis], side) for side in ("left", "right"))
    times = high - low  # how often each value is wanted
    source = xp.repeat(xp.arange(len(times)), times)
    within = xp.arange(len(source)) - xp.repeat(xp.cumsum(times) - times, times)
    indices = raw.indices[:, source].copy()
    indices[axis] = order[low[source] + within]
    return coalesced(ops.sparse_coo(ops.pick_rows(ops.sparse_values(x), source), Pattern(indices, shape), False, "sparse_coo"))


@ops.select.op.on_sparse
@ops.getitem.op.on_sparse
def getitem(x, index):
    """x[i], x[:, j], x[a:b]: whole numbers and slices."""
    if ... in index:
        at = index.index(...)
        index = (*index[:at], *(slice(None),) * (len(x.shape) - len(index) + 1), *index[at + 1:])
    axis = 0
    for item in index:
        n = x.shape[axis] if axis < len(x.shape) else 0
        if isinstance(item, slice):
            if item != slice(None):
                x = take(x, np.arange(n)[item], axis)
            axis += 1
        elif hasattr(item, "__index__") and not isinstance(item, bool):
            at = int(item)
            if not -n <= at < n:
                raise IndexError(f"index {at} is out of bounds for dimension {axis} with size {n}")
            x = _without(take(x, np.array([at % n]), axis), axis)
        else:
            raise NotImplementedError("indexing a sparse tensor takes whole numbers and slices; use index_select, or .to_dense()")
    return x


def _without(x, axis):
    """`x` without its dimension `axis`, of size 1."""
    raw = x._data
    shape = raw.shape[:axis] + raw.shape[axis + 1:]
    if axis >= raw.pattern.rank:
        return rebuilt(x, ops.squeeze(ops.sparse_values(x), axis - raw.pattern.rank + 1), Pattern(raw.indices, shape))
    if raw.pattern.rank == 1:
        return ops.sum(ops.sparse_values(x), (0,))
    keep = [i for i in range(raw.pattern.rank) if i != axis]
    return rebuilt(x, ops.sparse_values(x), Pattern(raw.indices[keep], shape))


@ops.expand_dims.op.on_sparse
def expand_dims(x, axis):
    """A new dimension of size 1, sparse unless it stands among dense ones."""
    raw = x._data
    axis = wrap_dim(axis, raw.ndim + 1)
    shape = (*raw.shape[:axis], 1, *raw.shape[axis:])
    if axis > raw.pattern.rank:
        return rebuilt(x, ops.expand_dims(ops.sparse_values(x), axis - raw.pattern.rank + 1), Pattern(raw.indices, shape))
    xp = xp_of(x)
    indices = xp.concatenate([raw.indices[:axis], xp.zeros((1, raw.indices.shape[1]), np.int64), raw.indices[axis:]])
    return rebuilt(x, ops.sparse_values(x), Pattern(indices, shape))


@ops.stack.op.on_sparse
def stack(*xs, axis=0):
    """Sparse tensors of one shape along a new dimension."""
    return concatenate(*[expand_dims(x, axis) for x in xs], axis=wrap_dim(axis, len(xs[0].shape) + 1))


# -- sums and products -------------------------------------------------------------------------------------------------

@ops.sum.op.on_sparse
def sum_(x, axis=None, keepdims=False, dtype=None):
    """Over all elements a scalar, else sparse; over all sparse dimensions dense."""
    values = ops.sparse_values(x)
    if dtype is not None:
        values = ops.astype(values, as_dtype(dtype).np)
    if axis is None or axis == ():
        return ops.sum(values)
    raw, n = x._data, len(x.shape)
    axes = {wrap_dim(a, n) for a in ((axis,) if isinstance(axis, int) else axis)}
    if keepdims:
        raise NotImplementedError("sum of a sparse tensor with keepdim=True is not implemented; use .to_dense()")
    rank = raw.pattern.rank
    inner = tuple(a - rank + 1 for a in axes if a >= rank)
    if inner:
        values = ops.sum(values, inner)
    kept = [i for i in range(rank) if i not in axes]
    if not kept:
        return ops.sum(values, (0,))
    shape = tuple(size for i, size in enumerate(raw.shape) if i not in axes)
    gone = len(kept) < rank
    summed = ops.sparse_coo(values, Pattern(raw.indices[kept], shape), raw.coalesced and not gone, "sparse_coo")
    return coalesced(summed) if gone else summed


@ops.matmul.op.on_sparse
def matmul(x, y):
    """A sparse matrix times a dense one or a vector -> dense; dense times sparse -> dense; sparse times sparse -> sparse."""
    for side in (x, y):
        if is_sparse(side) and (len(side.shape) != 2 or side._data.pattern.rank != 2):
            raise RuntimeError(f"a sparse operand of a matrix product has two sparse dimensions, not shape {list(side.shape)} with "
                               f"{side._data.pattern.rank} of them sparse; use .to_dense()")
    if x.shape[-1] != y.shape[0 if len(y.shape) < 2 else -2]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (" + " and ".join("x".join(map(str, t.shape)) for t in (x, y))
                           + f"): the last dimension of the first, {x.shape[-1]}, must equal the first of the second")
    if is_sparse(x) and is_sparse(y):
        return _sparse_product(x, y)
    if is_sparse(x):
        columns = y if len(y.shape) == 2 else ops.expand_dims(y, -1)
        out = ops.sparse_mm(ops.sparse_values(x), columns, x._data.pattern, False)
        return out if len(y.shape) == 2 else ops.squeeze(out, -1)
    rows = x if len(x.shape) == 2 else ops.expand_dims(x, 0)
    out = ops.transpose(ops.sparse_mm(ops.sparse_values(y), ops.transpose(rows), y._data.pattern, True))
    return out if len(x.shape) == 2 else ops.squeeze(out, 0)


@ops.linear.op.on_sparse
def linear(x, weight, bias=None):
    """x @ weight.T + bias, where either is sparse."""
    out = matmul(x, transpose(weight) if is_sparse(weight) else ops.transpose(weight))
    return out if bias is None else ops.add(out, bias)


@ops.vector_norm.op.on_sparse
def vector_norm(x, ord=2, axis=None, keepdims=False):  # noqa: A002 - NumPy's name
    """The norm of all elements."""
    if axis is not None or keepdims or ord <= 0:
        raise NotImplementedError("the norm of a sparse tensor is that of all elements, of a positive order; use .to_dense()")
    return ops.vector_norm(ops.sparse_values(coalesced(x)), ord)


def _sparse_product(x, y):
    """Every value of `x` meets the values in the row of `y` that its column names."""
    xp = xp_of(x)
    left, right = x._data.pattern, y._data.pattern
    order, _, columns, starts = right.by_row
    times = (starts[1:] - starts[:-1])[left.indices[1]]
    a = xp.repeat(xp.arange(len(times)), times)
    b = starts[:-1][left.indices[1]][a] + xp.arange(len(a)) - xp.repeat(xp.cumsum(times) - times, times)
    pattern = Pattern(xp.stack([left.indices[0][a], columns[b]]), (left.shape[0], right.shape[1]))
    products = ops.multiply(ops.pick_rows(ops.sparse_values(x), a), ops.pick_rows(ops.sparse_values(y), b if order is None else order[b]))
    return coalesced(ops.sparse_coo(products, pattern, False, x._data.layout))


def softmax(x, dim, log):
    """softmax or log_softmax over the values that are there, along `dim`."""
    x = coalesced(x)
    raw, values, xp = x._data, ops.sparse_values(x), xp_of(x)
    dim, rank = wrap_dim(dim, len(x.shape)), raw.pattern.rank
    if dim >= rank:
        f = ops.log_softmax if log else ops.softmax
        return rebuilt(x, f(values, dim - rank + 1))
    places = Pattern(raw.indices[[i for i in range(rank) if i != dim]], [n for i, n in enumerate(raw.shape) if i != dim]).flat
    groups = xp.unique(places, return_inverse=True)[1]
    count = int(groups.max()) + 1 if groups.size else 0
    peaks = xp.full((count, *raw.values.shape[1:]), -np.inf, raw.dtype)
    reduce_at_places(xp, "maximum", peaks, groups, raw.values)
    shifted = values - wrap(peaks[groups])
    powers = ops.exp(shifted)
    totals = ops.add_segments(powers, groups, count)
    if log:
        return rebuilt(x, shifted - ops.pick_rows(ops.log(totals), groups))
    return rebuilt(x, powers / ops.pick_rows(totals, groups))

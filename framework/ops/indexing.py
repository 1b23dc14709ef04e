"""Reading and writing at slices and at tensors of indices.

Two families of adjoint pairs: `getitem` / `place` for slices (views), `index` / `add_at` for tensors of indices (copies).  The indices of the
second are inputs i0, i1, ... like any others, one per dimension in `dims`.
"""
import numpy as np

from .. import _dtypes
from .._core.op import op
from ._repeated import add_repeated, put_repeated
from ._run import run, zeros_beside

MOST = 8  # tensors in one index


def _recast(error):
    """An index error of the array library in torch's words."""
    words = str(error).replace("axis", "dimension").replace("indexing arrays", "indexing tensors")
    return IndexError(words)


# -- slices and single indices: views ----------------------------------------------------------------------------------

@op(view=True, grad_name="Slice")
def getitem(xp, x, index: tuple):
    """x[index] for ints, slices with positive steps, None and `...`: a view."""
    return x[index]


@getitem.vjp("x")
def _(xp, g, x_shape, index):
    return run(place, xp, g, shape=x_shape, index=index)


@op(view=True)
def select(xp, x, index: tuple):
    """As `getitem`, under the name that torch gives to an index that ends in a number."""
    return x[index]


@select.vjp("x")
def _(xp, g, x_shape, index):
    return run(place, xp, g, shape=x_shape, index=index)


@op(grad_name="SliceBackward")
def place(xp, x, shape: tuple, index: tuple):
    """Zeros of `shape` with `x` at `index`: the adjoint of `getitem`."""
    out = zeros_beside(x, shape)
    out[index] = x
    return out


@place.vjp("x")
def _(xp, g, index):
    return g[index]


def assign_types(raw, backend):
    """The type policy of writes: the target's type wins.  RuntimeError for a number that it cannot hold."""
    x, y = raw
    if hasattr(y, "ndim"):
        y = y.real if y.dtype.kind == "c" != x.dtype.kind else y
        return [x, y if y.dtype == x.dtype else y.astype(x.dtype)], None
    _check_holds(x.dtype, y)
    return [x, backend.scalar(y, x.dtype)], None


def _check_holds(dtype, number):
    """RuntimeError, in torch's words, when a Python number has no place in a NumPy dtype."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low = -limits.max - 1 if dtype.kind == "i" else -limits.max
        fits = not isinstance(number, complex) and low <= number <= limits.max
    else:
        fits = dtype.kind == "c" or not isinstance(number, complex) or not number.imag
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {_dtypes.of_numpy(dtype).name} without overflow: {number}")


@op(promote=assign_types, fast=False, grad_name="torch::autograd::CopyBackwards")
def assign(xp, x, y):
    """`y` in the type and, broadcast, in the shape of `x`: what a copy into `x` leaves there; used in place only."""
    if y.shape == x.shape:
        return y
    try:
        return xp.broadcast_to(xp.asarray(y), x.shape)
    except ValueError:
        raise RuntimeError(_cannot_expand(y.shape, x.shape)) from None


@assign.vjp("x")
def _(xp, g):
    return xp.zeros_like(g)


@assign.vjp("y")
def _(xp, g):
    return g


def _cannot_expand(have, want):
    for back in range(1, len(have) + 1):
        at = len(want) - back
        if at < 0:
            break
        if have[-back] not in (1, want[at]):
            return (f"The expanded size of the tensor ({want[at]}) must match the existing size ({have[-back]}) at non-singleton dimension {at}.  "
                    f"Target sizes: {list(want)}.  Tensor sizes: {list(have)}")
    return (f"expand(size={list(want)}): the number of sizes provided ({len(want)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(have)})")


# -- tensors of indices: copies ----------------------------------------------------------------------------------------

def _full_index(ndim, indices, dims):
    """The array library's index: a tensor of indices at each of `dims`, everything elsewhere."""
    out = [slice(None)] * ndim
    for i, d in zip(indices, dims):
        out[d] = i
    return tuple(out)


def _there(*indices):
    return [i for i in indices if i is not None]


@op()
def index(xp, x, i0, i1=None, i2=None, i3=None, i4=None, i5=None, i6=None, i7=None, dims: tuple = (0,)):
    """x[:, i, :, j] with index tensors at `dims`, which broadcast together.

    Their common shape takes the place of the indexed dimensions where those are neighbours, and comes first otherwise.
    """
    try:
        if len(dims) == 1:
            return xp.take(x, i0, axis=dims[0])
        return x[_full_index(x.ndim, _there(i0, i1, i2, i3, i4, i5, i6, i7), dims)]
    except IndexError as error:
        raise _recast(error) from None


@index.vjp("x")
def _(xp, g, x_shape, i0, i1, i2, i3, i4, i5, i6, i7, dims):
    return run(add_at, xp, g, i0, i1, i2, i3, i4, i5, i6, i7, shape=x_shape, dims=dims)


@op(fast=False, grad_name="IndexBackward")
def add_at(xp, x, i0, i1=None, i2=None, i3=None, i4=None, i5=None, i6=None, i7=None, shape: tuple = (), dims: tuple = (0,)):
    """Zeros of `shape` to which the elements of `x` are added where `index` would have read them: its adjoint."""
    out = zeros_beside(x, shape)
    add_into(xp, out, _there(i0, i1, i2, i3, i4, i5, i6, i7), dims, x)
    return out


@add_at.vjp("x")
def _(xp, g, i0, i1, i2, i3, i4, i5, i6, i7, dims):
    return run(index, xp, g, i0, i1, i2, i3, i4, i5, i6, i7, dims=dims)


def add_into(xp, out, indices, dims, values):
    """out[..., indices at dims, ...] += values, where an index that occurs several times adds several times."""
    if xp is not np:
        add_repeated(xp, out, _full_index(out.ndim, indices, dims), values)
        return
    # NumPy's add.at is quick along one dimension and 4 to 10 times slower with more, so the places are counted in memory.
    shape = np.broadcast_shapes(*(i.shape for i in indices))
    strides = [s // out.itemsize for s in out.strides]
    split = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    rest = [d for d in range(out.ndim) if d not in dims]
    places = sum(_checked(i, out.shape[d], d) * strides[d] for i, d in zip(indices, dims))
    before, after = [d for d in rest if d < split], [d for d in rest if d >= split]
    places = np.broadcast_to(places, shape)[(*(None,) * len(before), ..., *(None,) * len(after))]
    for k, d in enumerate(rest):
        at = k if k < len(before) else k + len(shape)
        places = places + (np.arange(out.shape[d]) * strides[d]).reshape(-1, *(1,) * (places.ndim - at - 1))
    np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))


def _checked(i, n, dim):
    """Indices counted from the front.  IndexError for one that is out of bounds."""
    if i.size:
        low, high = i.min(), i.max()
        if low < -n or high >= n:
            raise IndexError(f"index {high if high >= n else low} is out of bounds for dimension {dim} with size {n}")
        if low < 0:
            return np.where(i < 0, i + n, i)
    return i.astype(np.intp, copy=False)


def _put_types(raw, backend):
    x, y = raw[:2]
    if hasattr(y, "ndim") and y.dtype != x.dtype:
        names = [_dtypes.of_numpy(a.dtype).name for a in (x, y)]
        raise RuntimeError(f"Index put requires the source and destination dtypes match, got {names[0]} for the destination and {names[1]} for "
                           f"the source; convert the source with .to({names[0]})")
    return [*assign_types([x, y], backend)[0], *raw[2:]], None


@op(promote=_put_types, fast=False, broadcasts=True)
def index_put(xp, x, y, i0, i1=None, i2=None, i3=None, i4=None, i5=None, i6=None, i7=None, dims: tuple = (0,), accumulate: bool = False):
    """`x` with `y`, broadcast, at x[:, i, :, j]; added to what is there when `accumulate`."""
    indices = _there(i0, i1, i2, i3, i4, i5, i6, i7)
    out = x.copy()
    try:
        if accumulate:
            add_into(xp, out, indices, dims, y)
        else:
            put_repeated(xp, out, _full_index(x.ndim, indices, dims), y)
    except IndexError as error:
        raise _recast(error) from None
    except ValueError:
        where = x[_full_index(x.ndim, indices, dims)].shape
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(y.shape)} cannot be broadcast to indexing result of shape "
                           f"{list(where)}") from None
    return out


@index_put.vjp("x")
def _(xp, g, i0, i1, i2, i3, i4, i5, i6, i7, dims, accumulate):
    return g if accumulate else run(index_put, xp, g, 0, i0, i1, i2, i3, i4, i5, i6, i7, dims=dims)


@index_put.vjp("y")
def _(xp, g, i0, i1, i2, i3, i4, i5, i6, i7, dims):
    return run(index, xp, g, i0, i1, i2, i3, i4, i5, i6, i7, dims=dims)

"""Indices along one dimension, masks, and where they point."""
import numpy as np

from .._core.op import op
from ._repeated import put_repeated
from ._run import run, zeros_beside
from .indexing import add_at, add_into, assign_types
from .shape import wrap_dim


@op(grad_name="IndexSelect")
def take(xp, x, indices, axis: int):
    """The places `indices` of dimension `axis`, which may repeat.  (*a, n, *b), (*i) -> (*a, *i, *b)"""
    axis = wrap_dim(axis, x.ndim)
    try:
        return xp.take(x, indices, axis=axis)
    except IndexError:
        raise IndexError(f"index out of range in self: dimension {axis} has {x.shape[axis]} places, and the indices reach from "
                         f"{indices.min()} to {indices.max()}") from None


@take.vjp("x")
def _(xp, g, x_shape, indices, axis):
    return run(add_at, xp, g, indices, *[None] * 7, shape=x_shape, dims=(axis % len(x_shape),))


def everywhere(xp, indices, axis):
    """One tensor of indices per dimension: `indices` along `axis`, each place itself along the others."""
    n = indices.ndim
    axis %= n
    return [indices if d == axis else xp.arange(indices.shape[d]).reshape(-1, *(1,) * (n - d - 1)) for d in range(n)]


@op(grad_name="Gather")
def take_along_axis(xp, x, indices, axis: int):
    """out[i, j, k] = x[i, indices[i, j, k], k] for axis 1.  `indices` may be smaller than `x` elsewhere.  -> the shape of `indices`"""
    return x[tuple(everywhere(xp, indices, axis))]


@take_along_axis.kernel("numpy")
def _(xp, x, indices, axis):
    """Of a whole block of memory, by one index per element: a third of the time."""
    n = indices.ndim
    axis %= n
    fits = x.ndim == n and all(a <= b for d, (a, b) in enumerate(zip(indices.shape, x.shape)) if d != axis)
    if not (fits and x.flags.c_contiguous and indices.size):
        return take_along_axis.forward(np, x, indices, axis)
    steps = [s // x.itemsize for s in x.strides]
    at = indices * steps[axis] if steps[axis] != 1 else indices
    if indices.size and (x.shape[axis] == 0 or indices.view(f"u{indices.itemsize}").max() >= x.shape[axis] or at.dtype != np.int64):
        return take_along_axis.forward(np, x, indices, axis)  # it counts negative ones from the end, and refuses
    start = sum((np.arange(indices.shape[d]) * steps[d]).reshape(-1, *(1,) * (n - d - 1)) for d in range(n) if d != axis)
    return x.reshape(-1).take(at + start, mode="clip")


@take_along_axis.vjp("x")
def _(xp, g, x_shape, indices, axis):
    return run(add_along_axis, xp, g, indices, shape=x_shape, axis=axis)


@op(grad_name="GatherBackward")
def add_along_axis(xp, x, indices, shape: tuple, axis: int):
    """Zeros of `shape` to which the elements of `x` are added where `take_along_axis` would have read them: its adjoint."""
    out = zeros_beside(x, shape)
    add_into(xp, out, everywhere(xp, indices, axis), tuple(range(x.ndim)), x)
    return out


@add_along_axis.vjp("x")
def _(xp, g, indices, axis):
    return run(take_along_axis, xp, g, indices, axis=axis)


def _scatter_types(raw, backend):
    """The source is a number, or of the target's type."""
    x, indices, y = raw
    (x, y), _ = assign_types([x, y], backend)
    return [x, indices, y], None


@op(promote=_scatter_types, fast=False, broadcasts=True)
def scatter(xp, x, indices, y, axis: int, accumulate: bool = False):
    """`x` with `y` at the places that `indices` names along `axis`; added there when `accumulate`.  y: a number, or the shape of `indices`"""
    out = x.copy()
    at = everywhere(xp, indices, axis)
    if accumulate:
        add_into(xp, out, at, tuple(range(x.ndim)), y)
    else:
        put_repeated(xp, out, tuple(at), y)
    return out


@scatter.vjp("x")
def _(xp, g, indices, axis, accumulate):
    return g if accumulate else run(scatter, xp, g, indices, 0, axis=axis)


@scatter.vjp("y")
def _(xp, g, indices, axis):
    return run(take_along_axis, xp, g, indices, axis=axis)


# -- masks -------------------------------------------------------------------------------------------------------------

def _mask_types(raw, backend):
    x, mask, y = raw
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    (x, y), _ = assign_types([x, y], backend)
    if y.ndim:
        raise RuntimeError(f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {y.ndim} dimension(s).")
    return [x, mask, y], None


@op(promote=_mask_types, fast=False, broadcasts=True)
def masked_fill(xp, x, mask, y):
    """`x` with the number `y` where `mask` is True; both broadcast."""
    shape = x.shape if mask.shape == x.shape else np.broadcast_shapes(x.shape, mask.shape)
    out = x.copy() if x.shape == shape else xp.broadcast_to(x, shape).copy()
    xp.copyto(out, y, where=mask)
    return out


@masked_fill.vjp("x")
def _(xp, g, mask):
    return run(masked_fill, xp, g, mask, 0)


@masked_fill.vjp("y")
def _(xp, g, mask):
    return xp.sum(xp.where(mask, g, 0))


@op(syncs=True)
def argwhere(xp, x):
    """The indices of the elements that are not zero, in row-major order.  (*d) -> (count, len(d)) int64"""
    return xp.argwhere(x).astype(np.int64, copy=False)

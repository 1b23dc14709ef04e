"""Another look at the same elements, or the same elements in another arrangement.

Everything that can share the memory of its input does, as in torch.
"""
import math

import numpy as np

from .._core.op import op


def wrap_dim(dim, ndim):
    """`dim` counted from the front.  IndexError in torch's words when a tensor of `ndim` dimensions has no such one (0-d counts as 1-d)."""
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim + n if dim < 0 else dim


# -- the same elements, in order, in another shape ---------------------------------------------------------------------

@op(view=True, grad_name="View")
def reshape(xp, x, shape: tuple):
    """The elements of `x`, in row-major order, in another shape; a view when strides allow it.  One size may be -1.  (*) -> shape"""
    try:
        return x.reshape(shape)
    except ValueError:
        raise _bad_shape(x, shape) from None


@reshape.vjp("x")
def _(xp, g, x_shape):
    return xp.reshape(g, x_shape)


@op(view=True, grad_name="View")
def view_as_type(xp, x, dtype: object):
    """The bytes of `x` read as another type, whose size may stretch or shrink the last dimension: a view without a gradient."""
    if x.itemsize != dtype.itemsize and not x.ndim:
        raise RuntimeError(f"self.dim() cannot be 0 to view {x.dtype} as {dtype.name} (different element sizes)")
    try:
        return x.view(dtype.np)
    except ValueError:
        raise RuntimeError(f"self.size(-1) must be divisible by {dtype.itemsize // x.itemsize} to view {x.dtype} as {dtype.name} (different element "
                           f"sizes), and contiguous, but its shape is {list(x.shape)}") from None


@op(grad_name="UnsafeView")
def unsafe_reshape(xp, x, shape: tuple):
    """`reshape` of a result that nobody else will see, so that the outcome counts as new and not as a view."""
    return x.reshape(shape)


@unsafe_reshape.vjp("x")
def _(xp, g, x_shape):
    return xp.reshape(g, x_shape)


def _bad_shape(x, shape):
    shape = list(shape)
    if shape.count(-1) > 1:
        return RuntimeError("only one dimension can be inferred")
    if not x.size and -1 in shape:
        return RuntimeError(f"cannot reshape tensor of 0 elements into shape {shape} because the unspecified dimension size -1 can be any value "
                            "and is ambiguous")
    return RuntimeError(f"shape '{shape}' is invalid for input of size {x.size}")


@op(view=True, grad_name="Unsqueeze")
def expand_dims(xp, x, axis: int):
    """A new dimension of size 1 at `axis`.  (*a, *b) -> (*a, 1, *b)"""
    axis = wrap_dim(axis, x.ndim + 1)
    return x.reshape(*x.shape[:axis], 1, *x.shape[axis:])


@expand_dims.vjp("x")
def _(xp, g, x_shape):
    return xp.reshape(g, x_shape)


@op(view=True)
def squeeze(xp, x, axis: tuple = None):
    """Without the dimensions of size 1: all of them, or those named by `axis` (an int or a tuple); others named there stay.  A view."""
    if axis is None:
        return x.squeeze()
    axes = {wrap_dim(a, x.ndim) for a in ((axis,) if isinstance(axis, int) else axis)}
    return x.reshape([n for i, n in enumerate(x.shape) if n != 1 or i not in axes])


@squeeze.vjp("x")
def _(xp, g, x_shape):
    return xp.reshape(g, x_shape)


# -- the dimensions in another order -----------------------------------------------------------------------------------

@op(view=True, grad_name="Permute")
def transpose(xp, x, axes: tuple = None):
    """Dimension i of the result is dimension axes[i] of `x`; None turns the order round.  A view."""
    if axes is None:
        return x.transpose()
    if len(axes) != x.ndim:
        raise RuntimeError(f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of "
                           f"dimensions i.e. input.dim() = {x.ndim} is not equal to len(dims) = {len(axes)}")
    axes = tuple([wrap_dim(a, x.ndim) for a in axes])
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"permute(): duplicate dims are not allowed: {axes}")
    return x.transpose(axes)


@transpose.vjp("x")
def _(xp, g, axes):
    if axes is None:
        return xp.transpose(g)
    back, n = [0] * len(axes), len(axes)
    for i, a in enumerate(axes):
        back[a % n] = i
    return xp.transpose(g, tuple(back))


@op(view=True, grad_name="Transpose")
def swapaxes(xp, x, axis1: int, axis2: int):
    """Dimensions `axis1` and `axis2` trade places.  A view."""
    n = x.ndim
    return x.swapaxes(wrap_dim(axis1, n), wrap_dim(axis2, n)) if n else x[...]


@swapaxes.vjp("x")
def _(xp, g, axis1, axis2):
    return xp.swapaxes(g, axis1, axis2)


# -- one element seen many times ---------------------------------------------------------------------------------------

@op(view=True, broadcasts=True, grad_name="Expand")
def broadcast_to(xp, x, shape: tuple):
    """`x` repeated along dimensions of size 1 and new leading ones, without copying; read-only where elements repeat.  (*) -> shape"""
    _check_expand(x.shape, shape)
    if x.size == math.prod(shape):
        return x.reshape(shape)
    if type(x) is np.ndarray and x.flags.c_contiguous and x.dtype.kind in "fciub":  # broadcast_to, for a third of its 2.5 us
        strides = [0 if n == 1 else s for n, s in zip(x.shape, x.strides)]
        out = np.ndarray(shape, x.dtype, x, strides=(*(0,) * (len(shape) - x.ndim), *strides))
        out.flags.writeable = False
        return out
    return xp.broadcast_to(x, shape)


@broadcast_to.vjp("x")
def _(xp, g):
    return g


def _check_expand(have, want):
    if len(want) < len(have):
        raise RuntimeError(f"expand(size={list(want)}): the number of sizes provided ({len(want)}) must be greater or equal to the number of "
                           f"dimensions in the tensor ({len(have)})")
    lead = len(want) - len(have)
    for i, n in enumerate(have):
        if n != want[lead + i] and n != 1:
            raise RuntimeError(f"The expanded size of the tensor ({want[lead + i]}) must match the existing size ({n}) at non-singleton dimension "
                               f"{lead + i}.  Target sizes: {list(want)}.  Tensor sizes: {list(have)}")


@op(fast=False)
def tile(xp, x, reps: tuple):
    """`x` laid side by side reps[i] times along dimension i; new dimensions come in front.  (*d) -> (*d x reps), a copy"""
    return xp.tile(x, reps)


@tile.vjp("x")
def _(xp, g, x_shape, reps):
    n = max(len(x_shape), len(reps))
    sizes, times = (1,) * (n - len(x_shape)) + tuple(x_shape), (1,) * (n - len(reps)) + tuple(reps)
    pairs = [k for pair in zip(times, sizes) for k in pair]
    return xp.reshape(xp.sum(xp.reshape(g, tuple(pairs)), axis=tuple(range(0, 2 * n, 2))), x_shape) if n else g


@op(fast=False, grad_name="RepeatInterleave")
def repeat(xp, x, repeats: int, axis: int = None):
    """Each element `repeats` times in a row along `axis` (None: of the flattened tensor).  (*a, n, *b) -> (*a, n repeats, *b), a copy"""
    return xp.repeat(x, repeats, axis)


@repeat.vjp("x")
def _(xp, g, x_shape, repeats, axis):
    if axis is None:
        return xp.reshape(xp.sum(xp.reshape(g, (math.prod(x_shape), repeats)), axis=1), x_shape)
    axis %= len(x_shape)
    return xp.sum(xp.reshape(g, (*x_shape[:axis + 1], repeats, *x_shape[axis + 1:])), axis=axis + 1)


@op()
def ascontiguousarray(xp, x):
    """A copy of `x` with its elements in row-major order without gaps."""
    return x.copy()


@ascontiguousarray.vjp("x")
def _(xp, g):
    return g


def moveaxis(x, source, destination):
    """Move dimensions to new places; the others keep their order.  numpy.moveaxis for gradient rules."""
    source, destination = ((a,) if isinstance(a, int) else tuple(a) for a in (source, destination))
    n = x.ndim
    source, destination = [wrap_dim(a, n) for a in source], [wrap_dim(a, n) for a in destination]
    if len(set(source)) < len(source) or len(set(destination)) < len(destination) or len(source) != len(destination):
        raise RuntimeError(f"movedim: repeated dim, or not as many in source ({source}) as in destination ({destination})")
    order = [a for a in range(n) if a not in source]
    for to, a in sorted(zip(destination, source)):
        order.insert(to, a)
    return transpose(x, tuple(order))


HELPERS = {"moveaxis": moveaxis}

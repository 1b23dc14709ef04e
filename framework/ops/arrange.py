"""Elements turned round, shifted, cut along diagonals, seen through windows and strides."""
import numpy as np

from .._backends.uploads import constant
from .._core.op import op
from ._repeated import add_repeated
from ._run import run, zeros_beside
from .shape import wrap_dim


def strided(xp, x, shape, strides, offset=0):
    """A view of the memory of `x` from its element `offset` on; strides and offset in elements.  RuntimeError when it would leave the memory."""
    size = x.itemsize
    strides = tuple(s * size for s in strides)
    owner = x.base if isinstance(x.base, np.ndarray) else x
    if type(x) is not np.ndarray or not owner.flags.forc:
        memory = x if not offset else xp.lib.stride_tricks.as_strided(x, (offset + 1,), (size,))[offset:]
        return xp.lib.stride_tricks.as_strided(memory, shape, strides)
    memory = (owner if owner.flags.c_contiguous else owner.T).reshape(-1).view(np.uint8)
    start = x.__array_interface__["data"][0] - memory.__array_interface__["data"][0] + offset * size
    try:
        return np.ndarray(shape, x.dtype, memory, start, strides)
    except (ValueError, TypeError):
        raise RuntimeError(f"setStorage: sizes {list(shape)}, strides {[s // size for s in strides]}, storage offset {start // size}, and itemsize "
                           f"{size} are out of bounds for storage of size {memory.size}") from None


def _writable(view, x):
    """`view` of `x`, as writable as `x` is: NumPy makes diagonals read-only."""
    if type(view) is np.ndarray and x.flags.writeable:
        view.flags.writeable = True
    return view


# -- other orders ------------------------------------------------------------------------------------------------------

@op()
def flip(xp, x, axis: tuple):
    """`x` with the order along each dimension of `axis` reversed: a copy."""
    axes = [wrap_dim(a, x.ndim) for a in ((axis,) if isinstance(axis, int) else axis)]
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"dim {next(a for a in axes if axes.count(a) > 1)} appears multiple times in the list of dims")
    return xp.flip(x, tuple(axes)).copy() if x.ndim else x.copy()


@flip.vjp("x")
def _(xp, g, axis):
    return xp.flip(g, axis)


@op()
def roll(xp, x, shift: tuple, axis: tuple = None):
    """`x` shifted along `axis` (None: flattened), what falls off at the end coming in at the start.  int or tuple each"""
    return xp.roll(x, shift, axis)


@roll.vjp("x")
def _(xp, g, shift, axis):
    return xp.roll(g, -shift if isinstance(shift, int) else tuple(-s for s in shift), axis)


# -- diagonals and triangles -------------------------------------------------------------------------------------------

@op(view=True)
def diagonal(xp, x, offset: int = 0, axis1: int = 0, axis2: int = 1):
    """The diagonal of each matrix in dimensions `axis1`, `axis2`, as the last dimension: a view.  (*, n, m) -> (*, min(n, m))"""
    axis1, axis2 = _two_dims(axis1, axis2, x.ndim)
    return _writable(xp.diagonal(x, offset, axis1, axis2), x)


@diagonal.vjp("x")
def _(xp, g, x_shape, offset, axis1, axis2):
    return run(place_diagonal, xp, g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2)


@op(grad_name="DiagonalBackward")
def place_diagonal(xp, x, shape: tuple, offset: int = 0, axis1: int = 0, axis2: int = 1):
    """Zeros of `shape` with `x` on the diagonals: the adjoint of `diagonal`.  (*, min(n, m)) -> shape"""
    out = zeros_beside(x, shape)
    diagonal.forward(xp, out, offset, axis1, axis2)[...] = x
    return out


@place_diagonal.vjp("x")
def _(xp, g, offset, axis1, axis2):
    return xp.diagonal(g, offset, axis1, axis2)


def _two_dims(axis1, axis2, ndim):
    a, b = wrap_dim(axis1, ndim), wrap_dim(axis2, ndim)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {axis1}, {axis2}")
    return a, b


def _triangle(xp, cut, x, k):
    """cut(x, k); of bfloat16 the bits, because CuPy's `where` does not know the type: zeros are zeros there too."""
    if xp is not np and getattr(x.dtype, "kind", None) == "V":
        return cut(x.view(np.int16), k).view(x.dtype)
    return cut(x, k)


@op()
def tril(xp, x, k: int = 0):
    """The lower triangle of each matrix, up to diagonal `k`, zeros above.  (*, n, m) -> (*, n, m)"""
    _check_matrix("tril", x)
    return _triangle(xp, xp.tril, x, k)


@tril.vjp("x")
def _(xp, g, k):
    return _triangle(xp, xp.tril, g, k)


@op()
def triu(xp, x, k: int = 0):
    """The upper triangle of each matrix, from diagonal `k`, zeros below.  (*, n, m) -> (*, n, m)"""
    _check_matrix("triu", x)
    return _triangle(xp, xp.triu, x, k)


@triu.vjp("x")
def _(xp, g, k):
    return _triangle(xp, xp.triu, g, k)


def _check_matrix(name, x):
    if x.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions, but has shape {list(x.shape)}")


# -- windows -----------------------------------------------------------------------------------------------------------

@op(view=True)
def unfold(xp, x, axis: int, size: int, step: int):
    """Windows of `size` elements along `axis`, `step` apart, as a new last dimension: a view.  (*a, n, *b) -> (*a, windows, *b, size)"""
    axis, n = _check_windows(x, axis, size, step)
    if not x.ndim:
        return x.reshape(1)[:size]
    steps = [s // x.itemsize for s in x.strides]
    shape = (*x.shape[:axis], (n - size) // step + 1, *x.shape[axis + 1:], size)
    out = strided(xp, x, shape, (*steps[:axis], steps[axis] * step, *steps[axis + 1:], steps[axis]))
    if step < size and type(out) is np.ndarray:
        out.flags.writeable = False  # one write would show in several windows
    return out


@unfold.vjp("x")
def _(xp, g, x_shape, axis, size, step):
    return run(add_windows, xp, g, shape=x_shape, axis=axis, size=size, step=step)


@op(grad_name="UnfoldBackward")
def add_windows(xp, x, shape: tuple, axis: int, size: int, step: int):
    """Windows added up where they overlap: the adjoint of `unfold`.  (*a, windows, *b, size) -> shape"""
    out = zeros_beside(x, shape)
    if not shape:
        return x.sum().reshape(()).astype(x.dtype)
    axis = wrap_dim(axis, len(shape))
    windows = x.shape[axis]
    for k in range(size):
        out[(*(slice(None),) * axis, slice(k, k + step * (windows - 1) + 1, step))] += x[..., k]
    return out


@add_windows.vjp("x")
def _(xp, g, axis, size, step):
    return run(unfold, xp, g, axis=axis, size=size, step=step)


def _check_windows(x, axis, size, step):
    axis = wrap_dim(axis, x.ndim)
    n = x.shape[axis] if x.ndim else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {axis} is {n} but size is {size}")
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return axis, n


# -- strides -----------------------------------------------------------------------------------------------------------

@op(view=True, fast=False)
def as_strided(xp, x, shape: tuple, strides: tuple, offset: int, layout: tuple):
    """Elements of the memory of `x` at offset + sum_i index_i strides_i, all counted in elements from the first of `x`: a view.

    layout: the strides of `x` itself, to which `offset` and `strides` refer.
    """
    if tuple(s // x.itemsize for s in x.strides) != layout:
        x = _laid_out(xp, x, layout)
    return strided(xp, x, shape, strides, offset)


@as_strided.vjp("x")
def _(xp, g, x_shape, shape, strides, offset, layout):
    return run(add_strided, xp, g, shape=x_shape, strides=strides, offset=offset, layout=layout)


@op(fast=False, grad_name="AsStridedBackward")
def add_strided(xp, x, shape: tuple, strides: tuple, offset: int, layout: tuple):
    """Elements added up where strides overlap: the adjoint of `as_strided`.  -> shape"""
    memory = zeros_beside(x, (max(_extent(shape, layout), offset + _extent(x.shape, strides)),))
    places = np.array(offset)
    for n, step in zip(x.shape, strides):
        places = places[..., None] + np.arange(n) * step
    add_repeated(xp, memory, constant(xp, places), x)
    return strided(xp, memory, shape, layout).copy()


@add_strided.vjp("x")
def _(xp, g, x_shape, strides, offset, layout):
    return run(as_strided, xp, g, shape=x_shape, strides=strides, offset=offset, layout=layout)


def _extent(shape, strides):
    """Elements of memory that a shape with these strides reaches over."""
    return 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if 0 not in shape else 0


def _laid_out(xp, x, layout):
    """A copy of `x` whose elements lie `layout` apart."""
    out = strided(xp, xp.zeros((_extent(x.shape, layout),), x.dtype), x.shape, layout)
    out[...] = x
    return out

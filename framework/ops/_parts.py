"""Small pieces that the formulas and gradient rules of several families share."""
import math

import numpy as np


def is_complex(x):
    """Whether an array, or a Tensor, holds complex numbers."""
    return getattr(x, "_data", x).dtype.kind == "c"


def is_number(x):
    """Whether an operand is a Python number (or a NumPy scalar) rather than an array or a Tensor."""
    return isinstance(x, (int, float, complex, np.generic))


def unit(xp, x):
    """The sign of `x`, 0 for nan; for complex numbers x / |x|, and 0 at 0."""
    if not is_complex(x):
        return xp.sign(x) if getattr(x, "_data", x).dtype.kind != "f" else xp.where(x == x, xp.sign(x), 0)
    size = xp.absolute(x)
    return x / xp.where(size == 0, 1, size)


def reduced_axes(axis, ndim):
    """The axes that a reduction with this `axis` (None, an int or a tuple) runs over, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return tuple([a % ndim for a in ((axis,) if isinstance(axis, int) else axis)])


def reduced_size(shape, axis):
    """How many elements a reduction over `axis` makes one of."""
    return math.prod(shape[a] for a in reduced_axes(axis, len(shape)))


def kept_shape(shape, axis):
    """`shape` with 1 in place of the axes that were reduced."""
    axes = reduced_axes(axis, len(shape))
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def keep(xp, g, shape, axis):
    """`g`, the result or gradient of a reduction of `shape`, with its lost dimensions put back as size 1."""
    return xp.reshape(g, kept_shape(shape, axis))


def spread(xp, g, shape, axis):
    """`g`, the gradient of a reduction, repeated along the axes that were reduced.  A view wherever possible."""
    if xp is np and axis is None and g.size == 1 and g.dtype.kind == "f":
        return np.ndarray(shape, g.dtype, g, strides=(0,) * len(shape))  # what broadcast_to gives, for a sixth of its 3 us
    return xp.broadcast_to(keep(xp, g, shape, axis), shape)

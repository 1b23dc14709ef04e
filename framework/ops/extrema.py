"""Largest, smallest and middle elements, and where they are.  `axis` and keepdims as in `reductions`."""
import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._core.op import op
from .._core.promotion import refusing, same
from ._parts import keep, reduced_axes
from .reductions import share


def _ordered(name, *others):
    return refusing(same, name, _dtypes.COMPLEX, *others)


def _placeable(name):
    """The type policy of argmax and argmin.  RuntimeError, torch's type here, for bools and complex numbers."""
    def policy(raw, backend):
        if raw[0].dtype.kind in "bc":
            raise RuntimeError(f"{name}(): does not support {_dtypes.of_numpy(raw[0].dtype).name} input; convert with .to(dtype)")
        return same(raw, backend)
    return policy


def _refuse_empty(name, x, axis):
    """IndexError (RuntimeError where torch has that) when there is nothing to choose from."""
    if x.size:
        return
    if axis is None:
        error = IndexError if name.startswith("arg") else RuntimeError
        raise error(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' "
                    "argument.")
    for a in reduced_axes(axis, x.ndim):
        if not x.shape[a]:
            raise IndexError(f"{name}(): Expected reduction dim {a} to have non-zero size.")


# -- values only: ties share the gradient ------------------------------------------------------------------------------

@op(promote=_ordered("amax"))
def amax(xp, x, axis: tuple = None, keepdims: bool = False):
    """The largest elements; nan where there is one.  Ties share the gradient evenly."""
    _refuse_empty("amax", x, axis)
    return xp.max(x, axis, keepdims=keepdims)


@op(promote=_ordered("amin"))
def amin(xp, x, axis: tuple = None, keepdims: bool = False):
    """The smallest elements; nan where there is one.  Ties share the gradient evenly."""
    _refuse_empty("amin", x, axis)
    return xp.min(x, axis, keepdims=keepdims)


@amax.kernel("numpy")
def _(xp, x, axis=None, keepdims=False):
    _refuse_empty("amax", x, axis)
    return np.maximum.reduce(x, axis, None, None, keepdims)


@amin.kernel("numpy")
def _(xp, x, axis=None, keepdims=False):
    _refuse_empty("amin", x, axis)
    return np.minimum.reduce(x, axis, None, None, keepdims)


for _op in (amax, amin):
    @_op.vjp("x")
    def _(xp, g, x, out, axis):
        winners = x == keep(xp, out, x.shape, axis)
        if axis is None:  # as torch has it for x.max(), and not for x.amax(): nan is as large as nan
            winners = xp.logical_or(winners, xp.logical_and(x != x, out != out))
        return share(xp, keep(xp, g, x.shape, axis), winners, axis)


# -- values and places: the gradient goes to the place ------------------------------------------------------------------

@op(promote=_ordered("max"), grad_name="Max", several=True)
def max_along(xp, x, axis: int, keepdims: bool = False):
    """(values, indices) of the largest elements along one axis; the first of several, and the first nan where there is one."""
    _refuse_empty("max", x, axis)
    return amax.kernels[type(x)](xp, x, axis, keepdims), x.argmax(axis, keepdims=keepdims)


@op(promote=_ordered("min"), grad_name="Min", several=True)
def min_along(xp, x, axis: int, keepdims: bool = False):
    """(values, indices) of the smallest elements along one axis; the first of several, and the first nan where there is one."""
    _refuse_empty("min", x, axis)
    return amin.kernels[type(x)](xp, x, axis, keepdims), x.argmin(axis, keepdims=keepdims)


@op(promote=_ordered("median", _dtypes.BOOL), grad_name="Median", several=True)
def median_along(xp, x, axis: int, keepdims: bool = False):
    """(values, indices) of the middle elements along one axis, the lower of two; nan, and its place, where there is one."""
    _refuse_empty("median", x, axis)
    if not x.ndim:
        return x.copy(), xp.zeros((), np.int64)
    middle = (x.shape[axis] - 1) // 2
    place = xp.argpartition(x, middle, axis)[(slice(None),) * axis + (slice(middle, middle + 1),)]
    nan = x != x
    place = xp.where(xp.any(nan, axis, keepdims=True), xp.expand_dims(xp.argmax(nan, axis), axis), place)
    values = xp.take_along_axis(x, place, axis)
    return (values, place) if keepdims else (xp.squeeze(values, axis), xp.squeeze(place, axis))


for _op in (max_along, min_along, median_along):
    _op.gives_away = 1  # the rule reads the places only

    @_op.vjp("x")
    def _(xp, g, out, x_shape, axis):
        if not x_shape:
            return g[0]
        return xp.where(_places(out[1], x_shape, axis), keep(xp, g[0], x_shape, axis), 0)


def _places(indices, shape, axis):
    """A bool array of `shape`, true at the `indices` along `axis`."""
    indices = np.asarray(indices) if isinstance(indices, np.generic) else indices
    xp, along = BACKENDS[type(indices)].xp, [1] * len(shape)
    along[axis] = shape[axis]
    return keep(xp, indices, shape, axis) == xp.arange(shape[axis]).reshape(along)


@op(promote=_placeable("argmax"))
def argmax(xp, x, axis: int = None, keepdims: bool = False):
    """Where the largest element is, in int64; axis None: counted in the flattened tensor.  The first of several."""
    _refuse_empty("argmax", x, axis)
    return x.argmax(axis, keepdims=keepdims)


@op(promote=_placeable("argmin"))
def argmin(xp, x, axis: int = None, keepdims: bool = False):
    """Where the smallest element is, in int64; axis None: counted in the flattened tensor.  The first of several."""
    _refuse_empty("argmin", x, axis)
    return x.argmin(axis, keepdims=keepdims)


@op(promote=_ordered("median", _dtypes.BOOL), grad_name="Median")
def median(xp, x):
    """The middle element of everything, the lower of two; nan where there is one, and of nothing.  Ties share the gradient evenly."""
    if not x.size:
        return xp.full((), np.nan, x.dtype)
    flat = x.reshape(-1)
    middle = xp.partition(flat, (x.size - 1) // 2)[(x.size - 1) // 2]
    return xp.where(xp.any(flat != flat), xp.sum(flat), middle).astype(x.dtype)


@median.vjp("x")
def _(xp, g, x, out):
    return share(xp, g, xp.logical_or(x == out, xp.logical_and(x != x, out != out)), None)

"""Several tensors in one, and one in several."""
import numpy as np

from .._core.op import op
from .._core.promotion import same
from ._joined import joined, stacked
from ._run import zeros_beside
from .shape import wrap_dim


def _promoted(raw, backend):
    """`same`, with a short way for the common case that all are of one type already."""
    dtype = raw[0].dtype
    return (raw, dtype if dtype.kind != "V" else None) if all(a.dtype == dtype for a in raw) else same(raw, backend)


@op(variadic=True, promote=_promoted, grad_name="Cat", half=True)
def concatenate(xp, *xs, axis: int = 0):
    """Tensors one after another along `axis`; their other dimensions are equal.  [(*a, n_i, *b)] -> (*a, sum n_i, *b)"""
    try:
        return joined(xp, xs, axis)
    except ValueError:  # and AxisError, which is one
        _check_concatenate([x.shape for x in xs], axis)
        raise


@concatenate.vjp("xs")
def _(xp, g, shapes, axis):
    grads, at = [], 0
    before = (slice(None),) * (axis % g.ndim)
    for shape in shapes:
        n = shape[axis]
        grads.append(g[(*before, slice(at, at + n))])
        at += n
    return grads


def _check_concatenate(shapes, axis):
    """Raise torch's error for what does not fit together."""
    first = shapes[0]
    if not all(shapes):
        raise RuntimeError(f"zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated")
    axis = wrap_dim(axis, len(first))
    for i, shape in enumerate(shapes):
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for d, (a, b) in enumerate(zip(first, shape)):
            if a != b and d != axis:
                raise RuntimeError(f"Sizes of tensors must match except in dimension {axis}. Expected size {a} but got size {b} for tensor "
                                   f"number {i} in the list.")


@op(variadic=True, promote=_promoted, half=True)
def stack(xp, *xs, axis: int = 0):
    """Tensors of one shape, side by side along a new dimension.  n times (*a, *b) -> (*a, n, *b)"""
    first = xs[0].shape
    for i, x in enumerate(xs):
        if x.shape != first:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x.shape)} at entry {i}")
    axis = wrap_dim(axis, len(first) + 1)
    return joined(xp, [x.reshape(*first[:axis], 1, *first[axis:]) for x in xs], axis)


@stack.vjp("xs")
def _(xp, g, shapes, axis):
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, i, ...)] for i in range(len(shapes))]


@op(view=True, several=True)
def split(xp, x, indices: tuple, axis: int = 0):
    """Pieces of `x` along `axis`, cut before each of `indices`: views.  (*a, n, *b) -> [(*a, n_i, *b)]"""
    before = (slice(None),) * wrap_dim(axis, x.ndim)
    return [x[(*before, slice(a, b))] for a, b in zip((0, *indices), (*indices, None))]


@split.vjp("x")
def _(xp, g, x_shape, indices, axis):
    n, beside = x_shape[axis], next(p for p in g if p is not None)
    cuts = [min(max(i, 0), n) for i in (0, *indices, n)]
    axis %= len(x_shape)
    return joined(xp, [zeros_beside(beside, (*x_shape[:axis], max(b - a, 0), *x_shape[axis + 1:])) if p is None else p
                       for p, a, b in zip(g, cuts, cuts[1:])], axis)


@split.kernel("numpy", vjp="x")
def _(xp, g, x_shape, indices, axis):
    whole = _side_by_side(g, axis)
    return whole if whole is not None and whole.shape == x_shape else split.rules[0].fn(xp, g, x_shape, indices, axis)


@split.kernel("cupy", vjp="x")
def _(xp, g, x_shape, indices, axis):
    whole = _all_of_a_base(g, axis)
    return whole if whole is not None and whole.shape == x_shape else split.rules[0].fn(xp, g, x_shape, indices, axis)


@op(view=True, several=True, grad_name="Unbind")
def unstack(xp, x, axis: int = 0):
    """The parts of `x` at each place of `axis`, without that dimension: views.  (*a, n, *b) -> n times (*a, *b)"""
    before = (slice(None),) * wrap_dim(axis, x.ndim)
    return [x[(*before, i, ...)] for i in range(x.shape[axis])]


@unstack.vjp("x")
def _(xp, g, axis):
    beside = next(p for p in g if p is not None)
    return stacked(xp, [zeros_beside(beside, beside.shape) if p is None else p for p in g], axis)


@unstack.kernel("numpy", vjp="x")
def _(xp, g, axis):
    whole = None if any(p is None for p in g) else _side_by_side([np.expand_dims(p, axis) for p in g], axis)
    return unstack.rules[0].fn(xp, g, axis) if whole is None else whole


@unstack.kernel("cupy", vjp="x")
def _(xp, g, axis):
    whole = None if any(p is None for p in g) else _all_of_a_base([xp.expand_dims(p, axis) for p in g], axis)
    return unstack.rules[0].fn(xp, g, axis) if whole is None else whole


def _side_by_side(parts, axis):
    """The array whose pieces along `axis` are `parts`, where they are that: equal pieces of memory at equal distances.  Else None.

    The gradients of attention come so (`attention._room`); then nothing has to be copied.
    """
    found = _layout_of(parts, axis, lambda a: a.__array_interface__["data"][0])
    if found is None:
        return None
    shape, strides, start = found
    return np.ndarray(shape, parts[0].dtype, parts[0].base, start, strides)


def _all_of_a_base(parts, axis):
    """`_side_by_side` on a GPU, where the parts are all of an array (`kernels/flash.py`: `_gradients`)."""
    found = _layout_of(parts, axis, lambda a: a.data.ptr)
    if found is None:
        return None
    shape, strides, start = found
    base, steps, step = parts[0].base, [], parts[0].itemsize
    for n in reversed(shape):
        steps.insert(0, step)
        step *= n
    return base.reshape(shape) if start == 0 and step == base.nbytes and steps == strides else None


def _layout_of(parts, axis, place):
    """(shape, strides, bytes from the beginning of their base) of what the parts are pieces of, or None.  place: address of an array"""
    first = parts[0]
    if first is None or not first.size or type(first.base) is not type(first) or not first.base.flags.c_contiguous:
        return None
    places = []
    for p in parts:
        if p is None or p.base is not first.base or p.shape != first.shape or p.dtype != first.dtype or p.strides != first.strides:
            return None
        places.append(place(p))
    size, step = first.shape[axis], places[1] - places[0] if len(places) > 1 else 0
    if step <= 0 or any(b - a != step for a, b in zip(places, places[1:])) or size > 1 and first.strides[axis] * size != step:
        return None
    shape, strides = list(first.shape), list(first.strides)
    shape[axis], strides[axis] = size * len(parts), step // size
    return shape, strides, places[0] - place(first.base)

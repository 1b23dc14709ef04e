"""Several tensors in one, and one in several."""
from .._core.op import op
from .._core.promotion import same
from ._run import zeros_beside
from .shape import wrap_dim


def _promoted(raw, backend):
    """`same`, with a short way for the common case that all are of one type already."""
    dtype = raw[0].dtype
    return (raw, dtype if dtype.kind != "V" else None) if all(a.dtype == dtype for a in raw) else same(raw, backend)


@op(variadic=True, promote=_promoted, grad_name="Cat")
def concatenate(xp, *xs, axis: int = 0):
    """Tensors one after another along `axis`; their other dimensions are equal.  [(*a, n_i, *b)] -> (*a, sum n_i, *b)"""
    try:
        return xp.concatenate(xs, axis)
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


@op(variadic=True, promote=_promoted)
def stack(xp, *xs, axis: int = 0):
    """Tensors of one shape, side by side along a new dimension.  n times (*a, *b) -> (*a, n, *b)"""
    first = xs[0].shape
    for i, x in enumerate(xs):
        if x.shape != first:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(x.shape)} at entry {i}")
    axis = wrap_dim(axis, len(first) + 1)
    return xp.concatenate([x.reshape(*first[:axis], 1, *first[axis:]) for x in xs], axis)


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
    return xp.concatenate([zeros_beside(beside, (*x_shape[:axis], max(b - a, 0), *x_shape[axis + 1:])) if p is None else p
                           for p, a, b in zip(g, cuts, cuts[1:])], axis)


@op(view=True, several=True, grad_name="Unbind")
def unstack(xp, x, axis: int = 0):
    """The parts of `x` at each place of `axis`, without that dimension: views.  (*a, n, *b) -> n times (*a, *b)"""
    before = (slice(None),) * wrap_dim(axis, x.ndim)
    return [x[(*before, i, ...)] for i in range(x.shape[axis])]


@unstack.vjp("x")
def _(xp, g, axis):
    beside = next(p for p in g if p is not None)
    return xp.stack([zeros_beside(beside, beside.shape) if p is None else p for p in g], axis)

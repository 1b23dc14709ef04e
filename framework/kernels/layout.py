"""The order of an image's elements in memory: channels first, as its shape says (N, C, *sizes), or channels last, by its strides."""


def steps(shape, last):
    """Elements from one to the next along each dimension of a dense array of `shape`, channels last or first."""
    order = (1, *range(len(shape) - 1, 1, -1), 0) if last else range(len(shape) - 1, -1, -1)
    found, step = [0] * len(shape), 1
    for axis in order:
        found[axis] = step
        step *= shape[axis]
    return tuple(found)


def is_dense(a, last):
    """Whether the elements of `a` lie one behind the other in this order.  Dimensions of one element may have any stride."""
    size = a.itemsize
    return all(n == 1 or s == step * size for n, s, step in zip(a.shape, a.strides, steps(a.shape, last)))


def channels_last(a):
    """Whether `a` is an image with the channels last: dense in that order, and not in its shape's own."""
    return a.ndim > 2 and not a.flags.c_contiguous and is_dense(a, True)


def dense(xp, a, last):
    """`a` itself where it is dense in this order, else a copy that is."""
    if a.flags.c_contiguous if not last else is_dense(a, True):
        return a
    return xp.moveaxis(xp.ascontiguousarray(xp.moveaxis(a, 1, -1)), -1, 1) if last else xp.ascontiguousarray(a)


def empty(xp, shape, dtype, last):
    """A new array, dense in this order."""
    if not last:
        return xp.empty(shape, dtype)
    return xp.moveaxis(xp.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)

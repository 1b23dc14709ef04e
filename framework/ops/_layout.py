"""The order of an image's elements in memory: channels first, as its shape says (N, C, *sizes), or channels last, by its strides."""
import numpy as np


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


def lies_last(a):
    """Whether an image's channels are neighbours in memory: one with the channels last, or some of the channels of one."""
    return a.ndim > 2 and not a.flags.c_contiguous and a.strides[1] == a.itemsize and a.shape[1] > 1 and 0 not in a.strides


def dense(xp, a, last):
    """`a` itself where it is dense in this order, else a copy that is."""
    if a.flags.c_contiguous if not last else is_dense(a, True):
        return a
    return xp.moveaxis(xp.ascontiguousarray(xp.moveaxis(a, 1, -1)), -1, 1) if last else xp.ascontiguousarray(a)


def as_it_lies(xp, a, last):
    """`a`, a copy of it where it is not dense in this order, in the shape of its memory: (N, *sizes, C) where channels come last."""
    a = dense(xp, a, last)
    return xp.moveaxis(a, 1, -1) if last else a


def turned(xp, a, ndim):
    """What is broadcast to an image of `ndim` dimensions, with the channels' dimension last: a view."""
    return xp.moveaxis(a if a.ndim == ndim else a.reshape((1,) * (ndim - a.ndim) + a.shape), 1, -1)


def empty(xp, shape, dtype, last):
    """A new array, dense in this order."""
    if not last:
        return xp.empty(shape, dtype)
    return xp.moveaxis(xp.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)


def convert(ops, t, format_name):
    """A tensor on a GPU in a memory format, by torch's name; itself where it has it.  The CPU keeps its row-major order.

    ops: the namespace whose functions are recorded.  RuntimeError for channels_last of anything but images.
    """
    a = t._data
    if format_name is None or isinstance(a, np.ndarray) and type(a) is np.ndarray or not t.is_cuda:
        return t
    name = str(format_name).rpartition(".")[2]
    if name == "contiguous_format":
        return t if a.flags.c_contiguous else ops.ascontiguousarray(t)
    if name == "preserve_format":
        return t
    rank = {"channels_last": 4, "channels_last_3d": 5}[name]
    if a.ndim != rank:
        raise RuntimeError(f"required rank {rank} tensor to use {name} format")
    if is_dense(a, True):
        return t
    axes = range(2, rank)
    return ops.transpose(ops.ascontiguousarray(ops.transpose(t, (0, *axes, 1))), (0, rank - 1, *(i - 1 for i in axes)))

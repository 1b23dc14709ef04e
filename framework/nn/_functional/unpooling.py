"""Max pooling undone, and max pooling over windows drawn at random."""
import numpy as np

from ... import _rng, ops
from ..._backends import of_array
from ..._core.errors import beside_each_other
from ..._core.tensor import wrap
from ._arguments import batched, per_dimension, unbatched


def _unpool(d):
    def max_unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel = per_dimension(kernel_size, d, "kernel_size")
        stride = kernel if stride is None else per_dimension(stride, d, "stride")
        size = _unpool_output_size(input, kernel, stride, per_dimension(padding, d, "padding"), output_size)
        if indices._data.dtype != np.int64:
            raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
        beside_each_other(f"max_unpool{d}d", input, indices)
        if input.ndim not in (d + 1, d + 2):
            raise RuntimeError(f"Input to max_unpooling{d}d should be a {d + 1}d or {d + 2}d Tensor, but got a tensor with {input.ndim} "
                               "dimensions.")
        if tuple(indices.shape) != tuple(input.shape):
            raise RuntimeError(f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices tensor "
                               f"with shape: {list(indices.shape)}")
        input, added = batched(input, d, f"max_unpool{d}d")
        return unbatched(ops.unpool(input, indices[None] if added else indices, size), added)

    max_unpool.__name__ = max_unpool.__qualname__ = f"max_unpool{d}d"
    max_unpool.__doc__ = (f"The inverse of max_pool{d}d as far as there is one: the elements at the places `indices` that it gave, 0 elsewhere."
                          "\n\noutput_size: which of the sizes that the pooling makes equal; by default the smallest.")
    return max_unpool


def _unpool_output_size(input, kernel_size, stride, padding, output_size):
    """The spatial sizes of the result.  ValueError for an output_size that pooling cannot come from."""
    d = len(kernel_size)
    default = [(n - 1) * s + k - 2 * p for n, s, k, p in zip(input.shape[-d:], stride, kernel_size, padding)]
    if output_size is None:
        return tuple(default)
    output_size = list(output_size)
    if len(output_size) == d + 2:
        output_size = output_size[2:]
    if len(output_size) != d:
        raise ValueError(f"output_size should be a sequence containing {d} or {d + 2} elements, but it has a length of '{len(output_size)}'")
    for axis, (n, usual, s) in enumerate(zip(output_size, default, stride)):
        if not usual - s < n < usual + s:
            raise ValueError(f'invalid output_size "{output_size}" (dim {axis} must be between {usual - s} and {usual + s})')
    return tuple(output_size)


AXES = ("height", "width"), ("time", "height", "width")


def _fractional(d):
    def with_indices(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        kernel = per_dimension(kernel_size, d, "kernel_size")
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        if output_size is None:
            ratio = (output_ratio,) * d if isinstance(output_ratio, float) else tuple(output_ratio)
            if len(ratio) > d:
                raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
            output_size = tuple(int(n * r) for n, r in zip(input.shape[-d:], ratio))
        out = per_dimension(output_size, d, "output_size")
        input, added = batched(input, d, name)
        for axis, n, k, o in zip(AXES[d - 2], input.shape[2:], kernel, out):
            if o + k - 1 > n:
                raise RuntimeError(f"{name}(): pool {axis} {k} too large relative to input {axis} {n} for an output of {o}")
        indices = _largest_in_windows(input, kernel, out, _random_samples)
        values = ops.take_indices(input, indices)
        return unbatched(values, added), unbatched(indices, added)

    def pool(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        both = with_indices(input, kernel_size, output_size, output_ratio, return_indices, _random_samples)
        return both if return_indices else both[0]

    name = pool.__name__ = pool.__qualname__ = f"fractional_max_pool{d}d"
    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    pool.__doc__ = ("The largest element of windows whose distances are drawn at random.  Graham 2014, arXiv:1412.6071.\n\n"
                    "output_size, or output_ratio in (0, 1): how many windows per dimension; return_indices: also the flat spatial place of each.")
    with_indices.__doc__ = f"{name} with return_indices=True."
    return pool, with_indices


def _largest_in_windows(input, kernel, out, samples):
    """int64 (N, C, *out): the flat spatial place of the largest element of each window.

    samples: (N, C, d) in [0, 1), a tensor; drawn when None.  Images take theirs in the order width, height, as torch does.
    """
    data = input._data
    xp, d = of_array(data).xp, len(kernel)
    n, c, *sizes = data.shape
    if samples is None:
        samples = _rng.generator_beside(data).uniform((n, c, d), data.dtype)
    else:
        samples = samples._data
    flat, axes = 0, range(d)
    for axis, size, k, o in zip(axes, sizes, kernel, out):
        sample = samples[:, :, d - 1 - axis if d == 2 else axis]
        places = _window_starts(xp, sample, size, k, o)[..., None] + xp.arange(k)  # (N, C, o, k)
        shape = [n, c, *(o if a == axis else 1 for a in axes), *(k if a == axis else 1 for a in axes)]
        flat = flat * size + places.reshape(shape)
    places = xp.broadcast_to(flat, (n, c, *out, *kernel)).reshape(n, c, int(np.prod(out)), -1)
    seen = xp.take_along_axis(data.reshape(n, c, 1, -1), places, 3)
    best = seen.argmax(axis=3)[..., None]
    return wrap(xp.take_along_axis(places, best, 3).reshape(n, c, *out).astype(np.int64))


def _window_starts(xp, sample, size, kernel, out):
    """int (N, C, out): where each of `out` windows begins along a dimension of `size`.  sample: (N, C)"""
    starts = xp.full((*sample.shape, out), size - kernel, np.int64)
    if out > 1:
        step = sample.dtype.type((size - kernel) / (out - 1))
        steps = xp.arange(out - 1).astype(sample.dtype)
        starts[..., :-1] = (((steps + sample[..., None]) * step).astype(np.int64) - (sample * step).astype(np.int64)[..., None])
    return starts


max_unpool1d, max_unpool2d, max_unpool3d = _unpool(1), _unpool(2), _unpool(3)
fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional(3)

__all__ = ["fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d", "fractional_max_pool3d_with_indices",
           "max_unpool1d", "max_unpool2d", "max_unpool3d"]

"""Pooling."""
from functools import lru_cache

import numpy as np

from ... import ops
from ..._core.tensor import wrap
from ...ops.mixing import Shares
from ...ops.pool import flat_indices
from ._arguments import batched, per_dimension, unbatched


def _max(d):
    def max_pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        kernel = per_dimension(kernel_size, d, "kernel_size")
        stride = kernel if stride is None or stride == [] else per_dimension(stride, d, "stride")
        padding, dilation = per_dimension(padding, d, "padding"), per_dimension(dilation, d, "dilation")
        input, added = batched(input, d, name)
        out, where = ops.max_pool(input, kernel, stride, padding, dilation, ceil_mode)
        if not return_indices:
            return unbatched(out, added)
        indices = wrap(flat_indices(where._data, input.shape[2:], kernel, stride, padding, dilation))
        return unbatched(out, added), unbatched(indices, added)

    name = max_pool.__name__ = max_pool.__qualname__ = f"max_pool{d}d"
    max_pool.__doc__ = ("The largest element of each window.  (N, C, *in) or without N.\n\nstride: the kernel size when None; return_indices: also "
                        "the flat spatial place of each, int64.")

    return max_pool, _with_indices(max_pool)


def _with_indices(pool):
    """The twin of a max pool that always returns the indices."""
    def with_indices(*args, **kwargs):
        kwargs["return_indices"] = True
        return pool(*args, **kwargs)
    with_indices.__name__ = with_indices.__qualname__ = f"{pool.__name__}_with_indices"
    with_indices.__doc__ = f"{pool.__name__} with return_indices=True."
    return with_indices


def _average(d):
    def avg_pool(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        kernel = per_dimension(kernel_size, d, "kernel_size")
        stride = kernel if stride is None or stride == [] else per_dimension(stride, d, "stride")
        input, added = batched(input, d, name)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        out = ops.avg_pool(input, kernel, stride, per_dimension(padding, d, "padding"), ceil_mode, count_include_pad, divisor_override)
        return unbatched(out, added)

    name = avg_pool.__name__ = avg_pool.__qualname__ = f"avg_pool{d}d"
    avg_pool.__doc__ = ("The average of each window.  (N, C, *in) or without N.\n\nstride: the kernel size when None; count_include_pad: padding "
                        "counts, as zeros; divisor_override: divide by this instead.")
    return avg_pool


def _adaptive_sizes(output_size, input, d):
    """One size per dimension; None stands for the input's."""
    sizes = (output_size,) * d if output_size is None or isinstance(output_size, int) else tuple(output_size)
    if len(sizes) != d:
        raise RuntimeError(f"adaptive pooling over {d} dimensions needs {d} output sizes, got {list(sizes)}")
    return tuple(n if s is None else int(s) for s, n in zip(sizes, input.shape[-d:]))


def _adaptive_average(d):
    def adaptive_avg_pool(input, output_size):
        input, added = batched(input, d, name)
        sizes = _adaptive_sizes(output_size, input, d)
        if all(s == 1 for s in sizes):
            out = ops.mean(input, tuple(range(2, 2 + d)), True)
        elif all(s and not n % s for n, s in zip(input.shape[2:], sizes)):
            window = tuple(n // s for n, s in zip(input.shape[2:], sizes))
            out = ops.avg_pool(input, window, window, (0,) * d)
        else:
            out = ops.mix(input, tuple([_averages(n, size) for n, size in zip(input.shape[2:], sizes)]), 2)
        return unbatched(out, added)

    name = adaptive_avg_pool.__name__ = adaptive_avg_pool.__qualname__ = f"adaptive_avg_pool{d}d"
    adaptive_avg_pool.__doc__ = ("The averages of cells that divide the input evenly into output_size (an int, or one per dimension; None: as the "
                                 "input).  (N, C, *in) or without N.")
    return adaptive_avg_pool


@lru_cache(64)
def _averages(n, size):
    """Along one axis, the averages over the cells of adaptive pooling."""
    matrix = np.zeros((n, size))
    for i in range(size):
        start, stop = i * n // size, -(-(i + 1) * n // size)
        matrix[start:stop, i] = 1 / (stop - start)
    return Shares(matrix)


def _adaptive_max(d):
    def adaptive_max_pool(input, output_size, return_indices=False):
        input, added = batched(input, d, name)
        out, indices = ops.adaptive_max_pool(input, _adaptive_sizes(output_size, input, d))
        return (unbatched(out, added), unbatched(indices, added)) if return_indices else unbatched(out, added)

    name = adaptive_max_pool.__name__ = adaptive_max_pool.__qualname__ = f"adaptive_max_pool{d}d"
    adaptive_max_pool.__doc__ = ("The largest elements of cells that divide the input evenly into output_size.  (N, C, *in) or without N.\n\n"
                                 "return_indices: also the flat spatial place of each, int64.")
    return adaptive_max_pool, _with_indices(adaptive_max_pool)


def _power_average(d):
    def lp_pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        kernel = per_dimension(kernel_size, d, "kernel_size")
        if norm_type in (np.inf, -np.inf):
            sign = 1 if norm_type > 0 else -1
            return sign * MAX[d](sign * ops.absolute(input), kernel, stride, 0, 1, ceil_mode)
        out = AVERAGE[d](input ** norm_type, kernel, stride, 0, ceil_mode)
        return ops.power(ops.sign(out) * ops.relu(ops.absolute(out)) * int(np.prod(kernel)), 1.0 / norm_type)

    lp_pool.__name__ = lp_pool.__qualname__ = f"lp_pool{d}d"
    lp_pool.__doc__ = "(sum of x^p over each window)^(1/p), p = norm_type; the largest (smallest) magnitude for inf (-inf)."
    return lp_pool


max_pool1d, max_pool1d_with_indices = _max(1)
max_pool2d, max_pool2d_with_indices = _max(2)
max_pool3d, max_pool3d_with_indices = _max(3)
avg_pool1d, avg_pool2d, avg_pool3d = _average(1), _average(2), _average(3)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = _adaptive_average(1), _adaptive_average(2), _adaptive_average(3)
adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max(3)
MAX, AVERAGE = (None, max_pool1d, max_pool2d, max_pool3d), (None, avg_pool1d, avg_pool2d, avg_pool3d)
lp_pool1d, lp_pool2d, lp_pool3d = _power_average(1), _power_average(2), _power_average(3)

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool1d_with_indices",
           "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "avg_pool1d",
           "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool1d_with_indices", "max_pool2d",
           "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices"]

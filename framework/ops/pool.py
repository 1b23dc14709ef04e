"""Pooling in any number of spatial dimensions: (N, C, *in) -> (N, C, *out).  kernel, stride, padding, dilation: one int per dimension."""
import itertools
import math

import numpy as np

from .._backends import BACKENDS
from .._backends.uploads import constant
from .._core.op import op
from ._layer_types import floats_only
from ._masked import kept
from ._repeated import add_repeated
from ._run import run

BLOCK = 1 << 17  # elements that are worked on at a time on the CPU


def out_sizes(sizes, kernel, stride, padding, dilation, ceil_mode):
    """Spatial sizes of the result.  ceil_mode: windows that begin inside the input or its left padding may reach beyond the right one."""
    out = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        o = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (o - 1) * s >= n + p:
            o -= 1
        out.append(o)
    return tuple(out)


def _reach(kernel, out, stride, padding, dilation, sizes):
    """Padded sizes that hold every window."""
    return [max(n + 2 * p, (o - 1) * s + d * (k - 1) + 1) for n, k, o, s, p, d in zip(sizes, kernel, out, stride, padding, dilation)]


def _places(kernel, out, stride, dilation):
    """For each kernel element, the slices of the padded input that it looks at."""
    for at in itertools.product(*map(range, kernel)):
        yield (..., *(slice(k * d, k * d + (o - 1) * s + 1, s) for k, o, s, d in zip(at, out, stride, dilation)))


def _padded(xp, x, sizes, padding, fill):
    """`x` in the middle of an array of spatial `sizes` filled with `fill`; itself when there is nothing to add."""
    if tuple(sizes) == x.shape[2:]:
        return x
    out = xp.full((*x.shape[:2], *sizes), fill, x.dtype)
    out[_inside(padding, x.shape[2:])] = x
    return out


def _inside(padding, sizes):
    return (..., *(slice(p, p + n) for n, p in zip(sizes, padding)))


# -- max ---------------------------------------------------------------------------------------------------------------

@op(promote=floats_only("max_pool"), fast=False, grad_name="MaxPoolWithIndices")
def max_pool(xp, x, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple, ceil_mode: bool = False):
    """(largest element of each window, number of the kernel element that was it, counted row by row; the first among equals)."""
    out = _check(x.shape, kernel, stride, padding, dilation, ceil_mode)
    best = xp.empty((*x.shape[:2], *out), x.dtype)
    where = xp.zeros(best.shape, np.uint8 if math.prod(kernel) < 256 else np.int32)
    sizes = _reach(kernel, out, stride, padding, dilation, x.shape[2:])
    for some in _blocks(xp, x):
        _max_into(xp, best[some], where[some], _padded(xp, x[some], sizes, padding, -math.inf), _places(kernel, out, stride, dilation))
    return best, where


def _max_into(xp, best, where, padded, places):
    """Fill `best` with the largest elements of the windows of `padded`, and `where`, zeros so far, with their numbers."""
    for number, place in enumerate(places):
        candidate = padded[place]
        if number:
            xp.maximum(where, (candidate > best) * where.dtype.type(number), out=where)
            xp.maximum(best, candidate, out=best)
        else:
            best[...] = candidate


def _blocks(xp, x):
    """Slices of the batch: on the CPU so many images at a time as stay in the cache, on a GPU all."""
    n = len(x)
    step = max(1, BLOCK * n // max(1, x.size)) if xp is np else max(1, n)
    return [slice(i, i + step) for i in range(0, n, step)]


max_pool.gives_away = 1  # the rule reads the places only


@max_pool.vjp("x")
def _(xp, g, out, x_shape, kernel, stride, padding, dilation, ceil_mode):
    return run(spread_to_max, xp, g[0], out[1], shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding, dilation=dilation)


@op(broadcasts=False, grad_name="MaxPoolWithIndicesBackward")
def spread_to_max(xp, x, where, shape: tuple = (), kernel: tuple = (), stride: tuple = (), padding: tuple = (), dilation: tuple = ()):
    """Each element of x: (N, C, *out) at the place in an array of `shape` where its window's largest element was, 0 elsewhere."""
    out = x.shape[2:]
    sizes = _reach(kernel, out, stride, padding, dilation, shape[2:])
    y = xp.zeros((*shape[:2], *sizes), x.dtype)
    apart = all(s >= d * (k - 1) + 1 for k, s, d in zip(kernel, stride, dilation))  # no window touches another
    places = list(_places(kernel, out, stride, dilation))
    for some in _blocks(xp, y):
        for number, place in enumerate(places):
            if apart:
                y[some][place] = kept(xp, x[some], where[some] == number)
            else:
                y[some][place] += kept(xp, x[some], where[some] == number)
    return y if tuple(sizes) == shape[2:] else y[_inside(padding, shape[2:])]


@spread_to_max.vjp("x")
def _(xp, g, where, kernel, stride, padding, dilation):
    return run(take_max, xp, g, where, kernel=kernel, stride=stride, padding=padding, dilation=dilation)


@op(broadcasts=False, grad_name="MaxPoolWithIndices")
def take_max(xp, x, where, kernel: tuple = (), stride: tuple = (), padding: tuple = (), dilation: tuple = ()):
    """The element of each window of x: (N, C, *in) that `where` numbers -> (N, C, *out)."""
    out = where.shape[2:]
    padded = _padded(xp, x, _reach(kernel, out, stride, padding, dilation, x.shape[2:]), padding, 0)
    y = xp.zeros(where.shape, x.dtype)
    for number, place in enumerate(_places(kernel, out, stride, dilation)):
        y += kept(xp, padded[place], where == number)
    return y


@take_max.vjp("x")
def _(xp, g, where, x_shape, kernel, stride, padding, dilation):
    return run(spread_to_max, xp, g, where, shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding, dilation=dilation)


def flat_indices(where, sizes, kernel, stride, padding, dilation):
    """torch's indices for max_pool: the place of each largest element in the flattened spatial dimensions of `sizes`, int64."""
    xp = BACKENDS[type(where)].xp
    flat = xp.zeros(where.shape, np.int64)
    left = where.astype(np.int64)
    place = []
    for k in reversed(kernel):
        place.append(left % k)
        left = left // k
    for axis, (n, offset) in enumerate(zip(sizes, reversed(place))):
        start = xp.arange(where.shape[2 + axis]) * stride[axis] - padding[axis]
        flat = flat * n + (start.reshape(-1, *(1,) * (len(sizes) - axis - 1)) + offset * dilation[axis])
    return flat


# -- max over cells of unequal size ------------------------------------------------------------------------------------

def _cells(size, out):
    """(start, stop) of each of `out` cells that cover `size` elements evenly, overlapping where they must."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


@op(promote=floats_only("adaptive_max_pool"), fast=False, grad_name="AdaptiveMaxPool2D")
def adaptive_max_pool(xp, x, size: tuple):
    """(largest element of each of *size cells, its place in the flattened spatial dimensions, int64).  x: (N, C, *in) -> (N, C, *size)"""
    values, indices = xp.empty((*x.shape[:2], *size), x.dtype), xp.empty((*x.shape[:2], *size), np.int64)
    numbers = xp.arange(math.prod(x.shape[2:])).reshape(x.shape[2:])
    for at in itertools.product(*map(range, size)):
        cell = tuple(slice(*_cells(n, o)[i]) for n, o, i in zip(x.shape[2:], size, at))
        part = x[(..., *cell)].reshape(*x.shape[:2], -1)
        best = part.argmax(axis=-1)
        values[(..., *at)] = xp.take_along_axis(part, best[..., None], -1)[..., 0]
        indices[(..., *at)] = numbers[cell].reshape(-1)[best]
    return values, indices


adaptive_max_pool.gives_away = 1


@adaptive_max_pool.vjp("x")
def _(xp, g, out, x_shape):
    return run(spread_to_indices, xp, g[0], out[1], shape=tuple(x_shape))


@op(broadcasts=False, grad_name="MaxUnpool2D")
def spread_to_indices(xp, x, indices, shape: tuple = ()):
    """Add each element of x: (N, C, *out) to the flat spatial place that `indices` names, in zeros of `shape`: (N, C, *in)."""
    y = xp.zeros((*shape[:2], math.prod(shape[2:])), x.dtype)
    n, c = np.ogrid[:shape[0], :shape[1]]
    n, c = constant(xp, n), constant(xp, c)
    add_repeated(xp, y, (n[..., None], c[..., None], indices.reshape(*shape[:2], -1)), x.reshape(*shape[:2], -1))
    return y.reshape(shape)


@spread_to_indices.vjp("x")
def _(xp, g, indices, x_shape):
    return run(take_indices, xp, g, indices)


@op(broadcasts=False)
def take_indices(xp, x, indices):
    """The elements of x: (N, C, *in) at the flat spatial places `indices`: (N, C, *out) -> (N, C, *out)."""
    return xp.take_along_axis(x.reshape(*x.shape[:2], -1), indices.reshape(*x.shape[:2], -1), -1).reshape(indices.shape)


@take_indices.vjp("x")
def _(xp, g, indices, x_shape):
    return run(spread_to_indices, xp, g, indices, shape=tuple(x_shape))


# -- average -----------------------------------------------------------------------------------------------------------

@op(promote=floats_only("avg_pool"))
def avg_pool(xp, x, kernel: tuple, stride: tuple, padding: tuple, ceil_mode: bool = False, count_include_pad: bool = True,
             divisor_override: object = None):
    """The average of each window.  Padding counts as zeros, or not at all without count_include_pad; divisor_override: a fixed divisor."""
    ones = (1,) * len(kernel)
    out = _check(x.shape, kernel, stride, padding, ones, ceil_mode)
    padded = _padded(xp, x, _reach(kernel, out, stride, padding, ones, x.shape[2:]), padding, 0)
    y = None
    for place in _places(kernel, out, stride, ones):
        y = padded[place].copy() if y is None else xp.add(y, padded[place], out=y)
    y /= _divisors(xp, x.shape[2:], out, kernel, stride, padding, count_include_pad, divisor_override, x.dtype)
    return y


@avg_pool.vjp("x")
def _(xp, g, x_shape, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override):
    return run(spread_average, xp, g, shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode,
               count_include_pad=count_include_pad, divisor_override=divisor_override)


@op(promote=floats_only("avg_pool"))
def spread_average(xp, x, shape: tuple = (), kernel: tuple = (), stride: tuple = (), padding: tuple = (), ceil_mode: bool = False,
                   count_include_pad: bool = True, divisor_override: object = None):
    """avg_pool, transposed: each element of x: (N, C, *out) shared among the elements of its window.  -> shape: (N, C, *in)"""
    ones, out = (1,) * len(kernel), x.shape[2:]
    sizes = _reach(kernel, out, stride, padding, ones, shape[2:])
    y = xp.zeros((*shape[:2], *sizes), x.dtype)
    share = x / _divisors(xp, shape[2:], out, kernel, stride, padding, count_include_pad, divisor_override, x.dtype)
    for place in _places(kernel, out, stride, ones):
        y[place] += share
    return y if tuple(sizes) == shape[2:] else y[_inside(padding, shape[2:])]


@spread_average.vjp("x")
def _(xp, g, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override):
    return run(avg_pool, xp, g, kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
               divisor_override=divisor_override)


def _divisors(xp, sizes, out, kernel, stride, padding, count_include_pad, override, dtype):
    """How many elements each window counts: a number, or an array that broadcasts to (*out)."""
    if override is not None:
        return override
    counts, even = [], True
    for n, o, k, s, p in zip(sizes, out, kernel, stride, padding):
        start = np.arange(o) * s - p
        stop = np.minimum(start + k, n + p)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, n)
        counts.append(stop - start)
        even = even and bool((counts[-1] == k).all())
    if even:
        return math.prod(kernel)
    total = np.ones((), np.int64)
    for axis, c in enumerate(counts):
        total = total * c.reshape(-1, *(1,) * (len(counts) - axis - 1))
    return constant(xp, total.astype(dtype))


# -- errors ------------------------------------------------------------------------------------------------------------

def _check(shape, kernel, stride, padding, dilation, ceil_mode):
    """Sizes of the result.  RuntimeError in torch's words for what does not fit."""
    if min(kernel) < 1 or min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError(f"kernel size, stride and dilation should be greater than zero, but got {kernel=} {stride=} {dilation=}")
    for k, p, d in zip(kernel, padding, dilation):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if 2 * p > d * (k - 1) + 1:
            raise RuntimeError(f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}")
    out = out_sizes(shape[2:], kernel, stride, padding, dilation, ceil_mode)
    if min(out) < 1:
        raise RuntimeError(f"Given input size: ({'x'.join(map(str, shape[1:]))}). Calculated output size: "
                           f"({'x'.join(map(str, (shape[1], *out)))}). Output size is too small")
    return out

"""Depthwise convolution on the CPU: every channel has a kernel of its own, so there is no matrix product to be had.

A convolution is the sum of its kernel's elements times shifted images.  In an image that is stored flat, with its padding, a shift in any
direction is an offset: each element of the kernel takes one multiplication of a long run of memory and one addition, in blocks that stay in
the cache.  The run passes over the padding too, which makes some numbers between the rows of the result that nobody reads.  With a
stride s, images are first sorted into s planes per dimension, each of the places that are equal modulo s; in a plane the stride is 1.

Shapes: x (N, C, *in), weight (C, 1, *kernel), y (N, C, *out).  The images of a channel stand one behind the other in a row.
"""
import functools
import itertools
import math

import numpy as np

from .._core.recording import F32
from .._numba import available

BLOCK = 1 << 15  # elements of the images that are worked on at a time
LARGE = 1 << 14  # elements of the images from which on compiled loops are used


def suits(channels_in, channels_out, groups, dtype):
    """Whether the functions below can do it: one channel in and one out per group."""
    return channels_in == channels_out == groups > 1 and dtype.kind == "f"


@functools.lru_cache(maxsize=256)
def _geometry(size, kernel, out, stride, padding, dilation):
    """How a kernel meets the planes of an image.

    Returns (sizes of a plane, length of a run, for every kernel element the plane and the offset that it reads from, for every plane the slices of
    its places that are image and not padding, and of the image's places that stand there).
    """
    sizes = tuple(-(-(n + 2 * p) // s) for n, p, s in zip(size, padding, stride))
    steps = [math.prod(sizes[k + 1:]) for k in range(len(size))]
    length = 1 + sum((o - 1) * step for o, step in zip(out, steps))
    rests = list(itertools.product(*map(range, stride)))
    taps = []
    for at in itertools.product(*map(range, kernel)):
        places = [divmod(i * d, s) for i, d, s in zip(at, dilation, stride)]
        taps.append((rests.index(tuple(r for _, r in places)), sum(q * step for (q, _), step in zip(places, steps))))
    return sizes, length, taps, [tuple(zip(*map(_meeting, r, stride, padding, size))) for r in rests]


def _meeting(r, stride, padding, size):
    """(places of a plane, places of the image) where the plane of the places r modulo `stride` has image, not padding."""
    first = max(0, -(-(padding - r) // stride))
    start = r + first * stride - padding
    count = max(0, -(-(size - start) // stride))
    return slice(first, first + count), slice(start, size, stride)


class _Planes:
    """Room for the padded planes of some images of some channels, and how a kernel of some size meets them.

    shape, out: of the images, (N, C, *in), and of one result.  The image and the result of the same place begin at the same element of `planes` and
    of `wide`: (channels, images * area).
    """

    def __init__(self, shape, kernel, out, stride, padding, dilation, dtype):
        self.images, self.channels, *size = shape
        self.sizes, self.length, self.taps, self.moves = _geometry(tuple(size), kernel, out, stride, padding, dilation)
        self.out, self.area = out, math.prod(self.sizes)
        self.n = max(1, min(self.images, BLOCK // self.area))
        self.c = max(1, min(self.channels, BLOCK // (self.n * self.area)))
        self.window = (*stride, *padding, self.area, self.sizes[-1])
        self.loops = self._compiled_loops(math.prod(shape), len(size), dtype)
        if self.loops is None:
            self.planes = np.zeros((math.prod(stride), self.c, self.n * self.area), dtype)
            self.wide, self.product = np.zeros((2, self.c, self.n * self.area), dtype)

    def _compiled_loops(self, elements, dimensions, dtype):
        if elements < LARGE or dimensions != 2 or dtype != F32 or not available():
            return None
        from . import _loops_depthwise
        return _loops_depthwise

    def for_loops(self):
        """What compiled loops are told of all this."""
        return self.window, np.array(self.taps, np.int64), self.length, self.n

    def blocks(self):
        """Slices (of the images, of the channels)."""
        for c in range(0, self.channels, self.c):
            for n in range(0, self.images, self.n):
                yield slice(n, min(n + self.n, self.images)), slice(c, min(c + self.c, self.channels))

    def inside(self, n, c):
        """For each plane: it, of n images of c channels, without the padding, and which places of an image stand in it."""
        for plane, (inside, of_image) in zip(self.planes, self.moves):
            yield plane[:c].reshape(c, self.n, *self.sizes)[(slice(None), slice(0, n), *inside)].swapaxes(0, 1), (..., *of_image)

    def result(self, n, c):
        """(n, c, *out), a view of `wide`."""
        return self.wide[:c].reshape(c, self.n, *self.sizes)[(slice(None), slice(0, n), *map(slice, self.out))].swapaxes(0, 1)

    def runs(self, n, c):
        """(what the kernel's elements meet, for each of them (c, length), the same run of the results)."""
        length = (n - 1) * self.area + self.length
        return [self.planes[plane, :c, at:at + length] for plane, at in self.taps], self.wide[:c, :length]

    def fill(self, x):
        """Put images (n, c, *in) in their places."""
        for plane, places in self.inside(*x.shape[:2]):
            plane[...] = x[places]

    def gather(self, w, n):
        """wide = the sum of w[k] * what kernel element k meets.  w: (kernel size, c)"""
        runs, total = self.runs(n, w.shape[1])
        product = self.product[:len(total), :total.shape[1]]
        np.multiply(runs[0], w[0][:, None], out=total)
        for run, factor in zip(runs[1:], w[1:]):
            total += np.multiply(run, factor[:, None], out=product)

    def scatter(self, w, n):
        """Add w[k] * wide to what kernel element k meets, from zeros."""
        runs, total = self.runs(n, w.shape[1])
        self.planes[...] = 0
        product = self.product[:len(total), :total.shape[1]]
        for run, factor in zip(runs, w):
            run += np.multiply(total, factor[:, None], out=product)


def convolve(x, weight, bias, out, stride, padding, dilation):
    """The convolution (N, C, *out), with bias: (C) or None."""
    y, w = np.empty((*x.shape[:2], *out), x.dtype), _by_element(weight)
    planes = _Planes(x.shape, weight.shape[2:], out, stride, padding, dilation, x.dtype)
    if planes.loops is not None:
        planes.loops.convolve(*_contiguous(x, w, bias), *planes.for_loops(), y)
        return y
    for images, channels in planes.blocks():
        part = x[images, channels]
        planes.fill(part)
        planes.gather(w[:, channels], len(part))
        y[images, channels] = planes.result(*part.shape[:2])
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(out))
    return y


def transpose(g, weight, bias, size, stride, padding, dilation):
    """The adjoint of `convolve`: g: (N, C, *out) -> (N, C, *size)."""
    y, w = np.empty((*g.shape[:2], *size), g.dtype), _by_element(weight)
    planes = _Planes(y.shape, weight.shape[2:], g.shape[2:], stride, padding, dilation, g.dtype)
    if planes.loops is not None:
        planes.loops.transpose(*_contiguous(g, w), *planes.for_loops(), y)
    else:
        for images, channels in planes.blocks():
            part = y[images, channels]
            planes.result(*part.shape[:2])[...] = g[images, channels]
            planes.scatter(w[:, channels], len(part))
            for plane, places in planes.inside(*part.shape[:2]):
                part[places] = plane
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(size))
    return y


def weight_gradient(g, x, kernel, stride, padding, dilation):
    """The gradient (C, 1, *kernel) of `convolve` for its weight.  g: (N, C, *out)"""
    sums = np.zeros((math.prod(kernel), x.shape[1]))
    planes = _Planes(x.shape, kernel, g.shape[2:], stride, padding, dilation, x.dtype)
    if planes.loops is not None:
        planes.loops.weight_gradient(*_contiguous(g, x), *planes.for_loops(), sums)
    else:
        for images, channels in planes.blocks():
            part = x[images, channels]
            planes.fill(part)
            planes.result(*part.shape[:2])[...] = g[images, channels]
            runs, above = planes.runs(*part.shape[:2])
            for run, some in zip(runs, sums[:, channels]):
                some += np.vecdot(run, above)
    return np.ascontiguousarray(sums.T, dtype=x.dtype).reshape(-1, 1, *kernel)


def _contiguous(*arrays):
    return [a if a is None else np.ascontiguousarray(a) for a in arrays]


def _by_element(weight):
    """(C, 1, *kernel) -> (kernel size, C)."""
    return np.ascontiguousarray(weight.reshape(len(weight), -1).T)

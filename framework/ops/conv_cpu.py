"""Convolution on the CPU: a few images at a time, in buffers that stay in the cache.  Small images of stride 1 go another way, see _shifted, and
so do channels that are convolved one by one, see _depthwise.

Windows are copied to a matrix for the forward pass and copied anew for the weight's gradient; the input's gradient adds them up.
"""
import itertools
import math

import numpy as np

from .._mkl import matmul
from . import _depthwise, _shifted
from ._windows import places, windows
from .conv import check, conv_transpose, conv_weight, convolution, grouped

COLUMNS = 500  # small images are taken together until the matrix product has about so many columns
NARROW = 128  # up to so many rows BLAS is a fifth faster at the transposed product, and transposing back costs less than that
GROUPED = 1 << 20  # elements of windows at a time in grouped transposed convolution


class _Chunks:
    """How the images (N, C, *in) meet the windows of a convolution, m of them at a time, in buffers that one chunk after the other uses.

    Iterating gives slices of the batch.  A chunk's windows stand in a matrix: (groups, C / groups * kernel size, m * out size).
    """

    def __init__(self, n, channels, size, kernel, out, stride, padding, dilation, groups, dtype):
        self.n, self.channels, self.size, self.kernel, self.out, self.groups = n, channels, size, kernel, out, groups
        self.stride, self.dilation, self.area = stride, dilation, math.prod(out)
        self.m = max(1, min(n, COLUMNS // max(1, self.area)))
        self.columns = np.empty(channels * math.prod(kernel) * self.m * self.area, dtype)
        self.padded = None
        if any(padding):
            self.padded = np.zeros((self.m, channels, *(s + 2 * p for s, p in zip(size, padding))), dtype)
            self.inner = self.padded[(..., *(slice(p, p + s) for s, p in zip(size, padding)))]

    def __iter__(self):
        for start in range(0, self.n, self.m):
            yield slice(start, min(start + self.m, self.n))

    def shaped(self, m):
        """The buffer for the windows of m images: as (C, *kernel, m, *out), and as the matrix."""
        flat = self.columns[:self.columns.size // self.m * m]
        return flat.reshape(self.channels, *self.kernel, m, *self.out), flat.reshape(self.groups, -1, m * self.area)

    def images_first(self, rows, m):
        """(groups, rows, m * out size) -> (m, groups * rows, *out)."""
        return rows.reshape(-1, m, *self.out).swapaxes(0, 1)

    def images_last(self, g):
        """(m, K, *out) -> (groups, K / groups, m * out size)."""
        m, k = g.shape[:2]
        g = g.reshape(m, k, self.area)
        return (g if m == 1 else g.swapaxes(0, 1)).reshape(self.groups, k // self.groups, m * self.area)

    def each_im2col(self, x):
        """Yield (slice of the batch, its matrix of windows)."""
        source = self.windows_of(x if self.padded is None else self.padded)
        kernel_dims = (slice(None),) * (1 + len(self.kernel))
        for s in self:
            m = s.stop - s.start
            columns, matrix = self.shaped(m)
            if self.padded is None:
                columns[...] = source[(*kernel_dims, s)]
            else:
                self.inner[:m] = x[s]
                columns[...] = source[(*kernel_dims, slice(0, m))]
            yield s, matrix

    def windows_of(self, x):
        """(C, *kernel, N, *out), a view."""
        d = len(self.kernel)
        return windows(np, x, self.kernel, self.out, self.stride, self.dilation).transpose(1, *range(2, 2 + d), 0, *range(2 + d, 2 + 2 * d))


@convolution.kernel("numpy")
def _(xp, x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    out = check(x, weight, bias, stride, padding, dilation, groups)
    if x.size and _shifted.suits(x.shape[1], len(weight), weight.shape[2:], out, stride, padding, groups):
        return _shifted.convolve(x, weight, bias, out, padding, dilation)
    if x.size and _depthwise.suits(x.shape[1], len(weight), groups, x.dtype):
        return _depthwise.convolve(x, weight, bias, out, stride, padding, dilation)
    chunks = _Chunks(len(x), x.shape[1], x.shape[2:], weight.shape[2:], out, stride, padding, dilation, groups, x.dtype)
    w = grouped(weight, groups)
    y = np.empty((len(x), len(weight), *out), x.dtype)
    rows = y.reshape(len(x), groups, -1, chunks.area) if y.size else y
    column = None if bias is None else bias.reshape(groups, -1, 1)
    for s, matrix in chunks.each_im2col(x):
        alone = s.stop - s.start == 1
        product = matmul(w, matrix, out=rows[s.start] if alone else None)
        if bias is not None:
            product += column
        if not alone:
            y[s] = chunks.images_first(product, s.stop - s.start)
    return y


@conv_transpose.kernel("numpy")
def _(xp, x, weight, bias=None, size=(), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    out, kernel = x.shape[2:], weight.shape[2:]
    around = [d * (k - 1) - p for k, p, d in zip(kernel, padding, dilation)]
    exact = all(n == o + 2 * a - d * (k - 1) for n, o, a, k, d in zip(size, out, around, kernel, dilation))
    if x.size and exact and _shifted.suits(x.shape[1], weight.shape[1], kernel, size, stride, around, groups):
        turned = np.flip(weight, range(2, weight.ndim)).swapaxes(0, 1)
        return _shifted.convolve(x, turned, bias, size, around, dilation)
    if x.size and _depthwise.suits(x.shape[1], weight.shape[1] * groups, groups, x.dtype):
        return _depthwise.transpose(x, weight, bias, size, stride, padding, dilation)
    y = np.zeros((len(x), weight.shape[1] * groups, *size), x.dtype)
    if groups > 1:
        m = max(1, GROUPED // max(1, y.shape[1] * math.prod(weight.shape[2:]) * math.prod(out)))
        for i in range(0, len(x), m):
            y[i:i + m] = conv_transpose.forward(np, x[i:i + m], weight, None, size, stride, padding, dilation, groups)
    elif max(stride) == 1 and size[-1] <= 1.2 * out[-1] and math.prod(out) > COLUMNS // 4:
        _add_rows(x, weight, y, padding, dilation)
    else:
        _add_channels(x, weight, y, stride, padding, dilation)
    if bias is not None:
        y += bias.reshape(-1, *(1,) * len(size))
    return y


def _add_rows(x, weight, y, padding, dilation):
    """y += conv_transpose(x, weight) of stride 1.

    Kernel elements along the last axis meet in the matrix product, for which x is copied once for each of them to its place in a row of y.
    The results for the other elements are added as whole rows of memory.
    """
    *lead, width = weight.shape[2:]
    *size, row = y.shape[2:]
    *out, cut = x.shape[2:]
    k, c = weight.shape[:2]
    shifted = np.zeros((width, k, *out, row), x.dtype)
    spans = [_shifted.overlap(j * dilation[-1] - padding[-1], cut, row) for j in range(width)]
    matrix = _by_offset(weight)
    parts = np.empty((math.prod(lead), c, *out, row), x.dtype)
    moves = []
    for part, at in zip(parts, itertools.product(*map(range, lead))):
        overlaps = [_shifted.overlap(i * d - p, o, n) for i, d, p, o, n in zip(at, dilation, padding, out, size)]
        moves.append((part[(slice(None), *(here for here, _ in overlaps))], (slice(None), *(there for _, there in overlaps))))
    columns, rows = shifted.reshape(width * k, -1), parts.reshape(len(matrix), -1)
    for image, target in zip(x, y):
        for j, (here, there) in enumerate(spans):
            shifted[j, ..., there] = image[..., here]
        matmul(matrix, columns, out=rows)
        for part, place in moves:
            target[place] += part


def _by_offset(weight):
    """(K, C, *lead, width) -> (lead size * C, width * K)."""
    d = weight.ndim
    return weight.transpose(*range(2, d - 1), 1, d - 1, 0).reshape(-1, weight.shape[-1] * len(weight))


def _add_channels(x, weight, y, stride, padding, dilation):
    """y += conv_transpose(x, weight).  Windows are added with the channels last, where they are long runs of memory."""
    kernel, out, size = weight.shape[2:], x.shape[2:], y.shape[2:]
    n, k, c, area = len(x), len(weight), weight.shape[1], math.prod(out)
    rows = np.ascontiguousarray(np.moveaxis(weight, 1, -1)).reshape(k, -1)  # (K, kernel size * C)
    m = max(1, min(n, COLUMNS // max(1, area)))
    columns = np.empty((m * area, rows.shape[1]), x.dtype)
    padded = np.empty((m, *(s + 2 * p for s, p in zip(size, padding)), c), x.dtype)
    inner = padded[(slice(None), *(slice(p, p + s) for s, p in zip(size, padding)))]
    for start in range(0, n, m):
        images = x[start:start + m]
        m = len(images)
        part = matmul(images.reshape(m, k, area).swapaxes(1, 2).reshape(m * area, k), rows, out=columns[:m * area])
        part = part.reshape(m, *out, -1, c)
        padded[:m] = 0
        for i, at in enumerate(itertools.product(*map(range, kernel))):
            padded[(slice(0, m), *places(at, out, stride, dilation))] += part[..., i, :]
        y[start:start + m] = np.moveaxis(inner[:m], -1, 1)


@conv_weight.kernel("numpy")
def _(xp, x, y, kernel=(), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    if y.size and _shifted.suits(y.shape[1], x.shape[1], kernel, x.shape[2:], stride, padding, groups):
        return _shifted.weight_gradient(x, y, kernel, padding, dilation)
    if x.size and y.size and _depthwise.suits(y.shape[1], x.shape[1], groups, x.dtype):
        return _depthwise.weight_gradient(x, y, kernel, stride, padding, dilation)
    chunks = _Chunks(len(y), y.shape[1], y.shape[2:], kernel, x.shape[2:], stride, padding, dilation, groups, x.dtype)
    turned = x.shape[1] <= NARROW
    if not len(x):
        return np.zeros((x.shape[1], y.shape[1] // groups, *kernel), x.dtype)
    total = 0
    for s, matrix in chunks.each_im2col(y):
        rows = chunks.images_last(x[s])
        total += matmul(matrix, rows.swapaxes(1, 2)) if turned else matmul(rows, matrix.swapaxes(1, 2))
    if turned:
        total = np.ascontiguousarray(total.swapaxes(1, 2))
    return total.reshape(x.shape[1], -1, *kernel)

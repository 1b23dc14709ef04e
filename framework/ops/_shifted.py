"""Convolution of small images with stride 1 on the CPU, where the copies that im2col makes would take longer than the products.

An image is copied once for each column of the kernel, shifted by as much, and not once for each of its elements: a row of the kernel then
reads the same copies from another row on, as a matrix that lies in memory with no further copy.  Products of all rows of the kernel are added.
The first spatial axis counts as rows here, all others together as columns.
"""
import itertools
import math

import numpy as np

BUFFER = 1 << 17  # elements of shifted images at a time: they stay in the L2 cache
LARGEST = 1 << 14  # elements of one image of the result; for larger ones a single product of im2col's matrix is faster
NARROWEST = 8  # elements of the products' inner dimension


def suits(channels_in, channels_out, kernel, out, stride, padding, groups):
    """Whether the functions below are the faster way to convolve, and can.  out: the result's spatial size"""
    return (groups == 1 and max(stride) == 1 and kernel[0] > 1 and channels_out > 2 and min(padding) >= 0
            and channels_out * math.prod(out) <= LARGEST and channels_in * math.prod(kernel[1:]) >= NARROWEST)


class _Shifted:
    """Images (N, C, *in), m at a time.  Iterating gives (slice of the batch, [for each row of the kernel (m, columns * C, out size)])."""

    def __init__(self, x, kernel, out, padding, dilation):
        width, rows = math.prod(out[1:]), x.shape[2] + 2 * padding[0]
        inner = math.prod(kernel[1:]) * x.shape[1]
        self.x, self.m = x, max(1, min(len(x), BUFFER // (inner * rows * width)))
        self.images = np.zeros((self.m, *kernel[1:], x.shape[1], rows, *out[1:]), x.dtype)
        self.matrix = self.images.reshape(self.m, inner, -1)
        self.spans = [slice(start, start + out[0] * width) for start in (i * dilation[0] * width for i in range(kernel[0]))]
        self.moves = []
        middle = slice(padding[0], padding[0] + x.shape[2])
        for at in itertools.product(*map(range, kernel[1:])):
            overlaps = [overlap(p - i * d, n, m) for i, d, p, n, m in zip(at, dilation[1:], padding[1:], x.shape[3:], out[1:])]
            self.moves.append(((slice(None), *at, slice(None), middle, *[there for _, there in overlaps]), (..., *[here for here, _ in overlaps])))

    def __iter__(self):
        for start in range(0, len(self.x), self.m):
            part = self.x[start:start + self.m]
            n = len(part)
            for there, here in self.moves:
                self.images[there][:n] = part[here]
            yield slice(start, start + n), [self.matrix[:n, :, span] for span in self.spans]


def overlap(shift, n, m):
    """(slice of n elements, slice of the m elements they fall on when moved by `shift`)."""
    start, stop = max(0, shift), min(m, n + shift)
    return slice(start - shift, max(start, stop) - shift), slice(start, max(start, stop))


def convolve(x, weight, bias, out, padding, dilation):
    """The convolution (N, K, *out) of x: (N, C, *in) with weight: (K, C, *kernel), plus bias: (K) or None."""
    y = np.empty((len(x), len(weight), *out), x.dtype)
    result = y.reshape(*y.shape[:2], -1)
    first, *others = np.ascontiguousarray(np.moveaxis(weight, (2, 1), (0, -1))).reshape(weight.shape[2], len(weight), -1)
    shifted = _Shifted(x, weight.shape[2:], out, padding, dilation)
    buffer = np.empty((shifted.m, *result.shape[1:]), x.dtype)
    for s, matrices in shifted:
        total = np.matmul(first, matrices[0], out=result[s])
        for row, matrix in zip(others, matrices[1:]):
            total += np.matmul(row, matrix, out=buffer[:len(total)])
        if bias is not None:
            total += bias[:, None]
    return y


def weight_gradient(g, x, kernel, padding, dilation):
    """The gradient (K, C, *kernel) of `convolve` for its weight.  g: (N, K, *out), x: (N, C, *in)"""
    shifted = _Shifted(x, kernel, g.shape[2:], padding, dilation)
    turned = g.reshape(*g.shape[:2], -1).swapaxes(1, 2)
    total = np.zeros((kernel[0], shifted.matrix.shape[1], g.shape[1]), x.dtype)
    for s, matrices in shifted:
        for row, matrix in zip(total, matrices):
            row += np.add.reduce(np.matmul(matrix, turned[s]))
    total = total.reshape(*kernel, x.shape[1], g.shape[1])
    return np.ascontiguousarray(np.moveaxis(total, (-1, -2), (0, 1)))

"""Batch and group norm on NumPy arrays: a few samples (m, C, L) at a time, so that each is read from memory once.

Shapes carry suffixes: N samples, C channels, L elements of a channel.
"""
import math

import numpy as np

from ._norm_rows import BLOCK, standardize_rows


def _flat(x):
    """(N, C, *) -> (N, C, L)"""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _blocks(x_NCL):
    step = max(1, BLOCK // max(1, x_NCL[0].size))
    return [slice(i, i + step) for i in range(0, len(x_NCL), step)]


def _column(t):
    """A parameter or statistic of C numbers as (C, 1); 1 when there is none."""
    return 1 if t is None else t.reshape(-1, 1)


def _sums(x_NCL):
    """Sums over the last axis, by BLAS: (N, C, L) -> (N, C)"""
    n, c, size = x_NCL.shape
    return x_NCL.reshape(n * c, size).dot(np.ones(size, x_NCL.dtype)).reshape(n, c)


def batch_moments(x):
    """(mean, biased variance) of each channel over batch and space: (1, C, 1, ...)."""
    x_NCL = _flat(x)
    count = x_NCL.shape[0] * x_NCL.shape[2]
    mean = _sums(x_NCL).sum(0)[:, None] / count
    squares = 0
    for some in _blocks(x_NCL):
        off = x_NCL[some] - mean
        squares = squares + np.vecdot(off, off).sum(0)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return mean.reshape(shape), (squares / count).reshape(shape)


def batch_norm_forward(x, weight, bias, mean, rstd):
    """x * scale + shift, per channel."""
    scale = _column(rstd) * _column(weight)
    return scale_and_shift(x, scale, -_column(mean) * scale + (0 if bias is None else _column(bias)))


def scale_and_shift(x, scale, shift):
    """x * scale + shift; scale, shift: (C, 1)"""
    x_NCL = _flat(x)
    y_NCL = np.empty_like(x_NCL)
    for some in _blocks(x_NCL):
        np.multiply(x_NCL[some], scale, out=y_NCL[some])
        y_NCL[some] += shift
    return y_NCL.reshape(x.shape)


def batch_norm_backward(g, x, weight, mean, rstd, needs):
    """Gradients for x, weight and bias: (C, 1, ...) the last two."""
    x_NCL, g_NCL = _flat(x), _flat(np.ascontiguousarray(g))
    mean, rstd, count = _column(mean), _column(rstd), x_NCL.shape[0] * x_NCL.shape[2]
    level, slope = _sums(g_NCL).sum(0)[:, None], 0  # sums of g, and of g * (x - mean)
    for some in _blocks(x_NCL):
        slope = slope + np.vecdot(x_NCL[some] - mean, g_NCL[some]).sum(0)
    slope = slope[:, None] * rstd
    shape = (-1, *(1,) * (x.ndim - 2))
    gx = _batch_norm_input_gradient(g_NCL, x_NCL, rstd * _column(weight), slope * rstd / count, level / count, mean) if needs[0] else None
    return None if gx is None else gx.reshape(x.shape), slope.reshape(shape) if needs[1] else None, level.reshape(shape)


def _batch_norm_input_gradient(g_NCL, x_NCL, scale, slope, level, mean):
    """scale * (g - level - slope * (x - mean))"""
    gx_NCL, tilt = np.empty_like(x_NCL), scale * slope
    rest = tilt * mean - scale * level
    for some in _blocks(x_NCL):
        part = np.multiply(g_NCL[some], scale, out=gx_NCL[some])
        part -= x_NCL[some] * tilt
        part += rest
    return gx_NCL


def group_norm_forward(x, weight, bias, groups, eps):
    """Groups of channels standardized, times weight, plus bias."""
    x_NCL = _flat(x)
    y_NCL, averaging = np.empty_like(x_NCL), _averaging(x_NCL, groups)
    for some in _blocks(x_NCL):
        rows = y_NCL[some].reshape(-1, averaging.size)
        rows *= standardize_rows(x_NCL[some].reshape(rows.shape), averaging, eps, True, rows)
        if weight is not None:
            y_NCL[some] *= _column(weight)
        if bias is not None:
            y_NCL[some] += _column(bias)
    return y_NCL.reshape(x.shape)


def _averaging(x_NCL, groups):
    n = x_NCL.shape[1] // groups * x_NCL.shape[2]
    return np.full(n, 1 / n, x_NCL.dtype)


def group_norm_backward(g, x, weight, groups, eps, needs):
    """Gradients for x, weight and bias: (C, 1, ...) the last two."""
    x_NCL, g_NCL = _flat(x), _flat(np.ascontiguousarray(g))
    gx_NCL, averaging, gw = np.empty_like(x_NCL), _averaging(x_NCL, groups), 0
    per = x_NCL.shape[1] // groups  # channels of a group
    for some in _blocks(x_NCL):
        part = gx_NCL[some]
        off = np.empty_like(part)
        rows, off_rows = part.reshape(-1, averaging.size), off.reshape(-1, averaging.size)
        rstd = standardize_rows(x_NCL[some].reshape(rows.shape), averaging, eps, True, off_rows)
        if needs[1]:
            gw = gw + (np.vecdot(g_NCL[some], off) * rstd.reshape(-1, groups).repeat(per, 1)).sum(0)
        np.multiply(g_NCL[some], _column(weight), out=part)
        off_rows *= np.vecdot(rows, off_rows)[:, None] * averaging[0] * rstd * rstd
        rows -= off_rows
        rows -= rows.dot(averaging)[:, None]
        rows *= rstd
    shape = (-1, *(1,) * (x.ndim - 2))
    return gx_NCL.reshape(x.shape), gw.reshape(shape) if needs[1] else None, _sums(g_NCL).sum(0).reshape(shape) if needs[2] else None

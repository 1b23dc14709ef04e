"""Normalisation on the CPU: which kernel takes which case.  Layer norm goes by rows, batch and group norm by channels, the rest in place."""
import math

import numpy as np

from . import _norm_channels as channels
from . import _norm_rows as rows
from .norm import group_normalize, moments, normalize, scale_shift


def _is_plain(x, *others):
    """Whether `x` has elements in one block of memory, of a type in which the CPU computes, and the others have its type."""
    return x.size and x.flags.c_contiguous and x.dtype.kind == "f" and all(t is None or t.dtype == x.dtype for t in others)


def _are_channels(x, axes):
    """Whether `axes` are all but the second, of which there are several."""
    return x.ndim > 2 and sorted(a % x.ndim for a in axes) == [0, *range(2, x.ndim)]


@normalize.kernel("numpy")
def _(xp, x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    if _is_plain(x, weight, bias, mean, rstd):
        n = rows.row_length(x, axes, weight, bias)
        if n and rstd is None:
            return rows.rows_forward(x.reshape(-1, n), _flat(weight), _flat(bias), eps, center).reshape(x.shape)
        if rstd is not None and center and _are_channels(x, axes):
            return channels.batch_norm_forward(x, weight, bias, mean, rstd)
    out, rstd = _off_and_rstd(x, mean, rstd, axes, eps, center)
    out *= rstd
    if weight is not None:
        out = np.multiply(out, weight, out=out if weight.dtype == out.dtype else None)
    if bias is not None:
        out += bias
    return out


@normalize.kernel("numpy", vjp="x")
def _(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    if _is_plain(x, g, weight, mean, rstd):
        n = rows.row_length(x, axes, weight)
        if n and rstd is None and (bias_shape is None or math.prod(bias_shape) == n):
            gx, gw, gb = rows.rows_backward(g.reshape(-1, n), x.reshape(-1, n), _flat(weight), eps, center, needs)
            return _shaped(gx, x.shape), _shaped(gw, x.shape[x.ndim - len(axes):]), _shaped(gb, x.shape[x.ndim - len(axes):])
        if rstd is not None and center and _are_channels(x, axes):
            return channels.batch_norm_backward(g, x, weight, mean, rstd, needs)
    off, rstd = _off_and_rstd(x, mean, rstd, axes, eps, center)
    gw = g * off * rstd if needs[1] else None
    if not needs[0]:
        return None, gw, g
    gx = g * weight if weight is not None else g.copy()
    slope = _mean(gx * off, axes)  # how gx moves with x, over the variance
    level = _mean(gx, axes) if center else None
    gx *= rstd
    slope *= rstd * rstd * rstd
    off *= slope
    gx -= off
    if center:
        level *= rstd
        gx -= level
    return gx, gw, g


def _off_and_rstd(x, mean, rstd, axes, eps, center):
    """(x - mean, 1 / standard deviation): a fresh array and kept dimensions."""
    off = x - (_mean(x, axes) if mean is None else mean) if center else x.copy()
    return off, 1 / np.sqrt(_mean(off * off, axes) + eps) if rstd is None else rstd


def _mean(x, axes):
    return np.add.reduce(x, axes, None, None, True) / (math.prod(x.shape[a] for a in axes) or math.nan)


def _flat(t):
    return None if t is None else t.reshape(-1)


def _shaped(t, shape):
    return None if t is None else t.reshape(shape)


@moments.kernel("numpy")
def _(xp, x, axes):
    if _is_plain(x) and x.dtype.itemsize > 2 and _are_channels(x, axes):
        return channels.batch_moments(x)
    return moments.forward(np, x, axes)


@scale_shift.kernel("numpy")
def _(xp, x, scale, shift):
    per_channel = x.ndim > 2 and all(t.shape == (x.shape[1], *(1,) * (x.ndim - 2)) for t in (scale, shift))
    if per_channel and _is_plain(x, scale, shift):
        return channels.scale_and_shift(x, scale.reshape(-1, 1), shift.reshape(-1, 1))
    return scale_shift.forward(np, x, scale, shift)


@group_normalize.kernel("numpy")
def _(xp, x, weight=None, bias=None, groups=1, eps=1e-5):
    if _is_plain(x, weight, bias):
        return channels.group_norm_forward(x, weight, bias, groups, eps)
    return group_normalize.forward(np, x, weight, bias, groups, eps)


@group_normalize.kernel("numpy", vjp="x")
def _(xp, g, x, weight, groups, eps, needs):
    if _is_plain(x, g, weight):
        return channels.group_norm_backward(g, x, weight, groups, eps, needs)
    return group_normalize.rules[0].fn(np, g, x, weight, groups, eps, needs)

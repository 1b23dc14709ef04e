"""Normalisation: one operation and one joint gradient for batch, layer, group, instance and root-mean-square norm."""
import math

import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.tensor import Tensor
from ._columns import column_sums


def _norm_types(raw, backend):
    """Floats of one type; statistics and affine parameters may stay float32 beside a half-precision input.  RuntimeError otherwise."""
    x = raw[0]
    for a in raw[1:]:
        if a is not None and a.dtype != x.dtype and not (_dtypes.is_half(x.dtype) and a.dtype == np.float32):
            raise RuntimeError(f"normalization: input is {_dtypes.of_numpy(x.dtype).name} but a parameter or statistic is "
                               f"{_dtypes.of_numpy(a.dtype).name}; convert one of them")
    if x.dtype.kind not in "fV":
        raise NotImplementedError(f'"normalization" not implemented for {_dtypes.of_numpy(x.dtype).name} tensors; convert it first, with '
                                  ".float()")
    return raw, x.dtype


@op(promote=_norm_types, broadcasts=True, grad_name="NativeLayerNorm")
def normalize(xp, x, weight=None, bias=None, mean=None, rstd=None, axes: tuple = (-1,), eps: float = 1e-5, center: bool = True):
    """(x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance taken over `axes`.  (*) -> (*)

    weight, bias  broadcast against x
    mean, rstd    the mean and 1 / sqrt(var + eps), kept dimensions, where they are known already: looks at x, not independent of it
    center        False: no mean is subtracted, and var is the mean square (root-mean-square norm)

    Ioffe & Szegedy 2015, arXiv:1502.03167; Ba et al. 2016, arXiv:1607.06450; Wu & He 2018, arXiv:1803.08494; Zhang & Sennrich 2019,
    arXiv:1910.07467.
    """
    xhat, _ = _standardize(xp, x, mean, rstd, axes, eps, center)
    out = xhat if weight is None else xhat * weight
    return out if bias is None else out + bias


@op(broadcasts=False, fast=False)
def moments(xp, x, axes: tuple):
    """(mean, biased variance) over `axes`, kept dimensions; in float32 for half precision.  Without gradients: `normalize` sees to those."""
    x = x.astype(np.float32) if _dtypes.is_half(x.dtype) else x
    mean = x.mean(axis=axes, keepdims=True)
    off = x - mean
    return mean, (off * off).mean(axis=axes, keepdims=True)


def _standardize(xp, x, mean, rstd, axes, eps, center):
    """(x with mean 0 and variance 1 over `axes`, 1 / the standard deviation it had)."""
    off = x - (xp.mean(x, axes, keepdims=True) if mean is None else mean) if center else x
    if rstd is None:
        rstd = 1 / xp.sqrt(xp.mean(off * off, axes, keepdims=True) + eps)
    return off * rstd, rstd


@normalize.vjp("x", "weight", "bias")
def _(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    if isinstance(x, Tensor):
        mean = rstd = None  # they depend on x, which a second derivative has to see
    xhat, rstd = _standardize(xp, x, mean, rstd, axes, eps, center)
    gx = _gradient(xp, g if weight is None else g * weight, xhat, rstd, axes, center) if needs[0] else None
    return gx, g * xhat if needs[1] else None, g


def _gradient(xp, gy, xhat, rstd, axes, center):
    """The gradient for x, from that for xhat."""
    gx = gy - xhat * xp.mean(gy * xhat, axes, keepdims=True)
    return rstd * (gx - xp.mean(gy, axes, keepdims=True) if center else gx)


@op(promote=_norm_types, broadcasts=True, grad_name="NativeGroupNorm")
def group_normalize(xp, x, weight=None, bias=None, groups: int = 1, eps: float = 1e-5):
    """`normalize` over groups of channels and space: x: (N, C, *), weight, bias: broadcast against it."""
    xhat, _ = _in_groups(xp, x, groups, eps)
    out = xp.reshape(xhat, x.shape)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _in_groups(xp, x, groups, eps):
    return _standardize(xp, xp.reshape(x, (x.shape[0], groups, -1)), None, None, (2,), eps, True)


@group_normalize.vjp("x", "weight", "bias")
def _(xp, g, x, weight, groups, eps, needs):
    xhat, rstd = _in_groups(xp, x, groups, eps)
    gx = None
    if needs[0]:
        gy = xp.reshape(g if weight is None else g * weight, xhat.shape)
        gx = xp.reshape(_gradient(xp, gy, xhat, rstd, (2,), True), x.shape)
    return gx, g * xp.reshape(xhat, x.shape) if needs[1] else None, g


# -- on the CPU --------------------------------------------------------------------------------------------------------
# Sums over trailing axes, those of layer norm, are products of a matrix with a vector of ones; for channels (batch norm) NumPy's own do.

@normalize.kernel("numpy")
def _(xp, x, weight=None, bias=None, mean=None, rstd=None, axes=(-1,), eps=1e-5, center=True):
    out, rstd = _off_and_rstd(x, mean, rstd, axes, eps, center)
    out *= rstd
    if weight is not None:
        out = np.multiply(out, weight, out=out if weight.dtype == out.dtype else None)
    if bias is not None:
        out += bias
    return out


@normalize.kernel("numpy", vjp="x")
def _(xp, g, x, weight, mean, rstd, bias_shape, axes, eps, center, needs):
    off, rstd = _off_and_rstd(x, mean, rstd, axes, eps, center)
    gw = _over_lead(g * off, rstd, weight.shape) if needs[1] else None
    gb = _over_lead(g, None, bias_shape) if needs[2] else None
    if not needs[0]:
        return None, gw, gb
    gx = g * weight if weight is not None else g.copy()
    slope = _mean_product(gx, off, axes)  # how gx moves with x, over the variance
    level = _mean(gx, axes) if center else None
    gx *= rstd
    slope *= rstd * rstd * rstd
    off *= slope
    gx -= off
    if center:
        level *= rstd
        gx -= level
    return gx, gw, gb


def _off_and_rstd(x, mean, rstd, axes, eps, center):
    """(x - mean, 1 / standard deviation): a fresh array and kept dimensions."""
    off = x - (_mean(x, axes) if mean is None else mean) if center else x.copy()
    if rstd is None:
        rstd = 1 / np.sqrt(_mean_product(off, off, axes) + eps)
    return off, rstd


def _count(x, axes):
    return math.prod(x.shape[a] for a in axes) or math.nan


def _trailing(x, axes):
    """Whether `axes` are the last ones, in one block of memory."""
    return x.flags.c_contiguous and x.size and sorted(a % x.ndim for a in axes) == list(range(x.ndim - len(axes), x.ndim))


def _mean(x, axes):
    n = _count(x, axes)
    if _trailing(x, axes):
        return x.reshape(-1, n).dot(np.full(n, 1 / n, x.dtype)).reshape(*x.shape[:x.ndim - len(axes)], *(1,) * len(axes))
    return np.add.reduce(x, axes, None, None, True) / n


def _mean_product(a, b, axes):
    """The mean of a * b over `axes`, kept."""
    n = _count(a, axes)
    if _trailing(a, axes) and _trailing(b, axes):
        total = np.vecdot(a.reshape(-1, n), b.reshape(-1, n)).reshape(*a.shape[:a.ndim - len(axes)], *(1,) * len(axes))
    else:
        total = np.add.reduce(a * b, axes, None, None, True)
    total /= n
    return total


def _over_lead(a, factor, shape):
    """a * factor, summed over leading axes down to `shape` where that is plain; otherwise the engine will sum it."""
    if a.size and a.flags.c_contiguous and shape == a.shape[a.ndim - len(shape):] and (factor is None or factor.ndim == a.ndim):
        rows = a.reshape(-1, math.prod(shape))
        if factor is None:
            return column_sums(rows).reshape(shape)
        if factor.size == len(rows):
            return column_sums(rows, factor.reshape(-1)).reshape(shape)
    return a if factor is None else a * factor

"""Normalisation: one operation and one joint gradient for batch, layer, group, instance and root-mean-square norm."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from .._core.tensor import Tensor
from ._run import run


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


@op(broadcasts=False, fast=False)
def tracked_moments(xp, x, running_mean=None, running_var=None, axes: tuple = (0,), eps: float = 1e-5, momentum: float = 0.1):
    """(mean, 1 / sqrt(biased variance + eps)) over `axes`, kept dimensions, as `moments` has them; for batch norm in training.

    running_mean, running_var: arrays of as many elements, written in place: (1 - momentum) * running + momentum * new, the variance unbiased
    """
    mean, var = run(moments, xp, x, axes=axes)
    count = x.size // max(1, mean.size)
    for running, new, factor in ((running_mean, mean, momentum), (running_var, var, momentum * count / max(1, count - 1))):
        if running is not None:
            running *= 1 - momentum
            running += (new.reshape(-1) * factor).astype(running.dtype, copy=False)
    return mean, 1 / xp.sqrt(var + eps)


@op(promote=_norm_types, broadcasts=True, grad_name="NativeBatchNorm")
def scale_shift(xp, x, scale, shift):
    """x * scale + shift, both broadcast against x: batch norm in evaluation."""
    return x * scale + shift


@scale_shift.vjp("x")
def _(xp, g, scale):
    return g * scale


@scale_shift.vjp("scale")
def _(xp, g, x):
    return g * x


@scale_shift.vjp("shift")
def _(xp, g):
    return g


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

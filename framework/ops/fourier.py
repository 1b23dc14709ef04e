"""Discrete Fourier transforms: y[k] = sum over j of x[j] exp(-2 pi i j k / n), and back.

norm says who divides: "backward" (the inverse by n), "forward" (the other one), "ortho" (both by the root of n).  The adjoint of a
transform is the opposite one with the opposite norm, which is all that the gradients need.
"""
import numpy as np

from .._backends import BACKENDS
from .._core.op import op
from .._core.promotion import to_float
from ._run import run, zeros_beside

ADJOINT = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


@op(promote=to_float, fast=False, holomorphic=False, grad_name="FftC2C")
def fft_complex(xp, x, axes: tuple, inverse: bool = False, norm: str = "backward"):
    """The transform over several axes, complex.  (*) -> (*)"""
    return (xp.fft.ifftn if inverse else xp.fft.fftn)(x, axes=axes, norm=norm)


@fft_complex.vjp("x")
def _(xp, g, x_dtype, axes, inverse, norm):
    back = run(fft_complex, xp, g, axes=axes, inverse=not inverse, norm=ADJOINT[norm])
    return back if x_dtype.kind == "c" else xp.real(back)


@op(promote=to_float, fast=False, holomorphic=False, grad_name="FftR2C")
def fft_real(xp, x, axis: int, norm: str = "backward"):
    """The transform of real numbers over one axis, its redundant half left out.  (*a, n, *b) -> (*a, n // 2 + 1, *b)"""
    return xp.fft.rfft(x, axis=axis, norm=norm)


@fft_real.vjp("x")
def _(xp, g, x_shape, axis, norm):
    axis %= len(x_shape)
    rest = (*x_shape[:axis], x_shape[axis] - g.shape[axis], *x_shape[axis + 1:])
    whole = xp.concatenate([g, zeros_beside(g, rest)], axis)
    return xp.real(run(fft_complex, xp, whole, axes=(axis,), inverse=True, norm=ADJOINT[norm]))


@op(promote=to_float, fast=False, holomorphic=False, grad_name="FftC2R")
def fft_real_inverse(xp, x, n: int, axis: int, norm: str = "backward"):
    """Back from the half that `fft_real` keeps, to `n` real numbers.  (*a, n // 2 + 1, *b) -> (*a, n, *b)"""
    return xp.fft.irfft(x, n, axis=axis, norm=norm)


@fft_real_inverse.vjp("x")
def _(xp, g, x_dtype, n, axis, norm):
    half = run(fft_real, xp, g, axis=axis, norm=ADJOINT[norm])
    axis %= g.ndim
    twice = np.full(n // 2 + 1, 2.0)  # each of these but the first, and the middle one of an even n, stands for its mirror image too
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    weight = zeros_beside(half, (n // 2 + 1, *(1,) * (g.ndim - axis - 1)))
    raw = getattr(weight, "_data", weight)
    raw[...] = BACKENDS[type(raw)].xp.asarray(twice).reshape(raw.shape)
    out = half * weight
    return out if x_dtype.kind == "c" else xp.real(out)

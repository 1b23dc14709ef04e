"""torch.fft's names: discrete Fourier transforms of any dimensions, with gradients of both orders.

n or s: the length along each transformed dimension, to which the input is cut or filled up with zeros first.  dim: which dimensions.
norm: "backward" (default), "forward" or "ortho": see `ops/fourier.py`.  RuntimeError for what does not fit.
"""
import numpy as np

from . import ops
from ._device import as_device
from ._dtypes import as_dtype, get_default_dtype
from ._functional._out import accepting_out
from ._functional.creation import tensor
from .ops.fourier import ADJOINT
from .ops.shape import wrap_dim

# -- arguments ---------------------------------------------------------------------------------------------------------

def _norm(norm):
    norm = "backward" if norm is None else norm
    if norm not in ADJOINT:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"; it is one of {", ".join(ADJOINT)}')
    return norm


def _axes(input, s, dim):
    """(lengths or None, axes) of an n-dimensional transform."""
    n = input._data.ndim
    s = (s,) if isinstance(s, int) else s
    if dim is None:
        axes = tuple(range(n - len(s), n)) if s is not None else tuple(range(n))
    else:
        axes = tuple(wrap_dim(d, n) for d in ((dim,) if isinstance(dim, int) else dim))
    if len(set(axes)) < len(axes):
        raise RuntimeError("FFT dims must be unique")
    if s is not None and len(s) != len(axes):
        raise RuntimeError(f"When given, dim and shape arguments must have the same length: {list(axes)} and {list(s)}")
    if any(a < 0 for a in axes):
        raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {n} dimensions.")
    return s, axes


def _sized(input, s, axes):
    """`input` cut or filled up with zeros to lengths `s` along `axes`."""
    for length, axis in zip(s or (), axes):
        have = input._data.shape[axis]
        if length == -1 or length == have:
            continue
        if length < 1:
            raise RuntimeError(f"Invalid number of data points ({length}) specified")
        if length < have:
            input = ops.getitem(input, (*(slice(None),) * axis, slice(length)))
        else:
            rest = (*input._data.shape[:axis], length - have, *input._data.shape[axis + 1:])
            input = ops.concatenate([input, ops.zeros(rest, input.dtype, input.device)], axis)
    for axis in axes:
        if not input._data.shape[axis]:
            raise RuntimeError("Invalid number of data points (0) specified")
    return input


def _refuse_complex(name, input):
    if input._data.dtype.kind == "c":
        raise RuntimeError(f"{name} expects a real input tensor, but got {input.dtype}")


# -- transforms --------------------------------------------------------------------------------------------------------

def _complex(name, inverse, dims, doc):
    def transform(input, s=None, dim=dims, norm=None):
        s, axes = _axes(input, s, dim)
        return ops.fft_complex(_sized(input, s, axes), axes, inverse, _norm(norm))

    def along(input, n=None, dim=-1, norm=None):
        return transform(input, None if n is None else (n,), (dim,), norm)
    function = along if dims == (-1,) else transform
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


fft = _complex("fft", False, (-1,), "The transform along one dimension.")
ifft = _complex("ifft", True, (-1,), "The inverse of `fft`.")
fft2 = _complex("fft2", False, (-2, -1), "The transform over two dimensions.")
ifft2 = _complex("ifft2", True, (-2, -1), "The inverse of `fft2`.")
fftn = _complex("fftn", False, None, "The transform over all dimensions, or those of `dim`, or as many of the last as `s` has lengths.")
ifftn = _complex("ifftn", True, None, "The inverse of `fftn`.")


def rfftn(input, s=None, dim=None, norm=None):
    """`fftn` of real numbers, without the redundant half along the last transformed dimension."""
    _refuse_complex("rfftn", input)
    s, axes = _axes(input, s, dim)
    half = ops.fft_real(_sized(input, s, axes), axes[-1], _norm(norm))
    return ops.fft_complex(half, axes[:-1], False, _norm(norm)) if len(axes) > 1 else half


def irfftn(input, s=None, dim=None, norm=None):
    """The inverse of `rfftn`: real.  Without `s` the last length is taken to be even: 2 (m - 1)."""
    s, axes = _axes(input, s, dim)
    last = 2 * (input._data.shape[axes[-1]] - 1) if s is None or s[-1] == -1 else s[-1]
    if last < 1:
        raise RuntimeError(f"Invalid number of data points ({last}) specified")
    lengths = [*(s[:-1] if s is not None else [-1] * (len(axes) - 1)), last // 2 + 1]
    whole = _sized(input, lengths, axes)
    if len(axes) > 1:
        whole = ops.fft_complex(whole, axes[:-1], True, _norm(norm))
    return ops.fft_real_inverse(whole, last, axes[-1], _norm(norm))


def rfft(input, n=None, dim=-1, norm=None):
    """`fft` of real numbers, without the redundant half.  (*, n) -> (*, n // 2 + 1)"""
    return rfftn(input, None if n is None else (n,), (dim,), norm)


def irfft(input, n=None, dim=-1, norm=None):
    """The inverse of `rfft`: real.  (*, m) -> (*, n), n = 2 (m - 1) by default"""
    return irfftn(input, None if n is None else (n,), (dim,), norm)


def rfft2(input, s=None, dim=(-2, -1), norm=None):
    """`rfftn` over two dimensions."""
    return rfftn(input, s, dim, norm)


def irfft2(input, s=None, dim=(-2, -1), norm=None):
    """`irfftn` over two dimensions."""
    return irfftn(input, s, dim, norm)


def hfft(input, n=None, dim=-1, norm=None):
    """`fft` of a signal that is its own mirrored conjugate, given by its first half: real."""
    return irfft(ops.conj(input), n, dim, ADJOINT[_norm(norm)])


def ihfft(input, n=None, dim=-1, norm=None):
    """The inverse of `hfft`."""
    return ops.conj(rfft(input, n, dim, ADJOINT[_norm(norm)]))


def hfftn(input, s=None, dim=None, norm=None):
    """`hfft` along the last of several dimensions, after `fft` along the others: real."""
    s, axes = _axes(input, s, dim)
    last = 2 * (input._data.shape[axes[-1]] - 1) if s is None or s[-1] == -1 else s[-1]
    if last < 1:
        raise RuntimeError(f"Invalid number of data points ({last}) specified")
    lengths = [*(s[:-1] if s is not None else [-1] * (len(axes) - 1)), last // 2 + 1]
    whole = _sized(input, lengths, axes)
    if len(axes) > 1:
        whole = ops.fft_complex(whole, axes[:-1], False, _norm(norm))
    return hfft(whole, last, axes[-1], norm)


def ihfftn(input, s=None, dim=None, norm=None):
    """The inverse of `hfftn`."""
    _refuse_complex("ihfftn", input)
    s, axes = _axes(input, s, dim)
    half = ihfft(_sized(input, s, axes), None, axes[-1], norm)
    return ops.fft_complex(half, axes[:-1], True, _norm(norm)) if len(axes) > 1 else half


def hfft2(input, s=None, dim=(-2, -1), norm=None):
    """`hfftn` over two dimensions."""
    return hfftn(input, s, dim, norm)


def ihfft2(input, s=None, dim=(-2, -1), norm=None):
    """`ihfftn` over two dimensions."""
    return ihfftn(input, s, dim, norm)


# -- frequencies -------------------------------------------------------------------------------------------------------

def _shift(input, dim, sign):
    n = input._data.ndim
    axes = tuple(range(n)) if dim is None else tuple(wrap_dim(d, n) for d in ((dim,) if isinstance(dim, int) else dim))
    steps = tuple(input._data.shape[a] // 2 if sign > 0 else -(input._data.shape[a] // 2) for a in axes)
    return ops.roll(input, steps, axes)


def fftshift(input, dim=None):
    """Frequency 0 moved to the middle, along `dim` or all dimensions."""
    return _shift(input, dim, 1)


def ifftshift(input, dim=None):
    """The inverse of `fftshift`."""
    return _shift(input, dim, -1)


def _frequencies(values, dtype, device, requires_grad):
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    return tensor(values.astype(dtype.np), device=as_device(device), requires_grad=requires_grad)


def fftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies, in cycles per unit of the sample distance `d`, that `fft` gives the strengths of.  -> (n)"""
    return _frequencies(np.fft.fftfreq(n, d), dtype, device, requires_grad)


def rfftfreq(n, d=1.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """Those of `rfft`.  -> (n // 2 + 1)"""
    return _frequencies(np.fft.rfftfreq(n, d), dtype, device, requires_grad)


__all__ = ["fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn",
           "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn"]
_WITHOUT_OUT = ("fftshift", "ifftshift")  # as in torch
globals().update({name: accepting_out(f"fft_{name}", globals()[name]) for name in __all__ if name not in _WITHOUT_OUT})

"""Window functions for short-time Fourier transforms: `window_length` weights, rising to 1 and falling again.

periodic: one step longer with the last left out, so that windows laid end to end repeat; otherwise symmetric.
"""
import math

import numpy as np

from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype
from .creation import tensor


def _made(name, window_length, periodic, weights, dtype, device, requires_grad):
    if window_length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={window_length}")
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    n = window_length + periodic
    values = np.ones(window_length) if window_length <= 1 else weights(np.arange(n), n - 1)[:window_length]
    return tensor(values.astype(dtype.np), device=as_device(device), requires_grad=requires_grad)


def hann_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, requires_grad=False):
    """(1 - cos(2 pi k / n)) / 2"""
    return hamming_window(window_length, periodic, 0.5, 0.5, dtype=dtype, device=device, requires_grad=requires_grad)


def hamming_window(window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, layout=None, device=None, requires_grad=False):
    """alpha - beta cos(2 pi k / n)"""
    return _made("hamming_window", window_length, periodic, lambda k, n: alpha - beta * np.cos(2 * math.pi * k / n), dtype, device, requires_grad)


def blackman_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, requires_grad=False):
    """0.42 - 0.5 cos(2 pi k / n) + 0.08 cos(4 pi k / n)"""
    return _made("blackman_window", window_length, periodic,
                 lambda k, n: 0.42 - 0.5 * np.cos(2 * math.pi * k / n) + 0.08 * np.cos(4 * math.pi * k / n), dtype, device, requires_grad)


def bartlett_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, requires_grad=False):
    """1 - |2 k / n - 1|"""
    return _made("bartlett_window", window_length, periodic, lambda k, n: 1 - np.abs(2 * k / n - 1), dtype, device, requires_grad)


def kaiser_window(window_length, periodic=True, beta=12.0, *, dtype=None, layout=None, device=None, requires_grad=False):
    """i0(beta sqrt(1 - (2 k / n - 1)^2)) / i0(beta)"""
    return _made("kaiser_window", window_length, periodic,
                 lambda k, n: np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * k / n - 1) ** 2))) / np.i0(beta), dtype, device, requires_grad)


FUNCTIONS = {"hann_window": hann_window, "hamming_window": hamming_window, "blackman_window": blackman_window, "bartlett_window": bartlett_window,
             "kaiser_window": kaiser_window}
METHODS = {}
INPLACE = {}

"""torch.backends.cudnn: switches of the convolutions on the GPU, and whether cuDNN is there.

    enabled          False: convolutions are products of copied windows
    benchmark        the first call for new shapes measures up to `benchmark_limit` of the ways that cuDNN proposes, and keeps the quickest
    deterministic    only ways that give the same bits every time
    allow_tf32       float32 may be rounded to TF32; `conv.fp32_precision` ("tf32" or "ieee") is another name of it
"""
import sys
import types

from .. import _config
from .._libraries.choice import cudnn_version
from ..cuda import is_available as _cuda_is_available
from ._flags import setting

fp32_precision = "none"


def is_available():
    """Whether cuDNN and a GPU are there."""
    return version() is not None


def version():
    """cuDNN's version as one number, such as 91900; None without it or without a GPU."""
    return cudnn_version() if _cuda_is_available() else None


def is_acceptable(tensor):
    """Whether an operation on `tensor` could use cuDNN."""
    return is_available() and _config.CUDNN["enabled"] and tensor.is_cuda and tensor.is_floating_point()


def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """The switches for the length of a `with` block."""
    return setting(__name__, enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit, deterministic=deterministic,
                   allow_tf32=allow_tf32, fp32_precision=fp32_precision)


def set_flags(_enabled=None, _benchmark=None, _benchmark_limit=None, _deterministic=None, _allow_tf32=None, _fp32_precision="none"):
    """Set what is not None; returns what was set before, in this order."""
    module = sys.modules[__name__]
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32", "fp32_precision")
    values = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32, _fp32_precision)
    before = tuple([getattr(module, name) for name in names])
    for name, value in zip(names, values):
        if value is not None:
            setattr(module, name, value)
    return before


class _Precision:
    """backends.cudnn.rnn: recurrent layers are products of matrices here, and do not ask it."""

    def __init__(self):
        self.fp32_precision = "tf32"


class _ConvolutionPrecision:
    """backends.cudnn.conv"""

    @property
    def fp32_precision(self):
        return "tf32" if _config.TF32["conv"] else "ieee"

    @fp32_precision.setter
    def fp32_precision(self, value):
        _config.TF32["conv"] = value not in ("ieee", "none")


def _switch(settings, key):
    def get(self):
        return settings[key]

    def put(self, value):
        settings[key] = value
    return property(get, put)


class _Module(types.ModuleType):
    """This module's type: its switches are where the kernels, which know no public names, can read them."""

    enabled, benchmark, benchmark_limit, deterministic = (_switch(_config.CUDNN, key) for key in _config.CUDNN)
    allow_tf32 = _switch(_config.TF32, "conv")


conv, rnn = _ConvolutionPrecision(), _Precision()
sys.modules[__name__].__class__ = _Module

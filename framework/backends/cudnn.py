"""torch.backends.cudnn.  The switches are kept and change nothing: CuPy chooses algorithms by itself, and the CPU has no cuDNN."""
import importlib
import importlib.util

from ..cuda import is_available as _cuda_is_available
from ._flags import setting

enabled = True
benchmark = False
benchmark_limit = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available():
    """Whether cuDNN's frontend library and a GPU are there."""
    return _cuda_is_available() and importlib.util.find_spec("cudnn") is not None


def version():
    """cuDNN's version as one number, such as 91002; None without it."""
    return importlib.import_module("cudnn").backend_version() if is_available() else None


def is_acceptable(tensor):
    """Whether an operation on `tensor` could use cuDNN."""
    return is_available() and enabled and tensor.is_cuda and tensor.is_floating_point()


def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """The switches for the length of a `with` block."""
    return setting(__name__, enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit, deterministic=deterministic,
                   allow_tf32=allow_tf32, fp32_precision=fp32_precision)


def set_flags(_enabled=None, _benchmark=None, _benchmark_limit=None, _deterministic=None, _allow_tf32=None, _fp32_precision="none"):
    """Set what is not None; returns what was set before, in this order."""
    before = (enabled, benchmark, benchmark_limit, deterministic, allow_tf32, fp32_precision)
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32", "fp32_precision")
    values = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32, _fp32_precision)
    globals().update({name: value for name, value in zip(names, values) if value is not None})
    return before


class _Precision:
    """backends.cudnn.conv and .rnn: one setting each."""

    def __init__(self):
        self.fp32_precision = "tf32"


conv, rnn = _Precision(), _Precision()

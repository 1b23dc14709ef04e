"""Switches of the whole process that torch has and programs set."""
import os
import warnings

from .._config import DETERMINISTIC, TF32
from .._device import CPU, as_device
from .._state import state
from .._threads import get_num_threads, set_num_threads

_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")
_settings = {"precision": "highest", "interop": None, "warn_always": False}


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Ask for operations that give the same bits every time.

    All operations on the CPU do.  On CUDA, sums into repeated places use atomic additions, whose order varies.  This switch selects sums in the
    order of their places instead: for the gradients of embedding, indexing, gather, index_select, grid_sample and max_unpool, for index_add,
    scatter_add, scatter_reduce and index_put; of several values put into one place the last one stays.  What has no such form raises
    RuntimeError, in torch's words, or warns with warn_only: bincount and histogram with weights, cumsum of floats, dense forms of sparse tensors
    with repeated places.
    cuBLAS keeps to one order when CUBLAS_WORKSPACE_CONFIG=:4096:8 is set before the program starts.
    """
    DETERMINISTIC.update(on=bool(mode), warn=bool(warn_only))


def are_deterministic_algorithms_enabled():
    """Whether `use_deterministic_algorithms(True)` is in force."""
    return DETERMINISTIC["on"]


def is_deterministic_algorithms_warn_only_enabled():
    """Whether it is in force with warn_only=True."""
    return DETERMINISTIC["warn"]


def set_deterministic_debug_mode(debug_mode):
    """`use_deterministic_algorithms` by a word or its number: "default" (0), "warn" (1), "error" (2)."""
    if isinstance(debug_mode, str) and debug_mode in _MODES:
        debug_mode = _MODES.index(debug_mode)
    elif not isinstance(debug_mode, int):
        words = ", ".join(f"`{mode}`" for mode in _MODES)
        if isinstance(debug_mode, str):
            raise RuntimeError(f"invalid value of debug_mode, expected one of {words}, but got {debug_mode}")
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if not 0 <= debug_mode <= 2:
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode():
    """0, 1 or 2: see `set_deterministic_debug_mode`."""
    return 0 if not DETERMINISTIC["on"] else 1 if DETERMINISTIC["warn"] else 2


# -- places ------------------------------------------------------------------------------------------------------------

def set_default_device(device):
    """New tensors of this thread lie on `device` unless told otherwise; None: on the CPU again."""
    state.device = None if device is None else as_device(device)


def get_default_device():
    """Where new tensors of this thread lie unless told otherwise."""
    return state.device or CPU


# -- precision and threads ---------------------------------------------------------------------------------------------

def set_float32_matmul_precision(precision):
    """How precise products of float32 matrices are on CUDA: "highest" in float32, "high" or "medium" may round to TF32.  The CPU takes float32.

    Where cuBLASLt is missing (see `show_config`), CuPy decides about TF32 when it is imported (CUPY_TF32=1).
    `backends.cuda.matmul.allow_tf32` is another name of this setting.
    """
    if precision not in _PRECISIONS:
        warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'; the current setFloat32MatmulPrecision call has no effect.",
                      UserWarning, stacklevel=2)
        return
    _settings["precision"] = precision
    TF32["matmul"] = precision != "highest"


def get_float32_matmul_precision():
    """What `set_float32_matmul_precision` was last given; "highest" at first."""
    return _settings["precision"]


def set_num_interop_threads(int):  # noqa: A002 - torch's name
    """Remembers a number of threads: operations run one after the other here.  RuntimeError unless it is positive."""
    if int <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _settings["interop"] = int


def get_num_interop_threads():
    """What `set_num_interop_threads` was given; at first the number of processors."""
    return _settings["interop"] or os.cpu_count()


def set_flush_denormal(mode):
    """Returns False: numbers below the normal ones are never flushed to zero here."""
    return False


def set_warn_always(b):
    """Remembers whether a warning shall be shown each time; here Python's own filters decide (the module `warnings`)."""
    if not isinstance(b, bool):
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _settings["warn_always"] = b


def is_warn_always_enabled():
    """What `set_warn_always` was last given; False at first."""
    return _settings["warn_always"]


FUNCTIONS = {f.__name__: f for f in (
    use_deterministic_algorithms, are_deterministic_algorithms_enabled, is_deterministic_algorithms_warn_only_enabled,
    set_deterministic_debug_mode, get_deterministic_debug_mode, set_default_device, get_default_device, set_float32_matmul_precision,
    get_float32_matmul_precision, set_num_threads, get_num_threads, set_num_interop_threads, get_num_interop_threads, set_flush_denormal,
    set_warn_always, is_warn_always_enabled)}
METHODS = {}
INPLACE = {}

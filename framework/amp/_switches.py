"""The settings of autocast in torch's words: asked and set per thread and device type."""
import warnings

from .._device import device as Device
from .._dtypes import as_dtype
from .._state import state
from ._state import DEFAULT_DTYPES, install, settings


def _known(device_type, why="unsupported scalarType"):
    """RuntimeError for a device type without autocast."""
    if device_type not in DEFAULT_DTYPES:
        Device(device_type)  # refuses what is no device type at all
        raise RuntimeError(why)
    return device_type


def is_autocast_available(device_type):
    """Whether `device_type` ("cpu", "cuda", ...) has autocast."""
    if device_type in DEFAULT_DTYPES:
        return True
    Device(device_type)
    return False


def is_autocast_enabled(device_type="cuda"):
    """Whether this thread is in an autocast region of `device_type`."""
    return settings.enabled[_known(device_type)]


def set_autocast_enabled(device_type, enabled=None):
    """Switch autocast on or off in this thread: (device_type, enabled), or (enabled) for "cuda"."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    settings.enabled[_known(device_type)] = bool(enabled)
    if not any(settings.enabled.values()) and settings.traces and hasattr(state.tracer, "is_autocast"):
        state.tracer, settings.traces = state.tracer.outer, False
    install()


def get_autocast_dtype(device_type):
    """The type that operations run in inside an autocast region of `device_type`."""
    return settings.dtypes[_known(device_type)]


def set_autocast_dtype(device_type, dtype):
    """Choose the type that operations run in inside an autocast region of `device_type`."""
    settings.dtypes[_known(device_type)] = as_dtype(dtype)


def is_autocast_cache_enabled():
    """Whether casts of parameters are kept until the outermost region ends."""
    return settings.cache_enabled


def set_autocast_cache_enabled(enabled):
    """Switch the keeping of cast parameters on or off."""
    settings.cache_enabled = bool(enabled)


def clear_autocast_cache():
    """Forget the cast parameters."""
    settings.cache.clear()


def autocast_increment_nesting():
    """Note that a region was entered.  Returns how many this thread is in."""
    settings.nesting += 1
    return settings.nesting


def autocast_decrement_nesting():
    """Note that a region was left.  Returns how many this thread is in."""
    settings.nesting -= 1
    return settings.nesting


def _older(name, instead, function):
    """torch's older function `name`, which warns and calls the newer one."""
    def older(*args):
        warnings.warn(f"ringgrad.{name} is deprecated. Please use ringgrad.{instead} instead.", DeprecationWarning, stacklevel=2)
        return function(*args)
    older.__name__ = older.__qualname__ = name.partition("(")[0]
    older.__doc__ = f"torch's older form of `{instead}`."
    return older


OLDER = {}
for _word, _type in (("cpu", "cpu"), ("gpu", "cuda"), ("ipu", "ipu"), ("xla", "xla")):
    if _word != "gpu":
        OLDER[f"is_autocast_{_word}_enabled"] = _older(f"is_autocast_{_word}_enabled()", f"is_autocast_enabled('{_type}')",
                                                       lambda t=_type: is_autocast_enabled(t))
        OLDER[f"set_autocast_{_word}_enabled"] = _older(f"set_autocast_{_word}_enabled(enabled)", f"set_autocast_enabled('{_type}', enabled)",
                                                        lambda enabled, t=_type: set_autocast_enabled(t, enabled))
    OLDER[f"get_autocast_{_word}_dtype"] = _older(f"get_autocast_{_word}_dtype()", f"get_autocast_dtype('{_type}')",
                                                  lambda t=_type: get_autocast_dtype(t))
    OLDER[f"set_autocast_{_word}_dtype"] = _older(f"set_autocast_{_word}_dtype(dtype)", f"set_autocast_dtype('{_type}', dtype)",
                                                  lambda dtype, t=_type: set_autocast_dtype(t, dtype))
globals().update(OLDER)

__all__ = ["autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache", "get_autocast_dtype",
           "is_autocast_available", "is_autocast_cache_enabled", "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_dtype",
           "set_autocast_enabled", *OLDER]

"""torch.backends.opt_einsum: einsum contracts from left to right; the switches are kept."""
import importlib
import importlib.util

from ._flags import setting

enabled = False
strategy = None


def is_available():
    """Whether the library opt_einsum is installed."""
    return importlib.util.find_spec("opt_einsum") is not None


def get_opt_einsum():
    """The module opt_einsum; None where it is not installed."""
    return importlib.import_module("opt_einsum") if is_available() else None


def flags(enabled=None, strategy=None):
    """The switches for the length of a `with` block."""
    return setting(__name__, enabled=enabled, strategy=strategy)


def set_flags(_enabled=None, _strategy=None):
    """Set what is not None; returns what was set before."""
    before = (enabled, strategy)
    globals().update({n: v for n, v in (("enabled", _enabled), ("strategy", _strategy)) if v is not None})
    return before

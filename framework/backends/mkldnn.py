"""torch.backends.mkldnn: oneDNN is not used; the switches are kept."""
import contextlib

from ._flags import setting

VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION = 0, 1, 2
enabled = True
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available():
    """False."""
    return False


def is_acl_available():
    """False."""
    return False


def verbose(level):
    """A `with` block that changes nothing."""
    return contextlib.nullcontext()


def flags(enabled=False, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """The switches for the length of a `with` block."""
    return setting(__name__, enabled=enabled, deterministic=deterministic, allow_tf32=allow_tf32, fp32_precision=fp32_precision)


def set_flags(_enabled=None, _deterministic=None, _allow_tf32=None, _fp32_precision="none"):
    """Set what is not None; returns what was set before."""
    before = (enabled, deterministic, allow_tf32, fp32_precision)
    names = ("enabled", "deterministic", "allow_tf32", "fp32_precision")
    values = (_enabled, _deterministic, _allow_tf32, _fp32_precision)
    globals().update({name: value for name, value in zip(names, values) if value is not None})
    return before

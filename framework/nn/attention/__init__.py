"""torch.nn.attention: which kernel scaled dot-product attention may take, `bias`, causal masks as objects, and `flex_attention`."""
import contextlib
import enum
from collections.abc import Iterator

from . import bias, flex_attention

WARN_FOR_UNFUSED_KERNELS = False  # torch would say why a kernel cannot be taken


class SDPBackend(enum.IntEnum):
    """The kernels that torch has for scaled dot-product attention.  Here there is one on each device, which counts as all of them."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    __repr__ = enum.Enum.__repr__

    def __str__(self):
        return f"SDPBackend.{self.name}"


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False) -> Iterator[dict]:
    """A region in which attention may take these kernels only, an SDPBackend or a list of them.  Checked, and without effect on the numbers."""
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(f"Backend must be an instance of SDPBackend or a list of SDPBackend instances, got {type(backends).__name__}")
    yield {}


__all__ = ["SDPBackend", "WARN_FOR_UNFUSED_KERNELS", "bias", "flex_attention", "sdpa_kernel"]

"""torch.nn.attention: which kernel scaled dot-product attention may take, `bias`, causal masks as objects, `flex_attention` and `varlen`."""
import contextlib
import enum
from collections.abc import Iterator

from ..._config import ATTENTION
from . import bias, flex_attention, varlen

WARN_FOR_UNFUSED_KERNELS = False  # torch would say why a kernel cannot be taken


class SDPBackend(enum.IntEnum):
    """The kernels that torch has for scaled dot-product attention.

    On a GPU FLASH_ATTENTION and CUDNN_ATTENTION are cuDNN's, EFFICIENT_ATTENTION is ours, which keeps large softmaxes in parts, MATH is the
    composition.  On the CPU there is one, which counts as all of them.
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    __repr__ = enum.Enum.__repr__

    def __str__(self):
        return f"SDPBackend.{self.name}"


_FORMS = {SDPBackend.MATH: "math", SDPBackend.FLASH_ATTENTION: "flash", SDPBackend.EFFICIENT_ATTENTION: "mem_efficient",
          SDPBackend.CUDNN_ATTENTION: "cudnn"}


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority=False) -> Iterator[dict]:
    """A region in which attention on a GPU may take these kernels only, an SDPBackend or a list of them; where none of them can be taken it raises
    RuntimeError.  On the CPU it is without effect.
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(f"Backend must be an instance of SDPBackend or a list of SDPBackend instances, got {type(backends).__name__}")
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    before = dict(ATTENTION)
    ATTENTION.update({form: kind in chosen for kind, form in _FORMS.items()})
    try:
        yield {}
    finally:
        ATTENTION.update(before)


__all__ = ["SDPBackend", "WARN_FOR_UNFUSED_KERNELS", "bias", "flex_attention", "sdpa_kernel", "varlen"]

"""torch._C._nn, of which programs take the reading of the arguments of `to`."""
from ..nn.modules.module import _parse_to as _read

__all__ = []


def _parse_to(*args, **kwargs):
    """(device, dtype, non_blocking, memory format) of the arguments of `Module.to`, None where they do not say."""
    return *_read(*args, **kwargs), kwargs.get("memory_format")

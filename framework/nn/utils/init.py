"""Modules without initial values."""
import inspect

from ..init import skipped
from ..modules.module import Module


def skip_init(module_cls, *args, **kwargs):
    """module_cls(*args, **kwargs) whose parameters hold whatever the memory held: for those about to be loaded.

    The class must take `device`; what its constructor does through `nn.init` is left out, and no random number is drawn by it.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with skipped():
        return module_cls(*args, **kwargs)


__all__ = ["skip_init"]

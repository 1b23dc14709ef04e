"""A module on one device of each of several processes."""
from . import _plug

__getattr__ = _plug.classes(__name__, "DistributedDataParallel")

__all__ = ["DistributedDataParallel"]  # noqa: F822 - it comes when it is asked for

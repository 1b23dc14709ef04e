"""A module on several devices of one process."""
from . import _plug

data_parallel = _plug.function("data_parallel", "module(*inputs) computed on several devices: DataParallel as a function.")
__getattr__ = _plug.classes(__name__, "DataParallel")

__all__ = ["DataParallel", "data_parallel"]  # noqa: F822 - the class comes when it is asked for

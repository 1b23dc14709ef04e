"""Neural networks: modules, parameters, losses, with torch.nn's names, arguments and semantics."""
from . import functional, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter

_PARALLEL = ("DataParallel", "SyncBatchNorm")  # from ringgrad.distributed, imported when asked for

__all__ = ["Buffer", "Parameter", "functional", "init", "modules", "parallel", "parameter", "utils", *modules.__all__]


def __getattr__(name):
    if name in _PARALLEL:
        return getattr(parallel, name)
    raise AttributeError(f"module 'ringgrad.nn' has no attribute {name!r}")

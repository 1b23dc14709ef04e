"""Neural networks: modules, parameters, losses, with torch.nn's names, arguments and semantics."""
from . import attention, common_types, functional, grad, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

_PARALLEL = ("DataParallel", "SyncBatchNorm")  # from ringgrad.distributed, imported when asked for

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "attention", "common_types", "factory_kwargs", "functional",
           "grad", "init", "modules", "parallel", "parameter", "utils", *modules.__all__]


def factory_kwargs(kwargs):
    """The device, dtype and memory_format among `kwargs`, and in its entry "factory_kwargs", for functions that make tensors.

    TypeError for other names, and for one given twice.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    if not kwargs.keys() <= simple | {"factory_kwargs"}:
        raise TypeError(f"unexpected kwargs {kwargs.keys() - simple - {'factory_kwargs'}}")
    found = dict(kwargs.get("factory_kwargs", {}))
    for name in simple & kwargs.keys():
        if name in found:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        found[name] = kwargs[name]
    return found


def __getattr__(name):
    if name in _PARALLEL:
        return getattr(parallel, name)
    raise AttributeError(f"module 'ringgrad.nn' has no attribute {name!r}")

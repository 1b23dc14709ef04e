"""Names of `ringgrad.distributed`, imported when they are used: the framework knows the plug's names and nothing else."""
import importlib

HOMES = {"SyncBatchNorm": "sync_batchnorm", "scatter_kwargs": "_scatter"}  # the others stand in `parallel`


def _found(name):
    return getattr(importlib.import_module(f"ringgrad.distributed.{HOMES.get(name, 'parallel')}"), name)


def function(name, doc):
    """A function that calls the one of this name there."""
    def call(*args, **kwargs):
        return _found(name)(*args, **kwargs)
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return call


def classes(module, *names):
    """The `__getattr__` of a module that has these classes."""
    def __getattr__(name):  # noqa: N807 - it becomes one
        if name in names:
            return _found(name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return __getattr__

"""torch.nn.parallel's names.  They live in `ringgrad.distributed.parallel`, which is imported when the first of them is asked for."""
import importlib

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply", "replicate", "scatter", "SyncBatchNorm"]


def __getattr__(name):
    if name in __all__:
        return getattr(importlib.import_module("ringgrad.distributed.parallel"), name)
    raise AttributeError(f"module 'ringgrad.nn.parallel' has no attribute {name!r}")

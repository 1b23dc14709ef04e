"""torch.nn.parallel's names.  What trains lives in `ringgrad.distributed`, which is imported when it is first asked for."""
import warnings

from . import _functions, _plug, comm, data_parallel, distributed, parallel_apply, replicate, scatter_gather  # noqa: F401
from .data_parallel import data_parallel  # type: ignore[no-redef] # noqa: F811 - torch has modules and functions of one name; the functions win
from .parallel_apply import parallel_apply  # type: ignore[no-redef] # noqa: F811
from .replicate import replicate  # type: ignore[no-redef] # noqa: F811
from .scatter_gather import gather, scatter

__all__ = ["DataParallel", "DistributedDataParallel", "DistributedDataParallelCPU", "SyncBatchNorm", "data_parallel", "gather", "parallel_apply",
           "replicate", "scatter"]


def DistributedDataParallelCPU(*args, **kwargs):  # noqa: N802 - torch's name
    """The older name of `DistributedDataParallel`."""
    warnings.warn("torch.nn.parallel.DistributedDataParallelCPU is deprecated, please use torch.nn.parallel.DistributedDataParallel instead.",
                  FutureWarning, stacklevel=2)
    return distributed.DistributedDataParallel(*args, **kwargs)


__getattr__ = _plug.classes(__name__, "DataParallel", "DistributedDataParallel", "SyncBatchNorm")

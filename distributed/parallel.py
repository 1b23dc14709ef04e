"""The names of torch.nn.parallel: training on several devices, in one process or in one per device."""

from ._scatter import gather, scatter
from .data_parallel import DataParallel, data_parallel, parallel_apply, replicate
from .ddp import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply", "replicate", "scatter"]

"""torch.multiprocessing: Python's own, with tensors that are shared instead of copied, and `spawn`.

A CPU tensor that goes through a Queue, a Pipe or a Process's arguments moves to shared memory first (`share_memory_`); both sides then see
each other's writes.  The memory has no name: nothing is left in /dev/shm.  It is fetched from its sender, who has to live until the tensor
is received.
"""
from multiprocessing import *  # noqa: F403
from multiprocessing import __all__ as _python

from ._reductions import (
    get_all_sharing_strategies,
    get_sharing_strategy,
    init_reductions,
    reduce_tensor,
    set_sharing_strategy,
)
from ._spawn import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = ["ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "SpawnContext",
           "get_all_sharing_strategies", "get_sharing_strategy", "init_reductions", "reduce_tensor", "set_sharing_strategy", "spawn",
           "start_processes", *_python]

init_reductions()

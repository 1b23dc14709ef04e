"""ringgrad.distributed: process groups and collectives, in torch.distributed's words.

    import ringgrad.distributed as dist
    dist.init_process_group()            # under mpirun, ringgrad-run, srun, or plain python
    dist.all_reduce(tensor)

Importing this package loads neither mpi4py nor CuPy; init_process_group does, where the backend needs them.
"""

import importlib

from . import flight_recorder
from ._collectives import (
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    monitored_barrier,
    progress,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)
from ._init import (
    destroy_process_group,
    get_backend,
    get_default_backend_for_device,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_pg_count,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    new_group,
    new_subgroups,
    new_subgroups_by_enumeration,
)
from ._objects import all_gather_object, broadcast_object_list, gather_object, recv_object_list, scatter_object_list, send_object_list
from ._point_to_point import P2POp, batch_isend_irecv, irecv, isend, recv, send
from ._questions import DebugLevel, get_debug_level, is_backend_available, is_ucc_available, is_xccl_available, set_debug_level
from ._spawn import spawn_local
from ._state import GroupMember, group
from ._tcp_store import TCPStore
from ._timeouts import default_pg_timeout
from .backends import Backend
from .errors import (
    CollectiveMismatchError,
    DistBackendError,
    DistError,
    DistNetworkError,
    DistStoreError,
    DistTimeoutError,
    RankFailedError,
)
from .process_group import ProcessGroup
from .reduce_op import ReduceOp
from .store import FileStore, HashStore, PrefixStore, Store
from .work import Work

__all__ = [
    "Backend",
    "CollectiveMismatchError",
    "DebugLevel",
    "DistBackendError",
    "DistError",
    "DistNetworkError",
    "DistStoreError",
    "DistTimeoutError",
    "FileStore",
    "GroupMember",
    "HashStore",
    "P2POp",
    "PrefixStore",
    "ProcessGroup",
    "RankFailedError",
    "ReduceOp",
    "Store",
    "TCPStore",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "batch_isend_irecv",
    "broadcast",
    "broadcast_object_list",
    "default_pg_timeout",
    "destroy_process_group",
    "flight_recorder",
    "gather",
    "gather_object",
    "get_backend",
    "get_debug_level",
    "get_default_backend_for_device",
    "get_global_rank",
    "get_group_rank",
    "get_node_local_rank",
    "get_pg_count",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "irecv",
    "is_available",
    "is_backend_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "is_ucc_available",
    "is_xccl_available",
    "isend",
    "monitored_barrier",
    "new_group",
    "new_subgroups",
    "new_subgroups_by_enumeration",
    "progress",
    "recv",
    "recv_object_list",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
    "send",
    "send_object_list",
    "set_debug_level",
    "spawn_local",
]

_LAZY_MODULES = ("algorithms", "checkpoint", "device_mesh", "elastic", "nn", "parallel")
_LAZY_NAMES = {"DeviceMesh": "device_mesh", "init_device_mesh": "device_mesh", "GradBucket": "comm_hooks"}


def __getattr__(name):
    """Modules that need more of ringgrad than a collective does, imported when they are asked for."""
    if name in _LAZY_MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

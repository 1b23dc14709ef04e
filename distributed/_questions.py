"""Questions about backends that torch has and ringgrad has not, and about how much is checked."""

import os
from enum import Enum

from ._init import is_gloo_available, is_mpi_available, is_nccl_available

_CHECKS = {"gloo": is_gloo_available, "mpi": is_mpi_available, "nccl": is_nccl_available}


class DebugLevel(Enum):
    """What TORCH_DISTRIBUTED_DEBUG asks for; collectives are checked at every level."""

    OFF, INFO, DETAIL = range(3)


_level = DebugLevel.__members__.get(os.environ.get("TORCH_DISTRIBUTED_DEBUG", "OFF").upper(), DebugLevel.OFF)


def get_debug_level() -> DebugLevel:
    """The level that was set; at first TORCH_DISTRIBUTED_DEBUG."""
    return _level


def set_debug_level(level: DebugLevel) -> None:
    """Keep a level."""
    global _level
    _level = level


def is_backend_available(backend: str) -> bool:
    """Whether init_process_group takes this backend here."""
    return backend.lower() in _CHECKS and _CHECKS[backend.lower()]()


def is_ucc_available() -> bool:
    """False."""
    return False


def is_xccl_available() -> bool:
    """False."""
    return False

"""The MPI library through mpi4py: loaded at the first init_process_group that needs it, and never by an import."""

import ctypes
import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..reduce_op import ReduceOp

INSTALL = "pip install 'ringgrad[mpi]' brings mpi4py and MPICH; on a cluster load its MPI module and build mpi4py against it"


def is_installed() -> bool:
    """Whether mpi4py is there. That its MPI library loads shows when the first group is made."""
    return find_spec("mpi4py") is not None


@lru_cache(maxsize=1)
def load() -> Any:
    """The module mpi4py.MPI, with MPI initialised.  RuntimeError, with the way out, if mpi4py or an MPI library is missing."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RuntimeError(f"the mpi backend needs mpi4py, but this Python has none ({error}); {INSTALL}") from None
    except RuntimeError as error:  # mpi4py is there, the shared library is not
        raise RuntimeError(f"the mpi backend needs an MPI library, but mpi4py could not load one ({error}); {INSTALL}") from None
    if MPI.Is_finalized():
        raise RuntimeError(
            "MPI has been finalized in this process and cannot be started again; keep MPI_Finalize for the end of the program"
        )
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_MULTIPLE)
    return MPI


@lru_cache(maxsize=1)
def is_cuda_aware() -> bool:
    """Whether this MPI library takes GPU addresses: asks MPIX_Query_cuda_support, which MPICH and Open MPI have."""
    load()
    for path in (None, *_loaded_mpi_libraries()):
        try:
            query = ctypes.CDLL(path).MPIX_Query_cuda_support
        except (OSError, AttributeError):
            continue
        query.restype, query.argtypes = ctypes.c_int, []
        return bool(query())
    return False


def _loaded_mpi_libraries() -> list[str]:
    """Paths of the shared libraries with 'mpi' in their names that this process has loaded (Linux)."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split()[-1] for line in maps if ".so" in line}
    except OSError:
        return []
    return sorted(path for path in paths if "mpi" in os.path.basename(path).lower())


@lru_cache(maxsize=1)
def operations() -> dict[ReduceOp, Any]:
    """MPI's operation for each of ours; AVG is a sum, divided afterwards."""
    mpi = load()
    return {
        ReduceOp.SUM: mpi.SUM,
        ReduceOp.AVG: mpi.SUM,
        ReduceOp.PRODUCT: mpi.PROD,
        ReduceOp.MIN: mpi.MIN,
        ReduceOp.MAX: mpi.MAX,
        ReduceOp.BAND: mpi.BAND,
        ReduceOp.BOR: mpi.BOR,
        ReduceOp.BXOR: mpi.BXOR,
    }


# On booleans seen as bytes 0 and 1, "or" and "and" are maximum and minimum.
BOOLEAN = {ReduceOp.SUM: ReduceOp.MAX, ReduceOp.PRODUCT: ReduceOp.MIN}


def datatype(dtype: np.dtype) -> Any:
    """MPI's datatype for a NumPy dtype that `on_the_wire` lets through."""
    return load().Datatype.fromcode(dtype.char)


def largest_count() -> int | None:
    """How many elements one call can move: no limit from MPI 4 on, 2**31 - 1 before."""
    return None if load().Get_version() >= (4, 0) else 2**31 - 1

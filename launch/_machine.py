"""Questions to this machine: how many GPUs, how many cores, where is mpirun."""
from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_CUDA_SUCCESS = 0


def gpu_count() -> int:
    """GPUs that a process started now would see; 0 without a driver.

    The driver itself is asked, through ctypes, so CUDA_VISIBLE_DEVICES, MIG slices and container limits all count. cuInit makes no
    context and takes no GPU memory.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != _CUDA_SUCCESS or driver.cuDeviceGetCount(ctypes.byref(count)) != _CUDA_SUCCESS:
        return 0
    return count.value


def cpu_count() -> int:
    """Cores this process may run on (its affinity mask, not the size of the machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_mpirun() -> str | None:
    """The mpirun of this Python environment, else the first on PATH: it must match the MPI library that mpi4py will load."""
    beside_python = Path(sys.executable).parent
    return next((found for name in ("mpirun", "mpiexec") if (found := shutil.which(name, path=str(beside_python)))), None) or next(
        (found for name in ("mpirun", "mpiexec") if (found := shutil.which(name))), None
    )

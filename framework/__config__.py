"""torch.__config__: what this installation computes with, and why not with something better.

`show_config()` prints it.  No device is asked to do anything: libraries are opened, and what the first computations on a GPU found out is told.
"""
import importlib.metadata
import os
import platform

import numpy as np

from . import _mkl, _numba, cuda
from ._libraries import choice
from ._threads import get_num_threads

__all__ = ["parallel_info", "show", "show_config"]


def show():
    """The report of `show_config` as text."""
    rows = [*_machine(), *_cpu(), *_gpu()]
    wide = max(len(what) for what, _ in rows)
    return "\n".join(f"{what:{wide}}  {who}" for what, who in rows) + "\n"


def show_config():
    """Print which library does what, with versions, and the reason where one that could help does not."""
    print(show(), end="")


def parallel_info():
    """How many threads compute, as text."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return "\n".join([f"ringgrad.get_num_threads() : {get_num_threads()}", f"processors : {os.cpu_count()}",
                      *[f"{name} : {os.environ.get(name, '[not set]')}" for name in names]]) + "\n"


def _machine():
    version = _version("ringgrad") or "from a checkout"
    return [("ringgrad", f"{version}, Python {platform.python_version()}, NumPy {np.__version__}")]


def _cpu():
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    compiled = _version("numba") if _numba.available() else None
    return [("CPU: products of matrices", f"{blas['name']} {blas['version']}" + (", large ones MKL" if _mkl.PRESENT else
                                                                               "; MKL is not installed, or off (extra mkl, RINGGRAD_MKL)")),
            ("CPU: compiled loops", f"numba {compiled}" if compiled else "none: numba is not installed, or off (extra fast-cpu, RINGGRAD_NUMBA)")]


def _gpu():
    cupy = next((f"{name} {v}" for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if (v := _version(name))), None)
    if cupy is None:
        return [("GPU", "none: CuPy is not installed (extra cuda13 or cuda12)")]
    there = f"{cuda.device_count()} through {cupy}" if cuda.is_available() else f"none that CuPy can use ({cupy})"
    return [("GPU", there), *[(f"GPU: {what}", who) for what, who in choice.report()]]


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

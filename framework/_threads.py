"""How many threads NumPy's matrix products use: the switch of the OpenBLAS that NumPy has loaded."""
import ctypes
import functools
import glob
import os

import numpy as np

_SPELLINGS = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")
_asked = None


@functools.cache
def _openblas():
    """(get, set) of the OpenBLAS in NumPy's wheel; None for a NumPy that is built on something else."""
    folder = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy.libs")
    for path in glob.glob(os.path.join(glob.escape(folder), "*openblas*")):
        library = ctypes.CDLL(path)
        for spelling in _SPELLINGS:
            get, put = (getattr(library, spelling.format(f"{verb}_num_threads"), None) for verb in ("get", "set"))
            if get is not None and put is not None:
                return get, put
    return None


def get_num_threads():
    """Threads of one matrix product on the CPU."""
    blas = _openblas()
    if blas is not None:
        return blas[0]()
    text = os.environ.get("OMP_NUM_THREADS", "")
    return _asked or (int(text) if text.isdigit() and int(text) else os.cpu_count())


def set_num_threads(int):  # noqa: A002 - torch's name
    """Let matrix products on the CPU use so many threads; only remembered where NumPy's library has no such switch.

    RuntimeError unless it is positive.
    """
    global _asked
    if int <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _asked = int
    blas = _openblas()
    if blas is not None:
        blas[1](int)

"""Keep freed memory in the process: large NumPy temporaries otherwise cost a page fault per page at every call.

glibc returns blocks above its mmap threshold to the operating system as soon as they are freed, so an array of a megabyte is mapped, zeroed
and faulted anew in every operation.  `keep_freed_memory` tells malloc to serve them from the heap instead.  It is process-wide;
RINGGRAD_KEEP_MEMORY=0 leaves malloc as it was.  What it costs in resident memory is measured in docs/performance.md.
"""
import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
TRIM_BYTES = 1 << 30


def keep_freed_memory():
    """Returns True where the C library took the settings (glibc), False elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, TRIM_BYTES))

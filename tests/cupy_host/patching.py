"""The CUDA runtime is linked into CuPy's own modules: the beginnings of its functions are replaced by jumps to ours, in memory."""
import ctypes
import mmap
import struct

from .elf import functions

PAGE = mmap.PAGESIZE
READ_WRITE_RUN, READ_RUN = 7, 5


def base_of(path):
    """Where a loaded library begins in memory."""
    with open("/proc/self/maps") as maps:
        return min(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(str(path)))


def names_in(path):
    """Names of the runtime's functions that are linked into a library."""
    return [name for name in functions(path) if name.startswith("cuda") and name[4:5].isupper()]


def patch(path, leads):
    """Let functions inside a loaded library jump elsewhere.  leads: {name: address}.  None of them may have been called before."""
    libc, base, places = ctypes.CDLL(None, use_errno=True), base_of(path), functions(path)
    for name, target in leads.items():
        at = base + places[name]
        jump = b"\xff\x25\0\0\0\0" + struct.pack("<Q", target)  # jmp *0(%rip), then the address
        first = at & -PAGE
        size = (at + len(jump) - 1 & -PAGE) - first + PAGE
        if libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(size), READ_WRITE_RUN):
            raise OSError(ctypes.get_errno(), f"{name} in {path} cannot be replaced")
        ctypes.memmove(at, jump, len(jump))
        libc.mprotect(ctypes.c_void_p(first), ctypes.c_size_t(size), READ_RUN)

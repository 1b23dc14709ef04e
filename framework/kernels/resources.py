"""What a compiled kernel needs of a GPU, read from the assembler's words, and whether it can be launched as it is.

A launch fails on the device alone when the block's registers do not fit, and local memory makes a kernel slow without a word; both are known as
soon as a kernel is compiled.  Limits: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
"""
import re
from typing import NamedTuple

from .family import MOST_THREADS

REGISTERS, THREADS, BLOCKS = 65536, 2048, 32  # of a multiprocessor
SHARED = {"sm_80": 164 << 10, "sm_90": 228 << 10}  # bytes of a multiprocessor
SHARED_KEPT = 1 << 10  # bytes that the system takes beside what a block declares, of which the assembler refuses more than 48 KiB
OWN_BLOCKS = {  # threads of kernels whose blocks are always so large
    **dict.fromkeys(("cross_entropy_reduce", "cross_entropy_reduce_wide", "norm_and_factor"), 1024), "layer_norm_backward": 256}

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '\w+'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
DECLARED = re.compile(r"(\d+) bytes smem")


class Needs(NamedTuple):
    """Registers of a thread;  bytes: shared of a block;  stack of a thread in local memory;  spilled to it and back."""

    registers: int
    shared: int
    stack: int
    spilled: int


def read(log):
    """{kernel: Needs} from what the assembler says under --ptxas-options=-v.  ValueError for words that it does not know."""
    found = {}
    for part in re.split(r"(?=Compiling entry function)", log)[1:]:
        name, stack, used, declared = (pattern.search(part) for pattern in (ENTRY, STACK, USED, DECLARED))
        if not (name and stack and used):
            raise ValueError(f"the assembler speaks in other words than expected: {part[:300]!r}")
        frame, stores, loads = map(int, stack.groups())
        found[name[1]] = Needs(int(used[1]), int(declared[1]) if declared else 0, frame, stores + loads)
    return found


def largest_block(kernel):
    """The most threads that a block of a kernel is launched with; tests/kernels/test_resources.py holds launches to it."""
    return OWN_BLOCKS.get(kernel, MOST_THREADS)


def warps_that_fit(needs):
    """How many warps' registers a multiprocessor has room for: registers are given out 8 to a thread at a time."""
    return REGISTERS // (32 * max(8, -(-needs.registers // 8) * 8))


def resident(needs, threads, architecture):
    """How many threads of a kernel, in blocks of `threads`, can be on a multiprocessor at once: 2048 at most."""
    blocks = min(warps_that_fit(needs) // (threads // 32), BLOCKS, THREADS // threads, SHARED[architecture] // (needs.shared + SHARED_KEPT))
    return blocks * threads


def problems(kernel, needs):
    """Sentences about what keeps a kernel from being launched, or makes it slow."""
    said, threads = [], largest_block(kernel)
    if threads > 32 * warps_that_fit(needs):
        said.append(f"{kernel} needs {needs.registers} registers, too many for blocks of {threads} threads: launch smaller ones, or declare "
                    f"__launch_bounds__({threads})")
    if needs.spilled:
        said.append(f"{kernel} spills {needs.spilled} bytes of registers into local memory: keep less alive, or unroll less")
    return said


def table(found):
    """Lines about the kernels of {(source, architecture, kernel): Needs}: the extremes, and what lies in local memory."""
    rows = [(key, needs, resident(needs, 256, key[1])) for key, needs in found.items()]
    lines = [f"{len(rows)} kernels; fewest threads at once on a multiprocessor, of {THREADS}, in blocks of 256:"]
    lines += [f"  {at_once:5}  {needs.registers:4} registers  {needs.shared:6} bytes shared  {kernel}, {source}, {architecture}"
              for (source, architecture, kernel), needs, at_once in sorted(rows, key=lambda row: row[2])[:8]]
    local = sorted({f"{kernel}, {source}" for (source, _, kernel), needs in found.items() if needs.stack})
    return [*lines, f"in local memory: {'; '.join(local) if local else 'nothing'}"]

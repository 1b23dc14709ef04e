"""Compile every kernel of ringgrad for the GPU at hand into CuPy's cache on disk, in several processes: `python -m benchmarks.gpu.warm [PROCESSES]`.

Whoever runs kernels afterwards, in whatever process, loads them from there.
"""
import os
import subprocess
import sys
import time


def compile_share(number, processes):
    """Compile every `processes`-th of the sources, from `number` on, the longest ones first."""
    import cupy

    from ringgrad import nn, ops, optim  # noqa: F401 - registers every op and update rule
    from ringgrad.kernels import sources
    for _, text, options in sorted(sources(), key=lambda source: -len(source[1]))[number::processes]:
        cupy.RawModule(code=text, options=options).compile()


def main(processes):
    """Compile all; the exit code."""
    start = time.monotonic()
    shares = [subprocess.Popen([sys.executable, "-m", "benchmarks.gpu.warm", str(k), str(processes)]) for k in range(processes)]
    failed = [k for k, share in enumerate(shares) if share.wait()]
    print(f"{processes} processes, {time.monotonic() - start:.1f} s" + (f"; failed: {failed}" if failed else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    arguments = list(map(int, sys.argv[1:]))
    if len(arguments) == 2:
        compile_share(*arguments)
    else:
        sys.exit(main(*arguments or [len(os.sched_getaffinity(0))]))

"""How times are taken: CPU time of one thread, contenders interleaved in one run, the best of several rounds."""
import ctypes
import glob
import os
import platform
import time


def cpu_seconds(run, repeats):
    """CPU time (user + system) that `repeats` calls of `run` take, in seconds."""
    before = time.process_time()
    for _ in range(repeats):
        run()
    return time.process_time() - before


def interleaved(contenders, repeats, rounds=7):
    """{name: best seconds per call} for a dict of functions; each round runs all of them, so that drift of the machine hits all alike."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, run in contenders.items():
            best[name] = min(best[name], cpu_seconds(run, repeats) / repeats)
    return best


def torch_or_none():
    """PyTorch with one thread, where it is installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def machine(torch):
    """One line on what the figures were measured with: the matrix libraries differ by processor."""
    import numpy
    config = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    features = [f for f in ("AVX512F", "AVX2") if numpy._core._multiarray_umath.__cpu_features__.get(f)]
    lines = [f"{_processor()}, {os.cpu_count()} cores, {'/'.join(features)}, Python {platform.python_version()}",
             f"NumPy {numpy.__version__} with {config['name']} {config['version']}, kernels: {_openblas_kernels(numpy)}"
             f" (OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'unset')})"]
    if torch:
        lines.append(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread")
    return "\n".join(lines)


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _openblas_kernels(numpy):
    """The processor for which OpenBLAS, in NumPy's wheels, picked its kernels."""
    for path in glob.glob(os.path.join(os.path.dirname(os.path.dirname(numpy.__file__)), "numpy.libs", "libscipy_openblas*")):
        name = getattr(ctypes.CDLL(path), "scipy_openblas_get_corename64_", None)
        if name is not None:
            name.restype = ctypes.c_char_p
            return name().decode()
    return "unknown"


def table(title, header, rows):
    """Print rows of text under a title, columns aligned."""
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, *rows]:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))))

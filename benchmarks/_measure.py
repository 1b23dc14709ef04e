"""How times are taken: CPU time of one thread, contenders interleaved in one run, the best of several rounds."""
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
    lines = [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {'/'.join(features)}, Python {platform.python_version()}",
             f"NumPy {numpy.__version__} with {config['name']} {config['version']}"
             f" (OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'unset')})"]
    if torch:
        lines.append(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, one thread")
    return "\n".join(lines)


def table(title, header, rows):
    """Print rows of text under a title, columns aligned."""
    widths = [max(len(str(r[i])) for r in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, *rows]:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))))

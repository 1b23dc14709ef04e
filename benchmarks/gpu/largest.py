"""The ten largest kernels of a training step: time, bytes moved through device memory, and shares of the two ceilings.

Nsight Compute (ncu) counts, where it is installed and may read the counters; otherwise torch's profiler tells the times alone, as it sees every
kernel of the process.  `python -m benchmarks.gpu.largest NETWORK LIBRARY` takes one step between the profiler's marks: what runs under ncu.
"""
import csv
import io
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from ._bench import Bench, guarded
from ._start import ROOT, Deadline, make_importable
from .training import NETWORKS, make_step

MOST = 10
STEPS_BEFORE = 3
WATCHED = ("GPT-2 124M, 12x1024, bf16", "ResNet-50, batch 128, bf16, channels last")
TIME, BYTES, TENSOR = "gpu__time_duration.sum", "dram__bytes.sum", "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"
SCALE = {"nsecond": 1e-3, "ns": 1e-3, "usecond": 1.0, "us": 1.0, "msecond": 1e3, "ms": 1e3, "second": 1e6, "s": 1e6,
         "byte": 1.0, "Kbyte": 1e3, "Mbyte": 1e6, "Gbyte": 1e9, "%": 1.0}  # to microseconds, bytes and per cent


def largest(bench):
    """Rows for the networks whose shortfall is to be explained, ours and torch's eager step."""
    rows = {}
    for name in WATCHED:
        for key in bench.libraries:
            if bench.deadline.left() < 60:
                return rows
            found = guarded(lambda name=name, key=key: counted(bench, name, key))
            if "error" in found and bench.torch:
                rows[f"{name}, {key}: ncu"] = found
                found = guarded(lambda name=name, key=key: timed(bench, name, key))
            rows |= {f"{name}, {key}: {kernel}": row for kernel, row in found.items()} if "error" not in found else {f"{name}, {key}": found}
            bench.tidy()
    return rows


def one_step(bench, name, key):
    """A step of a network that has been warmed up."""
    network, lib = NETWORKS[name], bench.libraries[key]
    lib.manual_seed(0)
    model, batch = network.make(lib)
    start = {k: v.numpy() for k, v in model.state_dict().items()}, [t.numpy() for t in batch]
    step = make_step(bench, network, start, lib, "eager")
    for _ in range(STEPS_BEFORE):
        step()
    bench.synchronize()
    return step


def counted(bench, name, key):
    """{kernel: row} by ncu.  RuntimeError where it cannot."""
    if shutil.which("ncu") is None:
        raise RuntimeError("ncu is not on the PATH")
    command = ["ncu", "--clock-control", "none", "--profile-from-start", "off", "--csv", "--page", "raw", "--metrics", f"{TIME},{BYTES},{TENSOR}",
               sys.executable, "-m", "benchmarks.gpu.largest", name, key]
    done = subprocess.run(command, cwd=ROOT, env=make_importable(bench.folder), capture_output=True, text=True,
                          timeout=max(30, min(150, bench.deadline.left())))
    (Path(bench.folder) / f"ncu-{key}-{name.split()[0]}.csv").write_text(done.stdout)
    return table_of(done.stdout, bench.ceilings["copy"])


def table_of(output, copy):
    """{kernel: row} from ncu's table: the kernels of one name together, the ten that take longest."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if first is None:
        raise RuntimeError("ncu printed no table: " + output[-300:])
    names, units, *rows = csv.reader(io.StringIO("\n".join(lines[first:])))
    at = {name: i for i, name in enumerate(names)}
    if TIME not in at:
        raise RuntimeError(f"ncu's table has no {TIME}: {names}")
    sums = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for row in rows:
        time_us, moved, tensor = (float(row[at[m]].replace(",", "")) * SCALE[units[at[m]]] if m in at and row[at[m]] else 0.0
                                  for m in (TIME, BYTES, TENSOR))
        entry = sums[row[at["Kernel Name"]].split("(")[0][:80]]
        for i, value in enumerate((1, time_us, moved, tensor * time_us)):
            entry[i] += value
    whole = sum(entry[1] for entry in sums.values())
    best = sorted(sums.items(), key=lambda item: -item[1][1])[:MOST]
    table = {kernel: {"calls": n, "us": round(t, 1), "of the step": round(t / whole, 3), "MB": round(b / 1e6, 1),
                      "of copy": round(b / t / 1e3 / copy, 3) if t else 0, "tensor pipe": round(p / t / 100, 3) if t else 0}
             for kernel, (n, t, b, p) in best}
    return {**table, "all kernels": {"calls": sum(e[0] for e in sums.values()), "us": round(whole, 1), "of the step": 1.0}}


def timed(bench, name, key):
    """{kernel: row} by torch's profiler: times alone."""
    from torch.profiler import ProfilerActivity, profile
    step = one_step(bench, name, key)
    with profile(activities=[ProfilerActivity.CUDA]) as watched:
        step()
        bench.synchronize()
    events = [e for e in watched.key_averages() if e.self_device_time_total > 0]
    whole = sum(e.self_device_time_total for e in events)
    best = sorted(events, key=lambda e: -e.self_device_time_total)[:MOST]
    table = {e.key[:80]: {"calls": e.count, "us": round(e.self_device_time_total, 1), "of the step": round(e.self_device_time_total / whole, 3)}
             for e in best}
    return {**table, "all kernels": {"calls": sum(e.count for e in events), "us": round(whole, 1), "of the step": 1.0}}


def main():
    import cupy

    import ringgrad
    name, key = sys.argv[1:]
    torch = None
    if key == "torch":
        import torch
    bench = Bench(ringgrad, torch, Deadline(600), "runs")
    step = one_step(bench, name, key)
    cupy.cuda.runtime.profilerStart()
    step()
    bench.synchronize()
    cupy.cuda.runtime.profilerStop()


if __name__ == "__main__":
    main()

"""What keeping freed memory in the process (RINGGRAD_KEEP_MEMORY, on by default) gains in time and costs in resident memory."""
import os
import subprocess
import sys

from ._measure import table
from .models import MODELS

PROBE = """
import sys, time
import ringgrad
from benchmarks.models import MODELS
from benchmarks.training_steps import make_step
build, repeats = MODELS[sys.argv[1]]
run = make_step(ringgrad, build)
best = float("inf")
for _ in range(5):
    before = time.process_time()
    for _ in range(repeats):
        run()
    best = min(best, (time.process_time() - before) / repeats)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(best * 1e3, int(status["VmHWM"].split()[0]) / 1024)
"""


def _probe(model, keep):
    environment = {**os.environ, "RINGGRAD_KEEP_MEMORY": keep}
    done = subprocess.run([sys.executable, "-c", PROBE, model], env=environment, capture_output=True, text=True, check=True)
    return tuple(float(x) for x in done.stdout.split())


def main(torch):
    """Print CPU time per step and the peak of resident memory, with and without, in fresh processes."""
    rows = []
    for model in MODELS:
        (off_ms, off_mib), (on_ms, on_mib) = _probe(model, "0"), _probe(model, "1")
        rows.append([model, f"{off_ms:.2f}", f"{on_ms:.2f}", f"{off_ms / on_ms:.2f}", f"{off_mib:.0f}", f"{on_mib:.0f}"])
    table("keeping freed memory", ["", "ms without", "ms with", "gain", "MiB without", "MiB with"], rows)

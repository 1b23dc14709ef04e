"""`make gpu-published`: the examples that repeat published results, on the GPU, with what they reached.

MNIST in 14 epochs, nanoGPT's shakespeare_char setting, ResNet-20 on CIFAR-10 at the published schedule or, where the time does not allow it, at the
longest that fits: a short run tells how long a step takes.  Every figure is the example's own, from the files that it leaves.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ._bench import guarded
from ._start import ROOT, Deadline, make_importable, report, table

PUBLISHED = {"MNIST, test accuracy": "99 %", "Shakespeare, best validation loss": 1.4697, "ResNet-20 on CIFAR-10, test error": "8.75 %"}
SCHEDULE, PROBE = 64_000, 600


def data_folder():
    """Where the data sets are: RINGGRAD_DATA, or shared/data in or beside the checkout."""
    places = [Path(os.environ["RINGGRAD_DATA"])] if "RINGGRAD_DATA" in os.environ else [ROOT / "shared" / "data", ROOT.parent / "shared" / "data"]
    return next((place for place in places if place.is_dir()), places[0])


class Runs:
    """Examples in processes of their own, within the time."""

    def __init__(self, folder, deadline):
        self.folder, self.deadline = Path(folder).resolve(), deadline
        self.environment = {**make_importable(folder), "OMP_NUM_THREADS": "4"}

    def run(self, name, out, *flags):
        """(what it printed, seconds).  RuntimeError with its last words when it fails."""
        places = ["--data", str(data_folder()), "--out", str(self.folder / out)]
        command = [sys.executable, str(ROOT / "examples" / name), *places, "--device", "cuda", *flags]
        start = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=max(10, self.deadline.left()))
        (self.folder / f"{out}.log").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(f"{name}: exit code {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
        return done.stdout, time.monotonic() - start

    def read(self, out, name):
        """A file that an example left."""
        return json.loads((self.folder / out / name).read_text())


def mnist(runs):
    """The test accuracy after the last epoch."""
    flags = ("--epochs", "14")
    output, seconds = runs.run("mnist.py", "mnist", *flags)
    lines = [line for line in output.splitlines() if "test accuracy" in line]
    return {"reached": lines[-1].split()[-1], "command": " ".join(("examples/mnist.py", *flags)), "seconds": round(seconds, 1)}


def shakespeare(runs):
    """The best validation loss of the evaluations every 250 steps, and the step it was reached at."""
    flags = ("--setting", "gpu", "--bf16", "--captured")
    _, seconds = runs.run("shakespeare.py", "shakespeare", *flags)
    best = min(runs.read("shakespeare", "losses.json")["history"], key=lambda row: row["validation"])
    return {"reached": round(best["validation"], 4), "at step": best["step"], "command": " ".join(("examples/shakespeare.py", *flags)),
            "seconds": round(seconds, 1)}


def resnet20(runs):
    """The test error at the end of the longest schedule that fits."""
    flags = ("--bf16", "--captured")
    runs.run("cifar10.py", "cifar10_probe", *flags, "--steps", str(PROBE), "--every", str(PROBE // 2))
    half, whole = runs.read("cifar10_probe", "results.json")["history"]
    step_s = (whole["seconds"] - half["seconds"]) / (PROBE // 2)
    steps = min(SCHEDULE, int(0.85 * (runs.deadline.left() - 20) / step_s) // 1000 * 1000)
    if steps < 1000:
        raise RuntimeError(f"a step takes {1e3 * step_s:.2f} ms, which leaves no time for a schedule worth the name")
    flags = (*flags, "--steps", str(steps), "--every", str(max(500, steps // 16)))
    _, seconds = runs.run("cifar10.py", "cifar10", *flags)
    found = runs.read("cifar10", "results.json")
    return {"reached": f"{found['history'][-1]['test error']:.2%}", "at step": steps, "command": " ".join(("examples/cifar10.py", *flags)),
            "seconds": round(seconds, 1), "test images": found["test images"]}


def main(folder, found, time_s, names=()):
    """Run them in turn; the exit code: 1 when one failed."""
    runs = Runs(folder, Deadline(time_s))
    runs.folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for (words, published), run in zip(PUBLISHED.items(), (mnist, shakespeare, resnet20)):
        if names and run.__name__ not in names:
            continue
        rows[words] = {"published": published, **guarded(lambda run=run: run(runs))}
        columns = ("reached", "published", "at step", "seconds", "command")
        lines = [f"{found['gpu']}, CuPy {found['cupy']}", *table(("", *columns), [(k, *(r.get(c, "") for c in columns)) for k, r in rows.items()])]
        lines += [f"{key}: {row['error']}" for key, row in rows.items() if "error" in row]
        report(folder, "gpu-published", {**found, "results": rows}, lines)
    return 1 if any("error" in row for row in rows.values()) else 0

"""One training step (forward, backward, update) of some networks, beside torch: CPU time of one thread, interleaved.

Where numba is installed (extra `fast-cpu`) ringgrad has two columns.  RINGGRAD_NUMBA is read at import, so the one without runs in a process of
its own, beside torch again, whose time on that occasion its ratio is to.
"""
import importlib.util
import os
import subprocess
import sys

import ringgrad

from ._measure import interleaved, table, torch_or_none
from .models import MODELS

PROBE = "import sys; import benchmarks._threads; from benchmarks.training_steps import probe; probe(sys.argv[1])"


def make_step(lib, build):
    """A function that runs one training step of a model of `lib`, warmed up."""
    lib.manual_seed(0)
    model, (x, y) = build(lib)
    if hasattr(model, "training_step"):
        model.training_step(x, y)
        return lambda: model.training_step(x, y)
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = lib.nn.CrossEntropyLoss()

    def run():
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
    run()
    return run


def measure(name, torch):
    """(milliseconds per step, those of torch or None)."""
    build, repeats = MODELS[name]
    contenders = {"ringgrad": make_step(ringgrad, build), **({"torch": make_step(torch, build)} if torch else {})}
    best = interleaved(contenders, repeats, rounds=7)
    return best["ringgrad"] * 1e3, best["torch"] * 1e3 if torch else None


def probe(name):
    """Print what `measure` finds."""
    print(*measure(name, torch_or_none()))


def _without_numba(name):
    environment = {**os.environ, "RINGGRAD_NUMBA": "0"}
    done = subprocess.run([sys.executable, "-c", PROBE, name], env=environment, capture_output=True, text=True, check=True)
    return tuple(None if x == "None" else float(x) for x in done.stdout.split())


def main(torch):
    """Print milliseconds of CPU time per step and the ratio to torch, with and without numba."""
    both = importlib.util.find_spec("numba") is not None and os.environ.get("RINGGRAD_NUMBA") != "0"
    rows = []
    for name in MODELS:
        row = [name]
        for ours, theirs in ([measure(name, torch)] if both else []) + [_without_numba(name)]:
            row += [f"{ours:.2f}"] + ([f"{theirs:.2f}", f"{ours / theirs:.2f}"] if torch else [])
        rows.append(row)
    ways = (["with numba"] if both else []) + ["NumPy alone"]
    table("training step, CPU time (ms)", [""] + [h for way in ways for h in [way] + (["torch", "ratio"] if torch else [])], rows)

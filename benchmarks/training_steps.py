"""One training step (forward, backward, update) of some networks, beside torch: CPU time of one thread, interleaved.

ringgrad is measured with all of its optional libraries that are installed (numba: extra `fast-cpu`, MKL: extra `mkl`), with MKL alone, and with
NumPy alone.  They are chosen at import, so each way runs in a process of its own, beside torch again, whose time on that occasion its ratio is to.
"""
import os
import subprocess
import sys

import ringgrad
from ringgrad import _mkl, _numba

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


def installed():
    """The optional libraries that are there and not turned off: {name: the variable that turns it off}."""
    found = {"numba": _numba.available(), "MKL": _mkl.PRESENT}
    return {name: f"RINGGRAD_{name.upper()}" for name, there in found.items() if there}


def _in_a_process(name, off):
    environment = {**os.environ, **dict.fromkeys(off, "0")}
    done = subprocess.run([sys.executable, "-c", PROBE, name], env=environment, capture_output=True, text=True, check=True)
    return tuple(None if x == "None" else float(x) for x in done.stdout.split())


def main(torch):
    """Print milliseconds of CPU time per step and the ratio to torch, with all optional libraries, with MKL alone, and with none."""
    extras = installed()
    ways = {" + ".join(extras) or "NumPy alone": []}
    if "MKL" in extras:
        ways["MKL"] = [variable for name, variable in extras.items() if name != "MKL"]
    ways["NumPy alone"] = list(extras.values())
    rows = []
    for name in MODELS:
        row = [name]
        for ours, theirs in (_in_a_process(name, off) for off in ways.values()):
            row += [f"{ours:.2f}"] + ([f"{theirs:.2f}", f"{ours / theirs:.2f}"] if torch else [])
        rows.append(row)
    table(f"training step, CPU time (ms); optional libraries present: {', '.join(extras) or 'none'}",
          [""] + [h for way in ways for h in [way] + (["torch", "ratio"] if torch else [])], rows)

"""The launches of a captured training step and the bytes they have to move, counted without a GPU: what a step costs before anybody measures it.

The networks are those of training.py at their full sizes, and the LSTM of benchmarks.models, on a device that computes nothing
(tests/kernels/host_ledger.py says what is counted how).  No figure is a time.
"""
import sys

from ..models import word_lstm_33278
from ._start import ROOT, table
from .training import NETWORKS, Network, eager_step

HEADER = ("kind", "launches", "GB read", "GB written", "TFLOP", "% of bytes")
COUNTED = {**NETWORKS, "word LSTM 2x200, 35x20, 33278 words": Network(word_lstm_33278)}


def main(parts, each=False):
    """Print a table per network.  parts: beginnings of their names, all without any;  each: list the launches too, the most bytes first."""
    print("Counted on the host, from the shapes of arrays: nothing was run on a GPU, and nothing here is a time.")
    for name, network in COUNTED.items():
        if parts and not any(name.startswith(part) for part in parts):
            continue
        launches, before, peak = count(network)
        print(f"\n{name}: {len(launches)} launches; arrays take {before / 2**20:,.0f} MiB before the step, at most {peak / 2**20:,.0f} MiB in it")
        print("\n".join(table(HEADER, rows_of(launches))))
        if each:
            print("\n".join(listed(launches)))
    return 0


def count(network):
    """(launches of a captured step, bytes held before it, most bytes held in it)."""
    sys.path[:0] = [p for p in (str(ROOT / "tests" / "kernels"), str(ROOT)) if p not in sys.path]
    import host_ledger

    import ringgrad
    with host_ledger.plugged(host_ledger.device()) as xp:
        with ringgrad.device("meta"):
            model, batch = network.make(ringgrad)
        model = model.to_empty(device="cuda")
        x, y = (ringgrad.empty(t.shape, dtype=t.dtype, device="cuda") for t in batch)
        step = ringgrad.compile_step(own_step(model, x, y) or eager_step(network, ringgrad, model, x, y))
        for _ in range(3):
            step()
        before = xp.peak = xp.used
        step()
        return xp.launches, before, xp.peak


def own_step(model, x, y):
    """The step of a model that brings its own, or None."""
    if not hasattr(model, "training_step"):
        return None
    model.hidden = tuple(h.new_empty(h.shape, device="cuda") for h in model.hidden)
    return lambda: model.training_step(x, y)


def rows_of(launches):
    """Rows of the table, and their sum."""
    from host_ledger import table_of
    found = table_of(launches)
    whole = [sum(row[i] for row in found.values()) for i in range(4)]
    moved = whole[1] + whole[2]
    return [(kind, number, f"{read / 1e9:.3f}", f"{written / 1e9:.3f}", f"{flops / 1e12:.3f}", f"{100 * (read + written) / moved:.1f}")
            for kind, (number, read, written, flops) in [*found.items(), ("together", whole)]]


def listed(launches):
    """Launches that are alike together, the most bytes first."""
    alike = {}
    for launch in launches:
        row = alike.setdefault((launch.kind, launch.name, launch.shapes, launch.place[:4]), [0, 0])
        row[0], row[1] = row[0] + 1, row[1] + launch.read + launch.written
    return [f"{number:4} x {moved / 1e9:9.4f} GB  {kind}: {name}  {' '.join(shapes)}  <- {' <- '.join(place)}"
            for (kind, name, shapes, place), (number, moved) in sorted(alike.items(), key=lambda item: -item[1][1])]

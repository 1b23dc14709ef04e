"""One training step (forward, backward, AdamW) of three networks, beside torch: CPU time of one thread, interleaved."""
import ringgrad

from ._measure import interleaved, table
from .models import MODELS


def make_step(lib, build):
    """A function that runs one training step of a model of `lib`, warmed up."""
    lib.manual_seed(0)
    model, (x, y) = build(lib)
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = lib.nn.CrossEntropyLoss()

    def run():
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
    run()
    return run


def main(torch):
    """Print milliseconds of CPU time per step and the ratio to torch."""
    rows = []
    for name, (build, repeats) in MODELS.items():
        contenders = {"ringgrad": make_step(ringgrad, build), **({"torch": make_step(torch, build)} if torch else {})}
        best = {k: v * 1e3 for k, v in interleaved(contenders, repeats, rounds=7).items()}
        row = [name, f"{best['ringgrad']:.2f}"]
        rows.append(row + ([f"{best['torch']:.2f}", f"{best['ringgrad'] / best['torch']:.2f}"] if torch else []))
    table("training step, CPU time (ms)", ["", "ringgrad"] + (["torch", "ratio"] if torch else []), rows)

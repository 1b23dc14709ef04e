"""One step of each optimizer on ten million float32 parameters, in a few and in many tensors, beside torch: CPU time of one thread, interleaved."""
import numpy as np

import ringgrad

from ._measure import interleaved, table

LAYOUTS = {"4 tensors": [(2500, 1000)] * 4, "2000 tensors": [(100, 100), (100,)] * 1000}
ROWS = {"SGD": {"lr": 1e-3}, "SGD, momentum": {"lr": 1e-3, "momentum": 0.9}, "Adam": {}, "AdamW": {}, "RMSprop": {}, "Adagrad": {}, "NAdam": {},
        "RAdam": {}, "Adamax": {}, "Adadelta": {}, "Rprop": {}, "ASGD": {}, "Adafactor": {}}
FUSED = ("SGD", "Adam", "AdamW", "Adagrad")


def make_step(lib, name, kwargs, arrays):
    """A function that takes one step of an optimizer of `lib`, warmed up.  arrays: (value, gradient) pairs."""
    params = [lib.from_numpy(value.copy()).requires_grad_() for value, _ in arrays]
    for p, (_, gradient) in zip(params, arrays):
        p.grad = lib.from_numpy(gradient.copy())
    optimizer = getattr(lib.optim, name)(params, **kwargs)
    optimizer.step()
    return optimizer.step


def main(torch):
    """Print milliseconds of CPU time per step and the ratios to torch's default, its foreach and its fused form."""
    rng = np.random.default_rng(0)
    for title, shapes in LAYOUTS.items():
        arrays = [(rng.standard_normal(s, dtype=np.float32), 0.1 * rng.standard_normal(s, dtype=np.float32)) for s in shapes]
        table(f"one optimizer step, 10M parameters in {title} (ms of CPU time; ratios below 1 are faster than torch)",
              ["", "ringgrad", "torch", "ratio", "to foreach", "to fused"], [_row(torch, name, kwargs, arrays) for name, kwargs in ROWS.items()])


def _row(torch, label, kwargs, arrays):
    name = label.partition(",")[0]
    contenders = {"ringgrad": make_step(ringgrad, name, kwargs, arrays)}
    if torch:
        contenders["torch"] = make_step(torch, name, kwargs, arrays)
        contenders["foreach"] = make_step(torch, name, {**kwargs, "foreach": True}, arrays)
        if name in FUSED:
            contenders["fused"] = make_step(torch, name, {**kwargs, "fused": True}, arrays)
    best = interleaved(contenders, repeats=1, rounds=5)
    ratios = [f"{best['ringgrad'] / best[k]:.2f}" if k in best else "-" for k in ("torch", "foreach", "fused")]
    return [label, f"{best['ringgrad'] * 1e3:.2f}", f"{best['torch'] * 1e3:.2f}" if torch else "-", *ratios]

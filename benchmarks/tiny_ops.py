"""Cost of one op on 8x8 float32 tensors, where dispatch and not arithmetic decides: chains of 50, forward and forward + backward."""
import numpy as np

import ringgrad

from ._measure import interleaved, table

CHAIN, REPEATS = 50, 100
OPS = {  # name: (on NumPy arrays, on tensors of either library)
    "add": (lambda a, b: a + b, lambda lib, a, b: a + b),
    "mul": (lambda a, b: a * b, lambda lib, a, b: a * b),
    "matmul": (lambda a, b: a @ b, lambda lib, a, b: a @ b),
    "relu": (lambda a, b: np.maximum(a, 0), lambda lib, a, b: lib.relu(a)),
}


def _chain(step, x, y):
    h = x
    for _ in range(CHAIN):
        h = step(h, y)
    return h


def _contenders(libraries, on_arrays, on_tensors, a, b):
    runs = {("numpy", "forward"): lambda: _chain(on_arrays, a, b)}
    for name, lib in libraries.items():
        x, y = (lib.tensor(v, requires_grad=True) for v in (a, b))
        seed = lib.ones(8, 8)

        def forward(lib=lib, x=x, y=y):
            return _chain(lambda p, q: on_tensors(lib, p, q), x, y)
        runs[name, "forward"] = forward
        runs[name, "both"] = lambda forward=forward, seed=seed: forward().backward(seed)
    return runs


def main(torch):
    """Print microseconds per op; `own` is ours less NumPy's bare call."""
    libraries = {"ringgrad": ringgrad, **({"torch": torch} if torch else {})}
    rng = np.random.default_rng(0)
    a, b = (rng.random((8, 8), np.float32) / 8 for _ in range(2))
    rows = []
    for op, (on_arrays, on_tensors) in OPS.items():
        best = interleaved(_contenders(libraries, on_arrays, on_tensors, a, b), REPEATS)
        us = {k: v / CHAIN * 1e6 for k, v in best.items()}
        row = [op, us["numpy", "forward"], us["ringgrad", "forward"], us["ringgrad", "forward"] - us["numpy", "forward"], us["ringgrad", "both"]]
        if torch:
            row += [us["torch", "forward"], us["torch", "both"], us["ringgrad", "both"] / us["torch", "both"]]
        rows.append([row[0], *(f"{v:.2f}" for v in row[1:])])
    header = ["us per op", "numpy", "ours fwd", "own", "ours fwd+bwd"] + (["torch fwd", "torch fwd+bwd", "ratio fwd+bwd"] if torch else [])
    table("tiny ops, 8x8 float32, chains of 50", header, rows)

"""Large operations beside the plain NumPy formula and torch: CPU time of one thread, interleaved, forward and forward + backward."""
import sys

import numpy as np

import ringgrad

from ._measure import interleaved, table

ROUNDS, REPEATS = 7, 5
PHILOX, PCG = np.random.Generator(np.random.Philox(0)), np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def layer_norm(x, w, b):
    off = x - x.mean(-1, keepdims=True)
    return off / np.sqrt((off * off).mean(-1, keepdims=True) + 1e-5) * w + b


def cross_entropy(x, t):
    return -log_softmax(x)[np.arange(len(t)), t].mean()


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def conv2d(x, w):
    """All windows as one matrix: (C * kernel size, N * out size)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
    n, c, p, q, _, _ = windows.shape
    y = w.reshape(len(w), -1) @ windows.transpose(1, 4, 5, 0, 2, 3).reshape(-1, n * p * q)
    return np.ascontiguousarray(y.reshape(len(w), n, p, q).swapaxes(0, 1))


def max_pool2d(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))


def embedding(w, t):
    return w[t]


def topk(x):
    at = np.argpartition(x, -5, 1)[:, -5:]
    values = np.take_along_axis(x, at, 1)
    order = values.argsort(1)[:, ::-1]
    return np.take_along_axis(values, order, 1), np.take_along_axis(at, order, 1)


def sort(x):
    at = x.argsort(1)
    return np.take_along_axis(x, at, 1), at


def group_norm(x, w, b):
    rows = x.reshape(len(x) * 8, -1)
    off = rows - rows.mean(1, keepdims=True)
    y = (off / np.sqrt((off * off).mean(1, keepdims=True) + 1e-5)).reshape(x.shape)
    return y * w[:, None, None] + b[:, None, None]


def _floats(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def _ints(high, shape):
    return np.random.default_rng(1).integers(0, high, shape)


def _graph_product(F, values, table, places):
    """The product of a graph's matrix, of the size of Cora, and a table of features; gradients go to both."""
    library = ringgrad if F is ringgrad.nn.functional else sys.modules["torch"]
    return library.sparse.mm(library.sparse_coo_tensor(places, values, (2708, 2708)), table)


ROWS = [  # name, the NumPy formula, the same of either library, float inputs, integer inputs
    ("matmul (768, 128), (128, 512)", np.dot, lambda F, x, y: x @ y, _floats((768, 128), (128, 512)), []),
    ("softmax (768, 512)", softmax, lambda F, x: F.softmax(x, -1), _floats((768, 512)), []),
    ("log_softmax (768, 512)", log_softmax, lambda F, x: F.log_softmax(x, -1), _floats((768, 512)), []),
    ("layer norm (768, 512)", layer_norm, lambda F, x, w, b: F.layer_norm(x, (512,), w, b), _floats((768, 512), 512, 512), []),
    ("cross entropy (768, 512)", cross_entropy, lambda F, x, t: F.cross_entropy(x, t), _floats((768, 512)), [_ints(512, 768)]),
    ("gelu, tanh (768, 512)", gelu_tanh, lambda F, x: F.gelu(x, approximate="tanh"), _floats((768, 512)), []),
    ("gelu (768, 512)", None, lambda F, x: F.gelu(x), _floats((768, 512)), []),
    ("conv2d (16, 32, 26, 26), 64 x 3 x 3", conv2d, lambda F, x, w: F.conv2d(x, w), _floats((16, 32, 26, 26), (64, 32, 3, 3)), []),
    *[(f"depthwise conv2d {shape}, 3 x 3", None, lambda F, x, w: F.conv2d(x, w, None, 1, 1, 1, len(w)), _floats(shape, (shape[1], 1, 3, 3)), [])
      for shape in ((8, 144, 56, 56), (8, 384, 14, 14))],
    ("max pool (16, 64, 24, 24), 2 x 2", max_pool2d, lambda F, x: F.max_pool2d(x, 2), _floats((16, 64, 24, 24)), []),
    *[(f"sparse.mm (2708, 2708) with 13264 values, (2708, {width})", None, _graph_product, _floats((13264,), (2708, width)),
       [_ints(2708, (2, 13264))])
      for width in (16, 1433)],
    ("embedding (1000, 128), 4096 rows", embedding, lambda F, w, t: F.embedding(t, w), _floats((1000, 128)), [_ints(1000, 4096)]),
    ("sum of rows (1024, 1024)", lambda x: x.sum(1), lambda F, x: x.sum(1), _floats((1024, 1024)), []),
    ("variance of rows (1024, 1024)", lambda x: x.var(1, ddof=1), lambda F, x: x.var(1), _floats((1024, 1024)), []),
    ("clamp (1024, 1024)", lambda x: np.clip(x, -1, 1), lambda F, x: x.clamp(-1, 1), _floats((1024, 1024)), []),
    ("topk (1024, 1024), 5", topk, lambda F, x: x.topk(5)[0], _floats((1024, 1024)), []),
    ("sort (1024, 1024)", sort, lambda F, x: x.sort()[0], _floats((1024, 1024)), []),
    ("gather (1024, 1024)", lambda x, t: np.take_along_axis(x, t, 1), lambda F, x, t: x.gather(1, t), _floats((1024, 1024)),
     [_ints(1024, (1024, 1024))]),
    ("boolean mask (1024, 1024)", lambda x, t: x[t > 0], lambda F, x, t: x[t > 0], _floats((1024, 1024)), [_ints(2, (1024, 1024))]),
    ("group norm (16, 64, 24, 24), 8 groups", group_norm, lambda F, x, w, b: F.group_norm(x, 8, w, b), _floats((16, 64, 24, 24), 64, 64), []),
]
NO_GRADIENT = [  # name, on NumPy arrays, on tensors of either library, arrays that may be written to
    ("x[mask] (1024, 1024)", lambda x, m: x[m], lambda lib, x, m: x[m], [*_floats((1024, 1024)), _ints(2, (1024, 1024)) > 0]),
    ("add_ (1024, 1024)", lambda x, y: np.add(x, y, out=x), lambda lib, x, y: x.add_(y), _floats((1024, 1024), (1024, 1024))),
    ("mul_ by a number (1024, 1024)", lambda x: np.multiply(x, 1.0, out=x), lambda lib, x: x.mul_(1.0), _floats((1024, 1024))),
    ("clamp_ (1024, 1024)", lambda x: np.clip(x, -1, 1, out=x), lambda lib, x: x.clamp_(-1, 1), _floats((1024, 1024))),
    ("rand (1024, 1024), NumPy's Philox", lambda: PHILOX.random((1024, 1024), np.float32), lambda lib: lib.rand(1024, 1024), []),
    ("rand (1024, 1024), NumPy's default", lambda: PCG.random((1024, 1024), np.float32), lambda lib: lib.rand(1024, 1024), []),
    ("randn (1024, 1024), NumPy's Philox", lambda: PHILOX.standard_normal((1024, 1024), np.float32), lambda lib: lib.randn(1024, 1024), []),
    ("cat 2 x (1024, 512)", lambda x, y: np.concatenate([x, y], 1), lambda lib, x, y: lib.cat([x, y], 1), _floats((1024, 512), (1024, 512))),
]


def _contenders(libraries, on_arrays, on_tensors, floats, ints):
    runs = {} if on_arrays is None else {("numpy", "forward"): lambda: on_arrays(*floats, *ints)}
    for name, lib in libraries.items():
        inputs = [lib.tensor(a).requires_grad_() for a in floats] + [lib.tensor(a) for a in ints]

        def forward(lib=lib, inputs=inputs):
            return on_tensors(lib.nn.functional, *inputs)
        seed = lib.ones_like(forward().detach())
        runs[name, "forward"] = forward
        runs[name, "both"] = lambda forward=forward, seed=seed: forward().backward(seed)
        runs[name, "both"]()
    return runs


def main(torch):
    """Print microseconds per call, and ours beside NumPy's formula and beside torch."""
    libraries = {"ringgrad": ringgrad, **({"torch": torch} if torch else {})}
    rows = []
    for name, on_arrays, on_tensors, floats, ints in ROWS:
        best = {k: v * 1e6 for k, v in interleaved(_contenders(libraries, on_arrays, on_tensors, floats, ints), REPEATS, ROUNDS).items()}
        plain, ours = best.get(("numpy", "forward")), best["ringgrad", "forward"]
        beside = [f"{plain:.0f}", f"{ours:.0f}", f"{ours / plain:.2f}"] if plain else ["-", f"{ours:.0f}", "-"]
        row = [name, *beside, f"{best['ringgrad', 'both']:.0f}"]
        if torch:
            row += [f"{best['torch', 'forward']:.0f}", f"{best['torch', 'both']:.0f}", f"{best['ringgrad', 'both'] / best['torch', 'both']:.2f}"]
        rows.append(row)
    header = ["us per call", "numpy", "ours fwd", "ours / numpy", "ours fwd+bwd"] + (["torch fwd", "torch fwd+bwd", "ratio fwd+bwd"] if torch else [])
    table("large operations, float32", header, rows)
    table("large operations without a gradient, float32", ["us per call", "numpy", "ours", "ours / numpy"] + (["torch", "ratio"] if torch else []),
          [_without_gradient(libraries, *row) for row in NO_GRADIENT])


def _without_gradient(libraries, name, on_arrays, on_tensors, arrays):
    copies = [a.copy() for a in arrays]
    runs = {"numpy": lambda: on_arrays(*copies)}
    for key, lib in libraries.items():
        runs[key] = lambda lib=lib, tensors=[lib.tensor(a) for a in arrays]: on_tensors(lib, *tensors)
    best = {k: v * 1e6 for k, v in interleaved(runs, REPEATS, ROUNDS).items()}
    ours = best["ringgrad"]
    row = [name, f"{best['numpy']:.0f}", f"{ours:.0f}", f"{ours / best['numpy']:.2f}"]
    return row + ([f"{best['torch']:.0f}", f"{ours / best['torch']:.2f}"] if "torch" in best else [])

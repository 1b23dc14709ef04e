"""Samples of copies with one part replaced, and of windows."""
import numpy as np

from .sample import Fails, Sample, randint, randn

DOUBLE = ("float32", "float64")


def with_part(x, at, y):
    """A copy with x[at] = y."""
    out = x.copy()
    out[at] = y
    return out


def window(name, by_numpy, *args, **kwargs):
    """The periodic window, and NumPy's symmetric one."""
    return [Sample(f"{name}_window", [8, *args], kwargs, op=None, ref=lambda n, *a: by_numpy(n + 1, *a)[:-1], dtypes=("float64",), gives="float32"),
            Sample(f"{name}_window", [7, False, *args], kwargs, op=None, ref=lambda n, p, *a: by_numpy(n, *a), dtypes=("float64",), gives="float32")]


SAMPLES = [
    Sample("select_scatter", [randn(3, 4), randn(3), 1, -1], op="copy", ref=lambda x, y, d, i: with_part(x, (slice(None), -1), y), dtypes=DOUBLE),
    Sample("slice_scatter", [randn(3, 5), randn(3, 2)], dict(dim=1, start=1, step=2, end=-1), op="copy", dtypes=DOUBLE,
           ref=lambda x, y: with_part(x, (slice(None), slice(1, -1, 2)), y)),
    Sample("diagonal_scatter", [randn(3, 4), randn(3)], dict(offset=1), op="copy", dtypes=DOUBLE,
           ref=lambda x, y: with_part(x, (np.arange(3), np.arange(1, 4)), y)),
    Sample("Tensor.fill_diagonal_", [randn(7, 3), 2.0], dict(wrap=True), op="assign", dtypes=DOUBLE,
           call=lambda lib, x, v, wrap: (x + 0).fill_diagonal_(v, wrap=wrap), ref=lambda x, v: (np.fill_diagonal(x, v, wrap=True), x)[1]),
    Sample("Tensor.fill_diagonal_", [randn(3, 3, 3), 2.0], op="index_put", dtypes=DOUBLE, call=lambda lib, x, v: (x + 0).fill_diagonal_(v),
           ref=lambda x, v: (np.fill_diagonal(x, v), x)[1]),
    Sample("Tensor.sum_to_size", [randn(2, 3, 4), 3, 1], op="sum", ref=lambda x, *s: x.sum((0, 2))[:, None], dtypes=DOUBLE, slack=2),
    Sample("unravel_index", [randint(0, 24, 5), (2, 3, 4)], op=None, ref=np.unravel_index, dtypes=("float64",), gives="int64", grad=False),
    *window("hann", np.hanning), *window("hamming", np.hamming), *window("blackman", np.blackman), *window("bartlett", np.bartlett),
    Sample("kaiser_window", [8, False, 5.0], op=None, ref=lambda n, p, b: np.kaiser(n, b), dtypes=("float64",), gives="float32"),
    Fails("select_scatter", [randn(3, 4), randn(4), 1, 0], says="src size"),
    Fails("Tensor.sum_to_size", [randn(2, 3), 4], says="not expandable"),
    Fails("hann_window", [-1], says="non-negative window_length"),
]

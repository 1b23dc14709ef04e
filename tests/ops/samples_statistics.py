"""Samples of quantiles, modes, histograms, differences, distances and covariances."""
import numpy as np

from .sample import FLOATS, INTS, Fails, Sample, apart, const, positive, randint, randn

DOUBLE = ("float32", "float64")


def punched(lib, x):
    """`x` with nan in place of its smallest elements, cut from the graph."""
    return lib.where(x.detach() < -0.5, lib.nan, x.detach())


def holed(x):
    """NumPy's counterpart of `punched`."""
    return np.where(x < -0.5, np.nan, x)


def most_frequent(x, axis):
    """(values, last indices) by counting."""
    x = np.moveaxis(x, axis, -1)
    values, indices = np.empty(x.shape[:-1]), np.empty(x.shape[:-1], np.int64)
    for at in np.ndindex(*x.shape[:-1]):
        found, counts = np.unique(x[at], return_counts=True)
        values[at] = found[counts.argmax()]
        indices[at] = np.flatnonzero(x[at] == values[at])[-1]
    return values, indices


def gaps(method):
    return Sample("quantile", [apart(3, 6), 0.37], dict(dim=1, interpolation=method), op="sort", dtypes=DOUBLE, slack=2,
                  ref=lambda x, q: np.quantile(x, q, axis=1, method=method))


ORDER = [
    Sample("quantile", [apart(3, 5), 0.3], op="sort", ref=np.quantile, dtypes=DOUBLE),
    Sample("quantile", [apart(3, 5), const([0.25, 0.5, 1.0])], dict(dim=1, keepdim=True), op="sort", dtypes=DOUBLE, grad=(0,),
           ref=lambda x, q: np.quantile(x, q, axis=1, keepdims=True)),
    *[gaps(method) for method in ("lower", "higher", "midpoint", "nearest")],
    Sample("quantile", [const([1.0, -2.0, 3.0]), 0.5], op="sort", ref=lambda x, q: np.quantile(holed(x), q), dtypes=DOUBLE, grad=False,
           call=lambda lib, x, q: lib.quantile(punched(lib, x), q)),
    Sample("nanquantile", [apart(4, 7), 0.4], dict(dim=1), op="sort", ref=lambda x, q: np.nanquantile(holed(x), q, axis=1), dtypes=DOUBLE, grad=False,
           call=lambda lib, x, q, dim: lib.nanquantile(punched(lib, x), q, dim=dim)),
    Sample("nanmedian", [apart(7)], op="argsort", ref=np.median, dtypes=FLOATS),
    Sample("nanmedian", [apart(4, 5), 1], op="argsort", dtypes=("float64",), grad=False, call=lambda lib, x, d: lib.nanmedian(punched(lib, x), d).values,
           ref=lambda x, d: np.nanquantile(holed(x), 0.5, axis=1, method="lower")),
    Sample("mode", [randint(0, 3, 4, 9, follows=True)], dtypes=("float64", "int64"), grad=False, ref=lambda x: most_frequent(x, 1),
           call=lambda lib, x: lib.mode(x.detach())),
    Sample("mode", [apart(4, 3), 0, True], dtypes=FLOATS, ref=lambda x, d, k: (x.min(0, keepdims=True), x.argmin(0)[None])),
]

COUNTS = [
    Sample("histc", [randn(40)], dict(bins=7, min=-2, max=2), op="histogram_counts", dtypes=DOUBLE, grad=False,
           ref=lambda x: np.histogram(x, 7, (-2, 2))[0].astype(float)),
    Sample("histc", [randn(40)], op="histogram_counts", dtypes=DOUBLE, grad=False, ref=lambda x: np.histogram(x, 100)[0].astype(float)),
    Sample("histogram", [randn(40), 5], dict(range=(-1.0, 2.0), weight=positive(40), density=True), op="histogram_counts", dtypes=DOUBLE, grad=False,
           call=lambda lib, x, n, weight, **k: lib.histogram(x.detach(), n, weight=weight.detach(), **k)),
]

RUNS = [
    Sample("logcumsumexp", [randn(3, 4), 1], ref=lambda x, d: np.logaddexp.accumulate(x, 1), dtypes=FLOATS),
    Sample("logcumsumexp", [const([-800.0, 3, 700, 2, 701]), 0], ref=lambda x, d: np.logaddexp.accumulate(x), dtypes=("float64",)),
    Sample("diff", [randn(3, 5)], op="subtract", ref=np.diff, dtypes=FLOATS + INTS, slack=4, view=False),
    Sample("diff", [randn(3, 5)], dict(n=2, dim=0, prepend=randn(1, 5)), op="subtract", dtypes=DOUBLE),
    Sample("trapezoid", [randn(3, 5), positive(5)], op="sum", ref=lambda y, x: np.trapezoid(y, x), dtypes=DOUBLE, slack=2),
    Sample("trapezoid", [randn(3, 5)], dict(dx=0.5, dim=0), op="sum", ref=lambda y: np.trapezoid(y, dx=0.5, axis=0), dtypes=DOUBLE),
    Sample("cumulative_trapezoid", [randn(3, 5)], op="cumsum", dtypes=DOUBLE, ref=lambda y: np.cumsum((y[:, 1:] + y[:, :-1]) / 2, 1), slack=2),
]

VECTORS = [
    Sample("cross", [randn(4, 3), randn(4, 3)], dict(dim=1), op="roll", ref=np.cross, dtypes=DOUBLE + ("complex128",), slack=4),
    Sample("cdist", [randn(2, 4, 3), randn(2, 5, 3)], op="vector_norm", dtypes=DOUBLE, slack=8, torch_slack=100,
           ref=lambda x, y: np.linalg.norm(x[:, :, None] - y[:, None], axis=-1)),
    Sample("cdist", [apart(4, 3), positive(5, 3), 1.0], op="vector_norm", dtypes=DOUBLE, order2="torch has none",
           ref=lambda x, y, p: np.abs(x[:, None] - y).sum(-1)),
    Sample("pdist", [randn(4, 3)], op="vector_norm", dtypes=DOUBLE, order2="torch has none",
           ref=lambda x: np.linalg.norm(x[:, None] - x, axis=-1)[np.triu_indices(4, 1)]),
    Sample("dist", [randn(3, 4), randn(3, 4), 3], op="vector_norm", dtypes=DOUBLE, slack=4, ref=lambda x, y, p: (np.abs(x - y) ** 3).sum() ** (1 / 3)),
    Sample("renorm", [randn(3, 4), 2, 0, 1.5], op="vector_norm", dtypes=DOUBLE, slack=4, inplace="a composition",
           ref=lambda x, p, d, m: x * np.minimum(1, m / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-7) + (np.linalg.norm(x, axis=1, keepdims=True) <= m))),
    Sample("cov", [randn(3, 6)], op="matmul", ref=np.cov, dtypes=DOUBLE, slack=4),
    Sample("cov", [randn(3, 6)], dict(fweights=const([1, 2, 1, 3, 1, 1], "int64"), aweights=const([1, 2, 1, 1, 0.5, 1])), op="matmul", dtypes=DOUBLE,
           slack=8, grad=(0,)),
    Sample("corrcoef", [randn(3, 6)], op="matmul", ref=np.corrcoef, dtypes=DOUBLE, slack=4),
    Sample("vander", [positive(4)], dict(N=3), op="power", ref=lambda x: np.vander(x, 3), dtypes=DOUBLE, torch="its own gradient fails"),
    Sample("vander", [positive(4)], dict(increasing=True), op="power", ref=lambda x: np.vander(x, increasing=True), dtypes=DOUBLE + ("int64",), grad=False,
           call=lambda lib, x, increasing: lib.vander(x.detach(), increasing=increasing)),
]

REFUSED = [
    Fails("quantile", [randn(3), 1.5], says=r"must be in the range \[0, 1\]"),
    Fails("quantile", [randn(3), 0.5], dict(interpolation="cubic"), says="interpolation must be one of"),
    Fails("histc", [randn(3)], dict(bins=0), says="bins must be > 0"),
    Fails("cross", [randn(4), randn(4)], says="size 3"),
    Fails("cdist", [randn(2, 3), randn(2, 4)], says="same number of columns"),
    Fails("vander", [randn(2, 3)], says="one-dimensional"),
]

SAMPLES = [*ORDER, *COUNTS, *RUNS, *VECTORS, *REFUSED]

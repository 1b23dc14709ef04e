"""Samples of the reductions: sums, averages, norms, extremes, running sums and products."""
import math

import numpy as np

from .sample import BOOL, COMPLEX, FLOATS, INTS, Fails, Sample, apart, bools, const, lib, made, positive, randint, randn
from .samples_elementwise import gradient

REAL = FLOATS + INTS
NAN, INF = math.nan, math.inf
DIMS = (None, 0, -1, (0, 2), (1,))


def reduction(name, ref, draw=randn, dims=DIMS, dtypes=FLOATS, op=None, **fields):
    """Rows of a reduction over everything, over one dimension and over several, with and without keepdim."""
    rows = [Sample(name, [draw(2, 3, 4)], op=op or name, ref=lambda x: ref(x, None, False), dtypes=dtypes,
                   **fields)] if None in dims else []
    for dim, keepdim in [(d, k) for d in dims if d is not None for k in (False, True)]:
        rows.append(Sample(name, [draw(2, 3, 4)], {"dim": dim, "keepdim": keepdim}, op=op or name, dtypes=dtypes,
                           ref=lambda x, dim=dim, keepdim=keepdim: ref(x, dim, keepdim), **fields))
    return rows


def numpys(function, **more):
    """A NumPy reduction as a reference: f(x, dim, keepdim)."""
    return lambda x, dim, keepdim: function(x, axis=dim, keepdims=keepdim, **more)


def ties(*shape):
    """Whole numbers from 0 to 2, of which many are equal; in the dtype under test."""
    return randint(0, 3, *shape, follows=True)


def with_zeros(*shape):
    """Normal values, every fifth of them 0."""
    def draw(rng):
        x = rng.standard_normal(shape) + 0.0
        x.reshape(-1)[::5] = 0
        return x
    return made(draw, f"with_zeros{shape}")


def one_zero(*shape):
    """Values from 1/2 to 2, but for one 0."""
    def draw(rng):
        x = rng.uniform(0.5, 2, shape)
        x.reshape(-1)[2] = 0
        return x
    return made(draw, f"one_zero{shape}")


def holed(name, x, ref, kwargs=None, **fields):
    """The row of values with nan among them, written as 99; without gradients."""
    def hole(xp, t):
        return xp.where(t == 99, NAN, t)

    def call(lib, t, **kwargs):
        return getattr(lib, name)(hole(lib, t.detach()), **kwargs)
    return Sample(name, [const(x)], kwargs or {}, call=call, ref=lambda t: ref(hole(np, t)), grad=False,
                  **{"dtypes": ("float32", "float64"), **fields})


def _places(values, indices):
    """A reference for (values, indices) along one dimension."""
    return lambda x, dim, keepdim: (values(x, dim, keepdim), indices(x, dim, keepdim))


def _lower_median(x, dim, keepdim):
    order = np.argsort(x, dim)
    place = np.take(order, [(x.shape[dim] - 1) // 2], dim)
    values = np.take_along_axis(x, place, dim)
    return (values, place) if keepdim else (values.squeeze(dim), place.squeeze(dim))


def _logsumexp(x, dim, keepdim):
    return np.log(np.sum(np.exp(x), axis=dim, keepdims=keepdim))


def _norm(p):
    def ref(x, dim, keepdim):
        a = np.abs(x)
        if math.isinf(p):
            return (np.max if p > 0 else np.min)(a, axis=dim, keepdims=keepdim)
        return np.sum(a != 0, axis=dim, keepdims=keepdim) if p == 0 else np.sum(a ** p, axis=dim, keepdims=keepdim) ** (1 / p)
    return ref


SUMS = [
    *reduction("sum", numpys(np.sum), dtypes=FLOATS + COMPLEX, slack=4),
    *reduction("sum", numpys(np.sum, dtype=np.int64), dtypes=INTS + BOOL, gives="int64", grad=False),
    Sample("sum", [randn(3, 4)], {"axis": 0, "keepdims": True}, ref=lambda x: x.sum(0, keepdims=True)),
    Sample("sum", [randn(3, 4)], {"dim": []}, ref=np.sum, slack=4),
    Sample("sum", [randn(3, 4)], {"dtype": lib("float64")}, ref=np.sum, gives="float64", dtypes=("float32", "float64"), slack=4,
           order2=True),
    Sample("sum", [randint(0, 9, 3, 4)], {"dim": 1, "dtype": lib("float32")}, ref=lambda x: x.sum(1), gives="float32", grad=False),
    Sample("sum", [randn()], {"dim": 0}, ref=lambda x: x), Sample("sum", [randn(0, 3)], {"dim": 0}, ref=lambda x: np.zeros(3)),
    Sample("sum", [made(lambda rng: np.ones(70000), "ones")], ref=lambda x: 70000.0, dtypes=("float32", "bfloat16"), grad=False,
           call=lambda lib, x: lib.sum(x.detach())),
    *[Sample("sum", [made(lambda rng: np.full((70000, 2), 0.1), "tenths"), dim], dtypes=("float32",), grad=False,  # adding row after row loses
             call=lambda lib, x, d: lib.sum(x.detach(), d) / 7000, ref=lambda x, d: x.sum(d) / 7000) for dim in (0, (0, 1))],  # three digits
    Sample("Tensor.sum", [randn(3, 4), 1], ref=lambda x, d: x.sum(d)),
    Sample("Tensor.sum", [randn(3, 4), (0, 1), True], ref=lambda x, d, k: x.sum(d, keepdims=k)),
    *reduction("mean", numpys(np.mean), dtypes=FLOATS + COMPLEX, slack=4),
    Sample("mean", [randint(0, 9, 3, 4)], {"dtype": lib("float32")}, ref=np.mean, gives="float32", grad=False),
    Sample("mean", [randn(0)], ref=lambda x: NAN, grad=False, call=lambda lib, x: lib.mean(x.detach())),
    *reduction("prod", numpys(np.prod), positive, dims=(None, 0, -1), dtypes=FLOATS + COMPLEX, slack=8),
    *reduction("prod", numpys(np.prod), one_zero, dims=(None, 1), dtypes=("float32", "float64", "complex128")),
    *reduction("prod", numpys(np.prod), with_zeros, dims=(None, 1), dtypes=("float32", "float64")),
    *reduction("prod", numpys(np.prod, dtype=np.int64), ties, dims=(None, 1), dtypes=INTS + BOOL, gives="int64", grad=False),
    Sample("prod", [randn()], {"dim": 0}, ref=lambda x: x),
    Sample("prod", [randn(0)], ref=np.prod, grad=False, call=lambda lib, x: lib.prod(x.detach())),
    holed("nansum", [1.0, 99, 3.0], np.nansum),
    holed("nanmean", [[1.0, 99], [3.0, 4.0]], lambda x: np.nanmean(x, 1), {"dim": 1}, op=None),
    Sample("nansum", [randn(3, 4)], {"dim": 1}, ref=lambda x: x.sum(1), slack=4),
    Sample("nanmean", [randn(3, 4)], {"dim": 0, "keepdim": True}, op="sum", ref=lambda x: x.mean(0, keepdims=True), slack=4),
    *reduction("count_nonzero", lambda x, dim, keepdim: np.count_nonzero(x, dim), ties, dims=(None,), dtypes=FLOATS + COMPLEX + INTS + BOOL,
               gives="int64", op="not_equal", grad=False),
    Sample("count_nonzero", [ties(3, 4)], {"dim": (0, 1)}, op="not_equal", ref=np.count_nonzero, gives="int64", grad=False),
]

SPREAD = [
    *reduction("var", numpys(np.var, ddof=1), dtypes=FLOATS, slack=8),
    *reduction("std", numpys(np.std, ddof=1), dtypes=FLOATS, slack=8),
    *[Sample(name, [randn(3, 4)], ref=lambda x, f=f: f(x, ddof=1), dtypes=(c,), gives=g, slack=4, grad=c == "complex128",
             call=(lambda lib, x, name=name: getattr(lib, name)(x)) if c == "complex128" else lambda lib, x,
             name=name: getattr(lib, name)(x.detach()))
      for name, f in (("var", np.var), ("std", np.std)) for c, g in (("complex64", "float32"), ("complex128", "float64"))],
    Sample("var", [randn(3, 4)], {"dim": 1, "unbiased": False}, ref=lambda x: x.var(1), slack=8),
    Sample("var", [randn(3, 4), False], ref=lambda x, _: x.var(), slack=8),
    Sample("var", [randn(3, 4)], {"dim": 1, "correction": 2}, ref=lambda x: x.var(1, ddof=2), slack=8),
    Sample("std", [randn(3, 4), 1, False, True], ref=lambda x, *_: x.std(1, keepdims=True), slack=8),
    Sample("std", [const([2.0, 2.0, 2.0])], ref=lambda x: 0.0, order2="at the edge", grad=False, call=lambda lib, x: lib.std(x.detach())),
    Sample("var_mean", [randn(3, 4)], {"dim": 1}, op="var", ref=lambda x: (x.var(1, ddof=1), x.mean(1)), slack=8),
    Sample("std_mean", [randn(3, 4)], {"correction": 0}, op="std", ref=lambda x: (x.std(), x.mean()), slack=8),
]

TRUTH = [
    *[row for name, f in (("any", np.any), ("all", np.all)) for row in
      reduction(name, numpys(f), ties, dims=(None, 1, (0, 2)), dtypes=FLOATS + COMPLEX + INTS[1:] + BOOL, gives="bool", grad=False)],
    *[Sample(name, [bools(3, 4)], ref=f, gives="bool", grad=False, dtypes=("bool",)) for name, f in (("any", np.any), ("all", np.all))],
    *[Sample(name, [ties(3, 4)], {"dim": 0}, ref=lambda x, f=f: f(x, 0), gives="uint8", grad=False, dtypes=("uint8",))
      for name, f in (("any", np.any), ("all", np.all))],
    *[Sample(name, [randn(0)], ref=f, gives="bool", grad=False) for name, f in (("any", np.any), ("all", np.all))],
    Sample("any", [ties(2, 2)], {"dim": ()}, op="not_equal", ref=lambda x: x != 0, gives="bool", grad=False),
]

LOGARITHMS_AND_NORMS = [
    *list(reduction("logsumexp", _logsumexp, dims=DIMS[1:], slack=4)),
    Sample("logsumexp", [const([[1000.0, 1000.0], [-1000.0, -1001.0]])], {"dim": 1}, dtypes=("float32", "float64"),
           ref=lambda x: np.array([1000 + math.log(2), -1000 + math.log1p(math.exp(-1))])),
    Sample("logsumexp", [const([[INF, 1.0], [-INF, -INF], [-INF, 2.0]])], {"dim": 1}, dtypes=("float32", "float64"), grad=False,
           call=lambda lib, x, dim: lib.logsumexp(x.detach(), dim), ref=lambda x: np.array([INF, -INF, 2.0])),
    Sample("logsumexp", [randn(0, 2)], {"dim": 0}, ref=lambda x: np.array([-INF, -INF]), grad=False,
           call=lambda lib, x, dim: lib.logsumexp(x.detach(), dim)),
    Sample("logsumexp", [randint(0, 3, 2, 2)], {"dim": 0}, ref=lambda x: np.log(np.exp(x).sum(0)), gives="float32", grad=False),
    *[Sample("norm", [apart(3, 4)], {"p": p}, op="vector_norm", ref=lambda x, p=p: _norm(p)(x, None, False), slack=8)
      for p in (1, 2, 3, 0)],
    *[Sample("norm", [apart(3, 4)], {"p": p}, op="vector_norm", ref=lambda x, p=p: _norm(p)(x, None, False), slack=8,
             torch="its second derivative loads torch's compiler, which changes the environment") for p in (0.5, 1.5)],
    *[Sample("norm", [randn(3, 4), p], op="vector_norm", ref=lambda x, p: _norm(p)(x, None, False)) for p in (INF, -INF)],
    *[Sample("norm", [apart(3, 4)], {"p": p, "dim": 1, "keepdim": True}, op="vector_norm", ref=lambda x, p=p: _norm(p)(x, 1, True), slack=8)
      for p in (1, 2, 3)],
    Sample("norm", [randn(3, 4)], {"p": INF, "dim": 1, "keepdim": True}, op="vector_norm", ref=lambda x: np.abs(x).max(1, keepdims=True)),
    Sample("norm", [randn(3, 4)], op="vector_norm", ref=np.linalg.norm, slack=4),
    Sample("norm", [randn(2, 3, 4), 2], {"dim": (0, 2)}, op="vector_norm", ref=lambda x, p: np.sqrt((x * x).sum((0, 2))), slack=4),
    *[Sample("norm", [randn(3, 4), p], op="vector_norm", ref=lambda x, p: _norm(p)(x, None, False), dtypes=("complex128",), gives="float64")
      for p in (1, 2, 3, INF)],
    Sample("norm", [const([[0.0, 0.0], [3.0, 4.0]])], {"dim": 1}, op="vector_norm", ref=lambda x: np.array([0.0, 5.0]), grad=False,
           call=lambda lib, x, dim: lib.norm(x.detach(), dim=dim)),
    Sample("norm", [randn(3)], {"dtype": lib("float64")}, op="vector_norm", ref=np.linalg.norm, dtypes=("float32", "float64"),
           gives="float64"),
]

EXTREMES = [
    *[row for name, f in (("amax", np.max), ("amin", np.min)) for row in reduction(name, numpys(f), apart, dtypes=REAL + BOOL)],
    *[row for name, f in (("max", np.max), ("min", np.min)) for row in
      reduction(name, _places(numpys(f), numpys(np.argmax if name == "max" else np.argmin)), apart, dims=(0, -1), op=f"{name}_along",
                dtypes=REAL + BOOL)],
    *[Sample(name, [apart(3, 4)], op=f"a{name}", ref=f, dtypes=REAL + BOOL) for name, f in (("max", np.max), ("min", np.min))],
    *[Sample(name, [apart(3, 4), randn(4)], op=f"{name}imum", ref=f) for name, f in (("max", np.maximum), ("min", np.minimum))],
    *[Sample(name, [randn()], {"dim": 0}, op="copy", ref=lambda x: (x, 0)) for name in ("max", "min")],
    holed("max", [[1.0, 99, 3.0], [1.0, 2.0, 2.0]], lambda x: (np.array([NAN, 2]), np.array([1, 1])), {"dim": 1}, op="max_along"),
    holed("amax", [1.0, 99, INF], lambda x: NAN), holed("min", [1.0, 99, -INF], lambda x: NAN, op="amin"),
    holed("argmax", [1.0, 99, INF], lambda x: 1, gives="int64"), holed("argmin", [1.0, 99, -INF], lambda x: 1, gives="int64"),
    *[Sample(name, [ties(3, 4)], ref=f, dtypes=REAL, gives="int64", grad=False) for name,
      f in (("argmax", np.argmax), ("argmin", np.argmin))],
    *[Sample(name, [ties(3, 4)], {"dim": dim, "keepdim": keepdim}, ref=lambda x, f=f, d=dim, k=keepdim: f(x, d, keepdims=k), gives="int64",
             grad=False) for name, f in (("argmax", np.argmax), ("argmin", np.argmin)) for dim,
             keepdim in ((0, False), (-1, True), (None, True))],
    Sample("argmax", [randn()], {"dim": 0}, ref=lambda x: 0, gives="int64", grad=False),
    *reduction("median", _lower_median, apart, dims=(0, -1), op="median_along", dtypes=REAL),
    Sample("median", [apart(3, 4)], ref=lambda x: np.sort(x.ravel())[5], dtypes=REAL),
    Sample("median", [randn()], {"dim": 0}, op="median_along", ref=lambda x: (x, 0)),
    holed("median", [1.0, 99, 3.0], lambda x: NAN),
    holed("median", [[1.0, 99, 3.0]], lambda x: (np.array([NAN]), np.array([1])), {"dim": 1},
                                                          op="median_along"),
    Sample("aminmax", [apart(3, 4)], op="amin", ref=lambda x: (x.min(), x.max())),
    Sample("aminmax", [apart(3, 4)], {"dim": 1, "keepdim": True}, op="amax",
           ref=lambda x: (x.min(1, keepdims=True), x.max(1, keepdims=True))),
]

RUNNING = [
    *[Sample("cumsum", [randn(3, 4)], {"dim": dim}, ref=lambda x, d=dim: np.cumsum(x, d), dtypes=FLOATS + COMPLEX, slack=4) for dim in (0,
                                                                                                                                        -1)],
    Sample("cumsum", [ties(3, 4)], {"dim": 1}, ref=lambda x: np.cumsum(x, 1, dtype=np.int64), dtypes=INTS + BOOL, gives="int64", grad=False,
           inplace="changes the dtype"),
    Sample("cumsum", [randn(3)], {"dim": 0, "dtype": lib("float64")}, ref=np.cumsum, dtypes=("float32", "float64"), gives="float64",
           inplace="no dtype there"),
    Sample("cumsum", [randn()], {"dim": 0}, ref=lambda x: x), Sample("cumprod", [randn()], {"dim": 0}, ref=lambda x: x),
    *[Sample("cumprod", [draw(3, 4)], {"dim": dim}, ref=lambda x, d=dim: np.cumprod(x, d), dtypes=FLOATS + ("complex128",), slack=8)
      for dim in (0, -1) for draw in (positive, with_zeros, one_zero)],
    Sample("cumprod", [ties(3, 4)], {"dim": 1}, ref=lambda x: np.cumprod(x, 1, dtype=np.int64), dtypes=INTS + BOOL, gives="int64",
           grad=False,
           inplace="changes the dtype"),
]

KINKS = [
    gradient("amax", [3.0, 1.0, 3.0, 3.0], wants=[1 / 3, 0.0, 1 / 3, 1 / 3]),
    gradient("amin", [[1.0, 1.0], [1.0, 2.0]], of=lambda lib, x: lib.amin(x, 1), wants=[[0.5, 0.5], [1.0, 0.0]]),
    gradient("max", [3.0, 1.0, 3.0], op="amax", wants=[0.5, 0.0, 0.5]), gradient("min", [3.0, 1.0, 1.0], op="amin", wants=[0.0, 0.5, 0.5]),
    gradient("max", [[3.0, 1.0, 3.0]], of=lambda lib, x: lib.max(x, 1).values, op="max_along", wants=[[1.0, 0.0, 0.0]]),
    gradient("min", [[1.0], [1.0]], of=lambda lib, x: lib.min(x, 0)[0], op="min_along", wants=[[1.0], [0.0]]),
    gradient("median", [2.0, 2.0, 1.0, 3.0], wants=[0.5, 0.5, 0.0, 0.0]),
    gradient("std", [2.0, 2.0, 2.0], wants=[0.0, 0.0, 0.0]),
    *[gradient("norm", [0.0, 0.0], p, op="vector_norm", wants=[0.0, 0.0]) for p in (1, 2, 3)],
    gradient("norm", [-2.0, 2.0, 0.0], INF, op="vector_norm", wants=[-0.5, 0.5, 0.0]),
    gradient("prod", [0.0, 2.0, 3.0], wants=[6.0, 0.0, 0.0]), gradient("prod", [0.0, 2.0, 0.0], wants=[0.0, 0.0, 0.0]),
    gradient("logsumexp", [-INF, 0.0], of=lambda lib, x: lib.logsumexp(x, 0), wants=[0.0, 1.0]),
    gradient("mean", [1.0, 2.0], of=lambda lib, x: x.mean(), wants=[0.5, 0.5]),
]

X, EMPTY, WHOLE = randn(2, 3), randn(0), randint(0, 5, 2, 2)
Z = const([1 + 0.0], "complex64")
REFUSALS = [
    *[Fails(name, [X], {"dim": 5}, error=IndexError, says=r"expected to be in range of \[-2, 1\], but got 5")
      for name in ("sum", "mean", "amax", "max", "argmin", "cumsum", "var", "logsumexp", "norm", "all", "median", "prod")],
    Fails("sum", [randn()], {"dim": 1}, error=IndexError, says=r"range of \[-1, 0\], but got 1"),
    *[Fails(name, [X], {"dim": (0, -2)}, says="appears multiple times") for name in ("sum", "amax", "std")],
    Fails("sum", [X], {"dim": 0.5}, error=TypeError, says="'dim' must be int"),
    Fails("sum", [1], error=TypeError, says="must be Tensor"),
    Fails("max", [EMPTY], says="Expected reduction dim to be specified"),
    Fails("amax", [EMPTY], says="Expected reduction dim to be specified"),
    Fails("argmax", [EMPTY], error=IndexError, says="Expected reduction dim to be specified"),
    *[Fails(name, [randn(0, 3)], {"dim": 0}, error=IndexError, says="Expected reduction dim 0 to have non-zero size")
      for name in ("amin", "max", "argmin")],
    Fails("mean", [WHOLE], says="could not infer output dtype"), Fails("var", [WHOLE], says="floating point and complex"),
    Fails("nanmean", [WHOLE], says="floating point or complex"), Fails("norm", [WHOLE], says="Expected a floating point or complex"),
    Fails("norm", [X], {"p": "mean"}, says="order 'mean'"), Fails("norm", [EMPTY], {"p": INF}, says="does not have an identity"),
    *[Fails(name, [Z], error=NotImplementedError, says="not implemented for complex") for name in ("amax", "max")],
    Fails("argmax", [Z], says="complex"), Fails("argmax", [bools(3)], says="bool"),
    Fails("median", [bools(3)], error=NotImplementedError, says="not implemented for bool"),
]

SAMPLES = [*SUMS, *SPREAD, *TRUTH, *LOGARITHMS_AND_NORMS, *EXTREMES, *RUNNING, *KINKS, *REFUSALS]

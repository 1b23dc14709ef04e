"""Samples of scatter and index_add with other reductions than the sum."""
import numpy as np

from .sample import FLOATS, Fails, Sample, apart, const, positive, randint, randn

HOW = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum, "mean": np.add}
ROWS = const([[0, 1, 0], [2, 0, 0]], "int64")
DOUBLE = ("float32", "float64")


def reduced(x, axis, index, y, reduce, include_self=True):
    """The answer by a loop over the elements."""
    groups = {}
    for place in np.ndindex(*index.shape):
        to = list(place)
        to[axis] = index[place]
        groups.setdefault(tuple(to), []).append(y[place])
    out = x.copy()
    for to, found in groups.items():
        found = [x[to], *found] if include_self else found
        out[to] = HOW[reduce].reduce(found) / (len(found) if reduce == "mean" else 1)
    return out


def whole_rows(x, axis, index, y, reduce, include_self=True):
    """index_reduce: the index is that of every element of a row."""
    wide = np.broadcast_to(index.reshape(-1, *(1,) * (y.ndim - axis - 1)), y.shape)
    return reduced(x, axis, wide, y, reduce, include_self)


def both(reduce, **fields):
    """With what was there, and without."""
    return [Sample("scatter_reduce", [apart(3, 4), 0, ROWS, positive(2, 3), reduce], dict(include_self=keep), dtypes=DOUBLE,
                   ref=lambda x, d, i, y, r, keep=keep: reduced(x, d, i, y, r, keep), **fields) for keep in (True, False)]


def twice(lib, leaf, f):
    (g,) = lib.autograd.grad(f(leaf), leaf, create_graph=True)
    return lib.autograd.grad(g.sum(), leaf)


def without(x, d, i, y, r):
    return reduced(x, d, i, y, r, False)


SAMPLES = [
    *[row for reduce in HOW for row in both(reduce)],
    Sample("scatter_reduce", [randint(0, 9, 3, 4, follows=True), 1, ROWS, randint(0, 9, 2, 3, follows=True), "amax"], dtypes=("int64", "int32"), grad=False,
           ref=reduced),
    Sample("scatter_reduce", [const([0.0, 2.0, 3.0]), 0, const([0, 1, 1], "int64"), const([2.0, 0.0, 5.0]), "prod"], ref=reduced, dtypes=DOUBLE),
    Sample("scatter_reduce", [const([1.0, 0.0, 3.0]), 0, const([0, 1, 1], "int64"), const([2.0, 0.0, 5.0]), "prod"], dict(include_self=False), ref=without,
           dtypes=DOUBLE),
    Sample("scatter_reduce", [const([1.0, 4.0, 3.0]), 0, const([1, 1, 1], "int64"), const([0.0, 0.0, 5.0]), "prod"], ref=reduced, dtypes=DOUBLE,
           order2="torch refuses where several zeros meet"),
    Fails("scatter_reduce", [const([1.0, 4.0]), 0, const([1, 1, 1], "int64"), const([0.0, 0.0, 5.0]), "prod"], says="Double backward is unsupported",
          call=lambda lib, x, d, i, y, r: twice(lib, y.detach().clone().requires_grad_(), lambda y: lib.scatter_reduce(x, d, i, y, r).sum())),
    Sample("ops.delayed_error", [randn(3), "no"], op="delayed_error", ref=lambda x, w: x, dtypes=DOUBLE, grad=False, torch="it has no public name",
           call=lambda lib, x, w: lib.ops.delayed_error(x.detach(), w)),
    Sample("index_reduce", [apart(3, 4), 0, const([2, 0, 2], "int64"), positive(3, 4), "mean"], op="scatter_reduce", ref=whole_rows, dtypes=DOUBLE),
    Sample("index_reduce", [apart(4, 3), 1, const([2, 0], "int64"), positive(4, 2), "amax"], dict(include_self=False), op="scatter_reduce",
           ref=lambda x, d, i, y, r: whole_rows(x, d, i, y, r, False), dtypes=DOUBLE),
    Sample("index_reduce", [apart(4, 3), 1, const([2, 0, 2], "int64"), positive(4, 3), "prod"], op="scatter_reduce", ref=whole_rows, dtypes=DOUBLE),
    Sample("scatter", [randn(3, 4), 0, ROWS, positive(2, 3)], dict(reduce="multiply"), op="scatter_reduce", dtypes=FLOATS, slack=2,
           call=lambda lib, x, d, i, y, reduce: lib.scatter(x.detach(), d, i, y.detach(), reduce=reduce), grad=False,
           ref=lambda x, d, i, y: reduced(x, d, i, y, "prod")),
    Sample("put", [randn(3, 4), const([1, 5, 1], "int64"), randn(3)], dict(accumulate=True), op="index_put", dtypes=DOUBLE, inplace="checked by itself",
           ref=lambda x, i, y: x + np.bincount(i, y, x.size).reshape(x.shape)),
    Fails("scatter_reduce", [randn(3), 0, const([0, 1], "int64"), randn(2), "median"], says="must be either sum, prod"),
    Fails("index_reduce", [randn(3), 0, const([0, 1], "int64"), randn(2), "sum"], says="must be either prod, mean"),
]

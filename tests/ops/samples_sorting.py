"""Samples of orders, ranks and counts."""
import numpy as np

from .sample import FLOATS, INTS, Fails, Sample, apart, const, positive, randint, randn

REAL = FLOATS + INTS


def sorted_by(x, axis, descending=False):
    """(values, indices) by NumPy, equal elements in their order."""
    at = np.argsort(-x.astype(np.float64) if descending else x, axis=axis, kind="stable")
    return np.take_along_axis(x, at, axis), at


def first(k, pair, axis):
    """The first k of (values, indices)."""
    return tuple(np.take(a, range(k), axis) for a in pair)


def running(x, axis, better):
    """(values, indices) of the best so far, of equal ones the last, by a loop."""
    x = np.moveaxis(x, axis, 0)
    values, indices = x.copy(), np.zeros(x.shape, np.int64)
    for i in range(1, len(x)):
        take = better(x[i], values[i - 1]) | (x[i] == values[i - 1])
        values[i], indices[i] = np.where(take, x[i], values[i - 1]), np.where(take, i, indices[i - 1])
    return np.moveaxis(values, 0, axis), np.moveaxis(indices, 0, axis)


def ties(*shape):
    """Whole numbers from 0 to 3, of which many are equal; in the dtype under test."""
    return randint(0, 4, *shape, follows=True)


LONG = [[2.0, 99, -0.0, np.inf, 0.0, -np.inf, 0.0, -0.0, 99] * 3]


def holed(x, nan=np.nan, where=np.where):
    """99 made nan."""
    return where(x == 99, nan, x)


ORDERS = [
    Sample("sort", [apart(3, 4)], ref=lambda x: sorted_by(x, 1), dtypes=FLOATS),
    Sample("sort", [apart(3, 20)], ref=lambda x: sorted_by(x, 1), dtypes=("float32", "float64")),
    *(Sample("sort", [ties(30, 40)], dict(stable=True, dim=dim, descending=down), ref=lambda x, dim=dim, down=down: sorted_by(x, dim, down), dtypes=REAL,
             grad=False, call=lambda lib, x, **k: lib.sort(x.detach(), **k)) for dim in (0, 1) for down in (False, True)),
    Sample("sort", [const(LONG)], dict(stable=True, dim=1), ref=lambda x: sorted_by(holed(x), 1), dtypes=("float32", "float64"), grad=False,
           call=lambda lib, x, **k: lib.sort(holed(x.detach(), np.nan, lib.where), **k)),
    Sample("argsort", [const(LONG)], dict(descending=True, stable=True), dtypes=("float32", "float64"), gives="int64", grad=False,
           call=lambda lib, x, **k: lib.argsort(holed(x, np.nan, lib.where), **k), ref=lambda x: np.lexsort((-x[0], x[0] != 99))[None]),
    Sample("sort", [apart(3, 4), 0], dict(descending=True), ref=lambda x, d: sorted_by(x, 0, True), dtypes=("float64",)),
    Sample("sort", [ties(4, 5)], dict(stable=True, dim=0, descending=True), ref=lambda x: sorted_by(x, 0, True), dtypes=REAL, grad=False,
           call=lambda lib, x, **k: lib.sort(x.detach(), **k)),
    Sample("sort", [randn()], ref=lambda x: (x, 0), dtypes=("float64",), view=False, call=lambda lib, x: [t.clone() for t in lib.sort(x)]),
    Sample("argsort", [apart(3, 4)], dict(dim=0), ref=lambda x: np.argsort(x, 0), dtypes=("float32", "float64"), gives="int64", grad=False),
    Sample("argsort", [apart(5)], dict(descending=True), ref=lambda x: np.argsort(-x), dtypes=("float64",), gives="int64", grad=False),
    Sample("msort", [apart(3, 4)], op="sort", ref=lambda x: np.sort(x, 0), dtypes=("float64",)),
    Sample("topk", [apart(3, 5), 2], ref=lambda x, k: first(2, sorted_by(x, 1, True), 1), dtypes=FLOATS),
    Sample("topk", [apart(30), 3], ref=lambda x, k: first(3, sorted_by(x, 0, True), 0), dtypes=("float64",)),
    Sample("topk", [apart(30, 2), 4, 0], dict(largest=False), ref=lambda x, k, d: first(4, sorted_by(x, 0), 0), dtypes=("float64",)),
    Sample("topk", [apart(3, 9), 0], ref=lambda x, k: (np.zeros((3, 0)), np.zeros((3, 0), int)), dtypes=("float64",)),
    Sample("kthvalue", [apart(3, 4), 2], ref=lambda x, k: tuple(a[:, 1] for a in sorted_by(x, 1)), dtypes=FLOATS, view=False,
           call=lambda lib, x, k: [t.clone() for t in lib.kthvalue(x, k)]),
    Sample("kthvalue", [apart(3, 4), 1, 0, True], ref=lambda x, *_: tuple(a[:1] for a in sorted_by(x, 0)), dtypes=("float64",)),
    Sample("cummax", [apart(3, 4), 1], ref=lambda x, d: running(x, 1, np.greater), dtypes=FLOATS),
    Sample("cummax", [ties(6), 0], ref=lambda x, d: running(x, 0, np.greater), dtypes=INTS, grad=False),
    Sample("cummin", [apart(3, 4), 0], ref=lambda x, d: running(x, 0, np.less), dtypes=("float64",)),
]

DISTINCT = [
    Sample("unique", [ties(3, 4)], dict(return_inverse=True, return_counts=True), dtypes=("float32", "float64", "int64", "uint8"), grad=False,
           ref=lambda x: np.unique(x, return_inverse=True, return_counts=True)),
    Sample("unique", [ties(3, 4)], ref=np.unique, dtypes=("float64",), grad=False),
    Sample("unique", [ties(12, 2)], dict(return_inverse=True, return_counts=True, dim=0), op="unique_slices", dtypes=("float64", "int64"), grad=False,
           ref=lambda x: np.unique(x, return_inverse=True, return_counts=True, axis=0)),
    Sample("unique", [ties(2, 12)], dict(dim=1), op="unique_slices", dtypes=("float64",), grad=False, ref=lambda x: np.unique(x, axis=1),
           view=False, call=lambda lib, x, dim: lib.unique(x, dim=dim).clone()),
    Sample("unique_consecutive", [const([1, 1, 2, 2, 2, 1])], dict(return_inverse=True, return_counts=True), op="unique_runs", dtypes=("float64", "int64"),
           grad=False, ref=lambda x: (x[[0, 2, 5]], np.array([0, 0, 1, 1, 1, 2]), np.array([2, 3, 1]))),
    Sample("unique_consecutive", [const([[1, 1], [1, 1], [1, 2]])], dict(dim=0, return_counts=True), op="unique_runs", dtypes=("float64",),
           grad=False, ref=lambda x: (np.array([[1, 1], [1, 2]]), np.array([2, 1]))),
    Sample("unique", [const(np.zeros(0))], dict(return_inverse=True, return_counts=True), dtypes=("float64",), grad=False,
           ref=lambda x: np.unique(x, return_inverse=True, return_counts=True)),
]

PLACES = [
    Sample("searchsorted", [const([0, 1, 1, 2, 5]), ties(2, 3)], ref=np.searchsorted, dtypes=("float32", "float64", "int64"), gives="int64", grad=False),
    Sample("searchsorted", [const([0, 1, 1, 2, 5]), ties(6)], dict(right=True), ref=lambda s, x: np.searchsorted(s, x, "right"), dtypes=("float64",),
           gives="int64", grad=False),
    Sample("searchsorted", [const([[0, 1, 3], [2, 3, 3]]), const([[1, 2], [3, 9]])], dict(side="right", out_int32=True), dtypes=("float64",), gives="int32",
           grad=False, ref=lambda s, x: np.stack([np.searchsorted(a, b, "right") for a, b in zip(s, x)])),
    Sample("searchsorted", [const([3, 1, 2]), const([2.5, 0])], dict(sorter=const([1, 2, 0], "int64")), ref=lambda s, x: np.searchsorted(s, x, sorter=[1, 2, 0]),
           dtypes=("float64",), gives="int64", grad=False),
    Sample("bucketize", [randn(2, 3), const([-1, 0, 1])], op="searchsorted", ref=np.digitize, dtypes=("float64",), gives="int64", grad=False),
    Sample("bincount", [randint(0, 5, 9)], dict(minlength=7), ref=lambda x: np.bincount(x, minlength=7), dtypes=("float64",), gives="int64", grad=False),
    Sample("bincount", [randint(0, 5, 9), positive(9)], ref=np.bincount, dtypes=("float32", "float64"), grad=False),
]

REFUSED = [
    Fails("sort", [randn(3, 2), 2], error=IndexError, says="Dimension out of range"),
    Fails("topk", [randn(3), 4], says="selected index k out of range: k is 4, and dimension 0 has 3"),
    Fails("kthvalue", [randn(3), 0], says="selected number k out of range for dimension 0"),
    Fails("searchsorted", [randn(2, 3), randn(3, 3)], says=r"boundaries tensor \[2, 3\] and input value tensor \[3, 3\]"),
    Fails("searchsorted", [randn(3), randn(3)], dict(side="middle"), says="side can only be 'left' or 'right'"),
    Fails("bincount", [const([1, -1], "int64")], says="1-d non-negative integral inputs"),
    Fails("bincount", [const([1, 1], "int64"), randn(3)], says=r"weights should be 1-d and have the same length as input: \[3\] and \[2\]"),
]

SAMPLES = [*ORDERS, *DISTINCT, *PLACES, *REFUSED]

"""Samples of reading and writing at slices, tensors of indices and masks."""
import numpy as np

from .sample import FLOATS, Fails, Sample, bools, const, randint, randn

MOVED = ("float16", "bfloat16", "float32", "float64", "uint8", "int64", "complex128", "bool")
ROWS, COLUMNS = const([2, 0, 2, -1], "int64"), const([0, 1, 0, 2], "int64")


def read(index, op="getitem", *inputs, dtypes=("float64",), shape=(4, 3, 2), **fields):
    """x[index(*inputs)], the same expression here, in torch and in NumPy."""
    return Sample("Tensor.__getitem__", [randn(*shape), *inputs], op=op, dtypes=dtypes, call=lambda lib, x, *i: x[index(*i)],
                  ref=lambda x, *i: x[index(*i)], **fields)


def written(index, *inputs, value=None, op="assign", shape=(4, 3, 2), dtypes=("float64",), **fields):
    """A copy of x with x[index(*inputs)] = value, the last input unless `value` is a number."""
    def write(x, *inputs):
        *indices, new = inputs if value is None else (*inputs, value)
        x[index(*indices)] = new
        return x
    return Sample("Tensor.__setitem__", [randn(*shape), *inputs], op=op, dtypes=dtypes, call=lambda lib, x, *i: write(x * 1, *i),
                  ref=lambda x, *i: write(x.copy(), *i), view=False, **fields)


READS = [
    read(lambda: slice(1, 3), dtypes=MOVED), read(lambda: (slice(None), slice(0, None, 2))), read(lambda: slice(5, 2)),
    read(lambda: (..., slice(-1, None))), read(lambda: (None, slice(1, 2), None)), read(lambda: (slice(1, None), None, 2), "select"), read(lambda: (2, slice(1, None))),
    read(lambda: ...), read(lambda: ()), read(lambda: None, "expand_dims"),
    read(lambda: 1, "select", dtypes=MOVED), read(lambda: (slice(None), -1), "select"), read(lambda: (0, 1, 1), "select"),
    read(lambda: (..., 0), "select"), read(lambda: (slice(1, 3), 0, slice(None)), "select"), read(lambda: (), shape=()),
    read(lambda i: i, "index", ROWS, dtypes=MOVED), read(lambda i: i, "index", const([[1, 0], [3, 3]], "int64")),
    read(lambda i: i, "index", const([1, 0], "int32"), shape=(3,)), read(lambda i: i, "index", const([], "int64")),
    read(lambda i, j: (i, j), "index", ROWS, COLUMNS, dtypes=MOVED), read(lambda i, j: (i, slice(None), j), "index", ROWS, const([0, 1, 0, 1], "int64")),
    read(lambda i, j: (slice(None), i, j), "index", const([[0], [2]], "int64"), const([1, 0], "int64")),
    read(lambda i: (slice(None), i), "index", COLUMNS), read(lambda i: (slice(1, 3), slice(None), i), "index", const([[1, 0]], "int64")),
    read(lambda i: (i, None), "index", ROWS), read(lambda i: (None, i, ..., slice(1)), "index", ROWS),
    Sample("Tensor.__getitem__", [randn(4, 3, 2), const([0, 1, 1], "int64")], op="index", dtypes=("float64",), call=lambda lib, x, i: x[0, :, i],
           ref=lambda x, i: x[0][:, i]),
    read(lambda: ([0, 3],), "index"), read(lambda: ([0, 3], [1, 1]), "index"),
    read(lambda m: m, "index", bools(4), dtypes=MOVED), read(lambda m: m, "index", bools(4, 3, 2)), read(lambda m: (slice(None), m), "index", bools(3)),
    read(lambda m, i: (m, i), "index", const([True, False, True, True], "bool"), const([0, 1, 1], "int64")),
    read(lambda: True, "index"), read(lambda: False, "index"), read(lambda: (None, True), "index"),
    Sample("Tensor.__getitem__", [randn(4, 3), const(2, "int64")], op="select", dtypes=("float64",), call=lambda lib, x, i: x[i], ref=lambda x, i: x[i]),
    read(lambda i: i, "index", randint(0, 5, 40), shape=(5, 3)), read(lambda i, j: (slice(None), i, slice(None), j), "index", ROWS, COLUMNS, shape=(2, 3, 2, 3)),
    Sample("ops.add_at", [randn(4, 2), ROWS], dict(shape=(3, 2)), op="add_at", dtypes=FLOATS, torch="the gradient of x[i]",
           ref=lambda x, i: np.stack([x[1], np.zeros(2), x[0] + x[2] + x[3]])),
]

WRITES = [
    written(lambda: slice(1, 3), randn(2, 3, 2)), written(lambda: slice(1, 3), randn(2)), written(lambda: 0, randn(1, 1, 3, 2)),
    written(lambda: (..., 1), value=5.0), written(lambda: ..., value=2), written(lambda: (slice(None), 1), randn(4, 1)),
    written(lambda: 1, randint(0, 9, 3, 2), dtypes=("float32", "float64")), written(lambda: (), value=3.0, shape=()),
    written(lambda i: i, ROWS, value=1.5, op="index_put"), written(lambda i: i, const([3, 1], "int64"), randn(2, 3, 2), op="index_put"),
    written(lambda i, j: (i, slice(None), j), const([3, 1], "int64"), const([0, 1], "int64"), randn(3), op="index_put"),
    written(lambda i: (slice(1, 3), i), const([0, 2], "int64"), randn(2, 1), op="index_put"),
    written(lambda m: m, bools(4), value=0.0, op="masked_fill"), written(lambda m: m, bools(4, 3, 2), value=7, op="masked_fill"),
    written(lambda m: m, const([True, False, True, False], "bool"), randn(2, 3, 2), op="index_put"),
    Sample("Tensor.copy_", [randn(2, 3), randn(3)], op="assign", ref=lambda x, y: np.broadcast_to(y, (2, 3)), call=lambda lib, x, y: (x * 1).copy_(y),
           view=False, dtypes=("float32", "float64", "complex128")),
    Sample("Tensor.copy_", [randn(3), randint(0, 9, 3)], op="assign", ref=lambda x, y: y, call=lambda lib, x, y: (x * 1).copy_(y)),
    Sample("Tensor.fill_", [randn(3), randn()], op="assign", ref=lambda x, y: np.full(3, y), call=lambda lib, x, y: (x * 1).fill_(y), view=False,
           dtypes=("float64",)),
    Sample("Tensor.zero_", [randn(3)], op="assign", ref=np.zeros_like, call=lambda lib, x: (x * 1).zero_(), dtypes=("float64",)),
    Sample("index_put", [randn(4, 3), (ROWS, COLUMNS), randn(4)], dict(accumulate=True), op="index_put", dtypes=("float64", "complex128"), ref=lambda x, ij, y:
           x + np.array([[sum(v for a, b, v in zip(*ij, y) if (a % 4, b) == (r, c)) for c in range(3)] for r in range(4)])),
    Sample("index_put", [randn(4, 3), (const([3, 0], "int64"),), randn()], op="index_put", dtypes=("float64",),
           ref=lambda x, i, y: np.where(np.isin(np.arange(4), i[0])[:, None], y, x)),
]


def along(x, index, axis):
    """An index for NumPy: `index` along an axis, each place itself elsewhere."""
    return tuple(index if d == axis else np.arange(index.shape[d]).reshape(-1, *(1,) * (index.ndim - d - 1)) for d in range(index.ndim))


def scattered(x, axis, index, src, add=False):
    """NumPy's scatter."""
    out, at = x.copy(), along(x, index, axis)
    src = src if np.isscalar(src) else src[tuple(slice(n) for n in index.shape)]
    if add:
        np.add.at(out, at, src)
    else:
        out[at] = src
    return out


def rows(x, dim, index, source, add=False):
    """NumPy's index_add and index_copy."""
    out = np.moveaxis(x.copy(), dim, 0)
    source = np.moveaxis(source, dim, 0) if not np.isscalar(source) else source
    if add:
        np.add.at(out, index, source)
    else:
        out[index] = source
    return np.moveaxis(out, 0, dim)


K = const([[0, 2, 1], [3, 0, 1]], "int64")
ONE_DIMENSION = [
    Sample("index_select", [randn(3, 4), 1, const([3, 0, 3], "int64")], op="take", ref=lambda x, d, i: x[:, i], dtypes=MOVED),
    Sample("index_select", [randn(3, 4), 0, const(2, "int32")], op="take", ref=lambda x, d, i: x[2:3], dtypes=("float64",)),
    Sample("index_select", [randn(), 0, const([0], "int64")], op="take", ref=lambda x, d, i: x, dtypes=("float64",), view=False, inplace="0-d"),
    Sample("gather", [randn(2, 4), 1, K], op="take_along_axis", ref=lambda x, d, i: np.take_along_axis(x, i, 1), dtypes=MOVED),
    Sample("gather", [randn(4, 5), 0, K], op="take_along_axis", ref=lambda x, d, i: np.take_along_axis(x[:, :3], i, 0), dtypes=("float64",)),
    Sample("ops.add_along_axis", [randn(2, 3), K], dict(shape=(2, 4), axis=1), op="add_along_axis", dtypes=FLOATS, torch="the gradient of gather",
           ref=lambda x, i: scattered(np.zeros((2, 4)), 1, i, x, add=True)),
    Sample("scatter", [randn(2, 4), 1, K, randn(2, 3)], op="scatter", ref=scattered, dtypes=("float32", "float64", "complex128")),
    Sample("scatter", [randn(2, 4), 1, K, randn(2, 5)], op="scatter", ref=scattered, dtypes=("float64",), torch="no gradient for a larger src"),
    Sample("scatter", [randn(4, 3), 0, K, 1.5], op="scatter", ref=scattered, dtypes=("float64",)),
    Sample("scatter_add", [randn(2, 2), 0, const([[0, 0], [0, 0], [1, 0]], "int64"), randn(3, 2)], op="scatter", dtypes=FLOATS + ("complex128",),
           ref=lambda *a: scattered(*a, add=True)),
    Sample("index_add", [randn(3, 4), 1, const([3, 0, 3], "int64"), randn(3, 3)], op="index_put", dtypes=("float32", "float64", "int64"),
           ref=lambda *a: rows(*a, add=True)),
    Sample("index_add", [randn(3, 4), 0, const([0, 0], "int64"), randn(2, 4)], dict(alpha=-2), op="index_put", dtypes=("float64",),
           ref=lambda x, d, i, y: rows(x, d, i, -2 * y, add=True)),
    Sample("index_copy", [randn(3, 4), 1, const([3, 0], "int64"), randn(3, 2)], op="index_put", ref=rows, dtypes=("float64",)),
    Sample("index_fill", [randn(3, 4), 0, const([2, 0], "int64"), 7.5], op="index_put", ref=rows, dtypes=("float64",)),
    Sample("index_fill", [randn(3, 4), 0, const([2, 0], "int64"), randn()], op="index_put", ref=lambda x, d, i, y: rows(x, d, i, float(y)),
           dtypes=("float64",)),
    Sample("take", [randn(3, 4), const([[0, -1], [5, 5]], "int64")], op="index", ref=lambda x, i: x.ravel()[i], dtypes=("float64",)),
    Sample("take_along_dim", [randn(3, 4), const([[1, 3]], "int64"), 1], op="take_along_axis", ref=lambda x, i, d: x[:, i[0]], dtypes=("float64",)),
    Sample("take_along_dim", [randn(3, 4), const([1, 3], "int64")], op="take_along_axis", ref=lambda x, i: x.ravel()[i], dtypes=("float64",)),
]

MASKS = [
    Sample("masked_fill", [randn(3, 4), bools(3, 4), -1.5], op="masked_fill", ref=lambda x, m, v: np.where(m, v, x), dtypes=FLOATS + ("complex128",)),
    Sample("masked_fill", [randn(3, 4), bools(4), randn()], op="masked_fill", ref=lambda x, m, v: np.where(m, v, x), dtypes=("float64",)),
    Sample("masked_fill", [randn(3, 1), bools(2, 1, 4), 0], op="masked_fill", ref=lambda x, m, v: np.where(m, v, x), dtypes=("float64",),
           inplace="the mask is larger"),
    Sample("masked_fill", [randint(-5, 5, 4, follows=True), bools(4), 3], op="masked_fill", ref=lambda x, m, v: np.where(m, v, x), dtypes=("int64", "uint8"),
           grad=False),
    Sample("masked_select", [randn(3, 4), bools(3, 4)], op="index", ref=lambda x, m: x[m], dtypes=MOVED),
    Sample("masked_select", [randn(3, 1), bools(4)], op="index", ref=lambda x, m: np.broadcast_to(x, (3, 4))[np.broadcast_to(m, (3, 4))],
           dtypes=("float64",)),
    Sample("masked_scatter", [randn(3, 4), const(np.eye(3, 4) > 0, "bool"), randn(5)], op="index_put", dtypes=("float64",),
           ref=lambda x, m, y: x * ~m + np.diag(y)[:3, :4] * m),
    Sample("nonzero", [bools(3, 4)], op="argwhere", ref=np.argwhere, gives="int64", dtypes=("float64",), grad=False),
    Sample("nonzero", [randint(0, 2, 3, 4, follows=True)], dict(as_tuple=True), op="argwhere", ref=np.nonzero, gives="int64", grad=False, view=False,
           dtypes=FLOATS + ("int64", "bool", "complex128"), call=lambda lib, x, as_tuple: [i.clone() for i in x.nonzero(as_tuple=True)]),
    Sample("nonzero", [const(3.0)], op="argwhere", ref=lambda x: np.zeros((1, 0), int), gives="int64", grad=False),
    Sample("Tensor.put_", [randn(2, 3), const([1, -1], "int64"), randn(2)], op="index_put", dtypes=("float64",),
           call=lambda lib, x, i, y: (x * 1).put_(i, y), ref=lambda x, i, y: np.array([[x[0, 0], y[0], x[0, 2]], [*x[1, :2], y[1]]])),
]


def refused(name, index, error=IndexError, says="", shape=(4, 3), inputs=(), **fields):
    """x[index(*inputs)] must fail."""
    return Fails("Tensor.__getitem__", [randn(*shape), *inputs], call=lambda lib, x, *i: x[index(*i)], error=error, says=says, **fields)


REFUSED = [
    refused("out of bounds", lambda: 4, says="index 4 is out of bounds for dimension 0 with size 4"),
    refused("out of bounds", lambda: (0, -4), says="index -4 is out of bounds for dimension 1 with size 3"),
    refused("out of bounds", lambda: [0, 7], says="index 7 is out of bounds for dimension 0 with size 4"),
    refused("out of bounds", lambda i: (i, i), inputs=[const([3], "int64")], says="index 3 is out of bounds for dimension 1 with size 3"),
    refused("too many", lambda: (0, 0, 0), says="too many indices for tensor of dimension 2"),
    refused("0-d", lambda: 0, shape=(), says="invalid index of a 0-dim tensor. Use `tensor.item"),
    refused("backwards", lambda: slice(None, None, -1), error=ValueError, says="step must be greater than zero"),
    refused("kind", lambda: 1.5, says="only integers, slices"),
    refused("kind of tensor", lambda i: i, inputs=[const([1.0])], says="tensors used as indices must be long, int, byte or bool"),
    refused("mask", lambda m: m, inputs=[bools(3)], says=r"The shape of the mask \[3\] at index 0 does not match .* \[4, 3\] at index 0"),
    refused("shapes", lambda i, j: (i, j), inputs=[const([0, 1], "int64"), const([0, 1, 2], "int64")],
            says="indexing tensors could not be broadcast together"),
    Fails("Tensor.__setitem__", [randn(4, 3), randn(2)], call=lambda lib, x, y: x.__setitem__(0, y),
          says=r"The expanded size of the tensor \(3\) must match the existing size \(2\)"),
    Fails("Tensor.__setitem__", [randn(4, 3), randn(2)], call=lambda lib, x, y: x.__setitem__([0, 1], y),
          says=r"value tensor of shape \[2\] cannot be broadcast to indexing result of shape \[2, 3\]"),
    Fails("Tensor.__setitem__", [randn(4, 3), randint(0, 2, 3)], call=lambda lib, x, y: x.__setitem__([0, 1], y),
          says="requires the source and destination dtypes match"),
    Fails("Tensor.__setitem__", [randn(4, 3)], call=lambda lib, x: x.__setitem__(0, [1.0, 2.0, 3.0]), error=TypeError, says="can't assign a list to a"),
    Fails("Tensor.__setitem__", [randn(4, 3)], call=lambda lib, x: x.__setitem__(0, 1j), says="cannot be converted to type float64 without overflow"),
    Fails("Tensor.fill_", [randint(0, 3, 4, dtype="uint8"), 300], says="cannot be converted to type uint8 without overflow"),
    Fails("Tensor.fill_", [randn(4), randn(2)], says="only supports 0-dimension value tensor but got tensor with 1 dimensions"),
    Fails("index_select", [randn(3), 0, const([3], "int64")], error=IndexError, says="index out of range in self: dimension 0 has 3 places"),
    Fails("index_select", [randn(3), 0, const([[1]], "int64")], error=IndexError, says="Index is supposed to be a vector"),
    Fails("index_select", [randn(3), 0, const([1.0])], says="Expected dtype int32/int64 for index"),
    Fails("index_select", [randn(3, 3), 2, const([1], "int64")], error=IndexError, says="Dimension out of range"),
    Fails("gather", [randn(3, 3), 0, const([[3]], "int64")], says="index 3 is out of bounds for dimension 0 with size 3"),
    Fails("gather", [randn(3, 3), 0, const([0], "int64")], says="same number of dimensions as input tensor"),
    Fails("gather", [randn(3, 3), 0, const([[0, 0, 0, 0]], "int64")], says=r"expected index \[1, 4\] to be no larger than self \[3, 3\] apart from"),
    Fails("scatter", [randn(3, 3), 0, const([[0, 1]], "int64"), randn(1, 1)], says=r"Expected index \[1, 2\] to be no larger than src \[1, 1\]"),
    Fails("scatter", [randn(3, 3), 0, const([[0]], "int64"), randint(0, 2, 1, 1)], says="Expected self.dtype to be equal to src.dtype"),
    Fails("index_add", [randn(3, 3), 0, const([3], "int64"), randn(1, 3)], says="an index is 3"),
    Fails("index_add", [randn(3, 3), 0, const([0], "int64"), randn(2, 3)], says=r"source has shape \[2, 3\], but the indexed part .* \[1, 3\]"),
    Fails("index_copy", [randn(3, 3), 0, const([0], "int64"), randn(2, 3)], error=IndexError, says=r"source has shape \[2, 3\]"),
    Fails("index_copy", [randn(3, 3), 0, const([0], "int64"), randint(0, 2, 1, 3)], says="must have the same scalar type"),
    Fails("index_fill", [randn(3, 3), 0, const([0], "int64"), randn(2)], says="only supports a 0-dimensional value tensor"),
    Fails("take", [randn(3), const([3], "int64")], error=IndexError, says="tried to access index 3 on a tensor of 3 elements"),
    Fails("take_along_dim", [randn(3, 3), const([0], "int64"), 0], says="same number of dimensions, but got 2 dimensions for input, and 1"),
    Fails("masked_fill", [randn(3), bools(2), 0], says="must match the size of tensor b"),
    Fails("masked_fill", [randn(3), bools(3), randn(3)], says="only supports a 0-dimensional value tensor, but got tensor with 1 dimension"),
    Fails("masked_fill", [randn(3), randn(3), 0], says="only supports boolean masks"),
    Fails("masked_select", [randn(3), randn(3)], says="expected BoolTensor for mask"),
    Fails("masked_scatter", [randn(3), const([True] * 3, "bool"), randn(2)], says="Number of elements of source < number of ones in mask: 2 and 3"),
]

SAMPLES = [*READS, *WRITES, *ONE_DIMENSION, *MASKS, *REFUSED]

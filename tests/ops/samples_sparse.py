"""Samples of the ops behind sparse tensors, each through a call that goes in by a pattern and comes back dense."""
import numpy as np

from ringgrad._backends.sparse_ import Pattern

from .sample import Fails, Sample, randint, randn

DOUBLE = ("float32", "float64")
PLACES = [[0, 2, 1, 2], [3, 1, 0, 0]]  # of a (3, 4) matrix


def sparse(lib, values):
    """The sparse matrix with these values at PLACES."""
    return lib.sparse_coo_tensor(PLACES, values, (3, 4, *values.shape[1:]))


def dense(values):
    """The same as a NumPy array."""
    out = np.zeros((3, 4, *values.shape[1:]), values.dtype)
    np.add.at(out, tuple(PLACES), values)
    return out


PATTERN = Pattern(np.array(PLACES), (3, 4))
INSIDE = "an op of ours that torch has inside others"
ONCE = "torch has no second derivative through sparse tensors"
SAMPLES = [
    Sample("sparse_coo_tensor", [randn(4)], op="sparse_coo", call=lambda lib, v: sparse(lib, v).to_dense(), ref=dense, dtypes=DOUBLE, order2=ONCE),
    Sample("Tensor.values", [randn(4)], op="sparse_values", call=lambda lib, v: sparse(lib, v).coalesce().values(), dtypes=DOUBLE,
           order2=ONCE, ref=lambda v: v[[0, 2, 3, 1]]),
    Sample("Tensor.coalesce", [randn(4, 2)], op="add_segments", call=lambda lib, v: sparse(lib, v).coalesce().to_dense(), ref=dense, dtypes=DOUBLE, order2=ONCE),
    Sample("Tensor.sparse_mask", [randn(3, 4)], op="pick_rows", dtypes=DOUBLE, order2=ONCE,
           call=lambda lib, x: x.sparse_mask(sparse(lib, lib.ones(4)).coalesce()).to_dense(), ref=lambda x: x * (dense(np.ones(4)) != 0)),
    *[Sample("ops.sparse_mm", [randn(4), randn(rows, 5)], op="sparse_mm", torch=INSIDE, dtypes=DOUBLE, ref=ref,
             call=lambda lib, v, y, turned=turned: lib.ops.sparse_mm(v, y, PATTERN, turned))
      for turned, rows, ref in ((False, 4, lambda v, y: dense(v) @ y), (True, 3, lambda v, y: dense(v).T @ y))],
    *[Sample("ops.sampled_mm", [randn(n, 5), randn(m, 5)], op="sampled_mm", torch=INSIDE, dtypes=DOUBLE, ref=ref,
             call=lambda lib, x, y, turned=turned: lib.ops.sampled_mm(x, y, PATTERN, turned))
      for turned, n, m, ref in ((False, 3, 4, lambda x, y: (x @ y.T)[tuple(PLACES)]), (True, 4, 3, lambda x, y: (x @ y.T).T[tuple(PLACES)]))],
    Sample("nn.functional.embedding", [randint(0, 5, 2, 3), randn(5, 4)], op="embedding_sparse", dtypes=DOUBLE, order2=ONCE,
           call=lambda lib, i, w: lib.nn.functional.embedding(i, lib.exp(w), sparse=True), ref=lambda i, w: np.exp(w)[i]),
    Fails("sparse.mm", [randn(4), randn(3, 5)], call=lambda lib, v, y: lib.sparse.mm(sparse(lib, v), y), says="4"),
]

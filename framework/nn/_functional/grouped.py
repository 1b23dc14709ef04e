"""Matrix products of groups of rows, columns or features of different sizes."""
import itertools

import numpy as np

from ... import ops
from ..._backends import of_array


def grouped_mm(mat_a, mat_b, *, offs=None, bias=None, out_dtype=None):
    """The products of G pairs of matrices; where an operand is one matrix, the groups are parts of it that end at `offs`: int32 (G).

    mat_a, mat_b   (G, m, k), (G, k, n) -> (G, m, n), without offs;   (M, k), (G, k, n) -> (M, n), rows in groups;
                   (G, m, k), (k, N) -> (m, N), columns in groups;    (m, K), (K, n) -> (G, m, n), the summed dimension in groups
    out_dtype      of mat_a, as in torch; bias: refused, as in torch.  What lies beyond the last offset is 0.
    """
    a_whole, b_whole = mat_a.ndim == 2, mat_b.ndim == 2
    for name, t in (("mat_a", mat_a), ("mat_b", mat_b)):
        if t.ndim not in (2, 3):
            raise RuntimeError(f"{name} has to be 2 or 3d, got {t.ndim} dimensions")
    if (a_whole or b_whole) != (offs is not None):
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if out_dtype is not None and out_dtype != mat_a.dtype:
        raise RuntimeError(f"Grouped gemm output dtype must match `mat_a` dtype: {out_dtype} for {mat_a.dtype}")
    if offs is None:
        return ops.matmul(mat_a, mat_b)
    if offs._data.dtype != np.int32:
        raise RuntimeError(f"Offsets have to be int32, got {offs.dtype}")
    ends = [0, *of_array(offs._data).to_host(offs._data).tolist()]
    parts = [slice(start, stop) for start, stop in itertools.pairwise(ends)]
    if a_whole and b_whole:
        return ops.stack([ops.matmul(mat_a[:, part], mat_b[part]) for part in parts])
    if a_whole:
        rows = [ops.matmul(mat_a[part], mat_b[g]) for g, part in enumerate(parts)]
        return ops.concatenate([*rows, mat_a.new_zeros(mat_a.shape[0] - ends[-1], mat_b.shape[2])], 0)
    columns = [ops.matmul(mat_a[g], mat_b[:, part]) for g, part in enumerate(parts)]
    return ops.concatenate([*columns, mat_a.new_zeros(mat_a.shape[1], mat_b.shape[1] - ends[-1])], 1)


__all__ = ["grouped_mm"]

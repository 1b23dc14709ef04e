"""Layer norm on NumPy arrays: rows of a matrix, in blocks that stay in the cache.

Sums along rows and down columns are products with a vector, which BLAS does several times as fast as NumPy's own reductions.
"""
import math

import numpy as np

from ._columns import column_sums

BLOCK = 1 << 17  # elements that are worked on at a time


def row_length(x, axes, *affine):
    """How many elements are normalised together when they stand in a row and `affine` has one number for each; else 0."""
    shape = x.shape[x.ndim - len(axes):]
    trailing = sorted(a % x.ndim for a in axes) == list(range(x.ndim - len(axes), x.ndim))
    return math.prod(shape) if trailing and all(t is None or t.shape == shape for t in affine) else 0


def _row_blocks(x):
    step = max(1, BLOCK // x.shape[1])
    return [slice(i, i + step) for i in range(0, len(x), step)]


def standardize_rows(x, averaging, eps, center, out):
    """out = x minus the means of its rows.  Returns 1 / the rows' standard deviations, (rows, 1)."""
    if center:
        np.subtract(x, x.dot(averaging)[:, None], out=out)
    else:
        out[...] = x
    return (1 / np.sqrt(np.vecdot(out, out) * averaging[0] + eps).astype(x.dtype, copy=False))[:, None]


def rows_forward(x, weight, bias, eps, center):
    out, averaging = np.empty(x.shape, x.dtype), np.full(x.shape[1], 1 / x.shape[1], x.dtype)
    for rows in _row_blocks(x):
        part = out[rows]
        part *= standardize_rows(x[rows], averaging, eps, center, part)
        if weight is not None:
            part *= weight
        if bias is not None:
            part += bias
    return out


def rows_backward(g, x, weight, eps, center, needs):
    """Gradients for x, weight and bias, None where they are not needed."""
    averaging = np.full(x.shape[1], 1 / x.shape[1], x.dtype)
    gx = np.empty(x.shape, x.dtype) if needs[0] else None
    gw = 0 if needs[1] else None
    for rows in _row_blocks(x):
        above, off = g[rows], np.empty(g[rows].shape, x.dtype)
        rstd = standardize_rows(x[rows], averaging, eps, center, off)
        product = above * off
        if needs[1]:
            gw = gw + rstd[:, 0].dot(product)
        if not needs[0]:
            continue
        part = np.multiply(above, weight, out=gx[rows]) if weight is not None else gx[rows]
        if weight is None:
            part[...] = above
        slope = product.dot(averaging if weight is None else averaging * weight)[:, None]  # how gx moves with x, over the variance
        slope *= rstd * rstd
        off *= slope
        part -= off
        if center:
            part -= part.dot(averaging)[:, None]
        part *= rstd
    return gx, gw, column_sums(g) if needs[2] else None

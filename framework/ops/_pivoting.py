"""Factorisations with pivots, as LAPACK stores them, of batches of matrices (b, m, n) of NumPy numbers; they work in place.

Golub and Van Loan, "Matrix Computations", 4th edition: algorithm 3.4.1 in blocks (LU), section 4.4 (LDL^T, Bunch and Kaufman 1977).
"""
import numpy as np

_BLOCK = 32


def lu(a):
    """L below the diagonal and U on and above it, over `a`.  -> pivots (b, k) int32: row i was exchanged with row pivots[i], from 1"""
    batch, m, n = a.shape
    k = min(m, n)
    pivots = np.zeros((batch, k), np.int32)
    every = np.arange(batch)
    for start in range(0, k, _BLOCK):
        end = min(start + _BLOCK, k)
        for j in range(start, end):
            size = np.abs(a[:, j:, j].real) + (np.abs(a[:, j:, j].imag) if a.dtype.kind == "c" else 0)
            top = j + np.argmax(size, -1)
            pivots[:, j] = top + 1
            a[every, top], a[:, j] = a[:, j].copy(), a[every, top]
            head = a[:, j, j]
            a[:, j + 1:, j] /= np.where(head == 0, 1, head)[:, None]
            a[:, j + 1:, j + 1:end] -= a[:, j + 1:, j, None] * a[:, j, None, j + 1:end]
        for j in range(start + 1, end):  # the rows of U to the right of the block
            a[:, j, end:] -= (a[:, j, None, start:j] @ a[:, start:j, end:])[:, 0]
        a[:, end:, end:] -= a[:, end:, start:end] @ a[:, start:end, end:]
    return pivots


_ALPHA = (1 + 17 ** 0.5) / 8


def ldl(a, hermitian):
    """L and D (with 2 by 2 blocks) of a symmetric or Hermitian matrix (n, n) in its lower triangle, over `a`.  -> pivots (n,) int32

    pivots[i] > 0: a 1 by 1 block, row and column i were exchanged with pivots[i] - 1.  Negative, twice: a 2 by 2 block at i, whose second row and
    column were exchanged with -pivots[i] - 1.
    """
    n = len(a)
    pivots, j = np.zeros(n, np.int32), 0
    turned = np.conj if hermitian and a.dtype.kind == "c" else (lambda v: v)
    while j < n:
        if hermitian and a.dtype.kind == "c":
            a[j, j] = a[j, j].real
        width, other = _choose(a, j, _size(a[j, j].real if hermitian else a[j, j]))
        _exchange(a, j, j + width - 1, other, turned)
        below, end = a[j + width:, j:j + width], j + width
        if np.any(a[j:end, j]):
            block = a[j:end, j:end].copy()
            if width == 2:
                block[0, 1] = turned(block[1, 0])
            lower = below @ np.linalg.inv(block)
            a[end:, end:] -= np.tril(lower @ turned(below).T)
            a[end:, j:end] = lower
        pivots[j:end] = other + 1 if width == 1 else -(other + 1)
        j = end
    return pivots


def _size(v):
    """LAPACK's cheap absolute value."""
    return np.abs(v.real) + np.abs(v.imag) if np.iscomplexobj(v) else np.abs(v)


def _choose(a, j, diagonal):
    """(1 or 2, the row to bring to the block's last place) for the next block, which starts at `j`."""
    column = _size(a[j + 1:, j])
    if not column.size or not (largest := column.max()) or diagonal >= _ALPHA * largest:
        return 1, j
    row = j + 1 + int(np.argmax(column))
    beside = max(_size(a[row, j:row]).max(), _size(a[row + 1:, row]).max(initial=0))
    if diagonal * beside >= _ALPHA * largest ** 2:
        return 1, j
    return (1, row) if _size(a[row, row]) >= _ALPHA * beside else (2, row)


def _exchange(a, first, here, other, turned):
    """Exchange rows and columns `here` < `other` of the part of a lower triangle that starts at `first`."""
    if here == other:
        return
    a[other + 1:, [here, other]] = a[other + 1:, [other, here]]
    middle = a[here + 1:other, here].copy()
    a[here + 1:other, here] = turned(a[other, here + 1:other])
    a[other, here + 1:other] = turned(middle)
    a[other, here] = turned(a[other, here])
    a[here, here], a[other, other] = a[other, other], a[here, here]
    if here > first:
        a[[here, other], first] = a[[other, here], first]

"""Loops over sparse matrices, compiled by numba.  Imported by `sparse` alone, when numba is there."""
import numba

from .._numba import kept


@kept(numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"}))
def multiply_rows(values, columns, starts, y, out):
    """out += the sparse matrix whose row i holds values[starts[i]:starts[i + 1]] in those `columns`, times y."""
    for i in range(len(out)):
        for k in range(starts[i], starts[i + 1]):
            v, row = values[k], y[columns[k]]
            for j in range(row.size):
                out[i, j] += v * row[j]

"""Matrix products."""
import numpy as np

from .. import _dtypes
from .._core.broadcasting import mismatch
from .._core.op import op
from ._run import run


def one_type(raw, backend):
    """The type policy of matrix products: nothing is promoted, both sides must agree.  RuntimeError where they do not, as in torch."""
    first = raw[0]
    for i, a in enumerate(raw):
        if not hasattr(a, "shape"):
            name = ("input", "other")[i]
            raise TypeError(f"matmul(): argument '{name}' must be Tensor, not {type(a).__name__}")
        if a.dtype != first.dtype:
            names = [_dtypes.of_numpy(b.dtype).name for b in (first, a)]
            raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {names[0]} != {names[1]}; convert one with .to({names[0]})")
    return raw, first.dtype


@op(promote=one_type, grad_name="Mm", half=True)
def matmul(xp, x, y):
    """Matrix product, batched over leading dimensions, which broadcast.

    x: (*batch, n, k), y: (*batch, k, m) -> (*batch, n, m); a vector x or y: (k) stands for a row or a column, and its dimension vanishes.
    """
    n = y.ndim
    if n == 2:
        if x.ndim == 2:
            if x.shape[1] == y.shape[0]:
                return x.dot(y)
        elif x.ndim > 2 and x.shape[-1] == y.shape[0] and x.shape[-1]:
            return x.reshape(-1, x.shape[-1]).dot(y).reshape(*x.shape[:-1], y.shape[1])  # one product of large matrices beats many of small ones
    _check(x.shape, y.shape)
    if xp is not np and x.dtype.kind == "V" and x.ndim + y.ndim > 4:  # CuPy multiplies single matrices of bfloat16, but no batches
        return xp.matmul(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
    return xp.matmul(x, y)


@matmul.vjp("x")
def _(xp, g, y, x_shape):
    if len(x_shape) == 1:
        if y.ndim == 1:
            return g * y
        return xp.reshape(run(matmul, xp, xp.expand_dims(g, -2), xp.swapaxes(y, -1, -2)), (*y.shape[:-2], x_shape[0]))
    if y.ndim == 1:
        return xp.expand_dims(g, -1) * y
    return run(matmul, xp, g, xp.transpose(y) if y.ndim == 2 else xp.swapaxes(y, -1, -2))


@matmul.vjp("y")
def _(xp, g, x, y_shape):
    if len(y_shape) > 2:
        if x.ndim == 1:
            return xp.expand_dims(x, -1) * xp.expand_dims(g, -2)
        return run(matmul, xp, xp.swapaxes(x, -1, -2), g)
    if x.ndim == 1:
        return x * g if g.ndim == 0 else xp.expand_dims(x, -1) * g
    rows = x if x.ndim == 2 else xp.reshape(x, _folded(x.shape))
    columns = g if g.ndim == len(y_shape) else xp.reshape(g, (rows.shape[0], *y_shape[1:]))
    if len(y_shape) == 1:
        return run(matmul, xp, columns, rows)
    return run(matmul, xp, xp.transpose(rows), columns)


def _check(a, b):
    """RuntimeError in torch's words unless shapes `a` and `b` can be multiplied."""
    if not a or not b:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    if a[-1] == b[-2 if len(b) > 1 else 0]:
        clash = mismatch([a[:-2], b[:-2]])
        if clash:
            raise RuntimeError(clash)
        return
    if len(a) == len(b) == 1:
        raise RuntimeError(f"inconsistent tensor size, expected tensor [{a[0]}] and src [{b[0]}] to have the same number of elements, but got "
                           f"{a[0]} and {b[0]} elements respectively")
    if len(b) == 1:
        rows, columns = _folded(a)
        raise RuntimeError(f"size mismatch, got input ({rows}), mat ({rows}x{columns}), vec ({b[0]})")
    first = _folded(a) if len(b) == 2 else a
    hint = "; did you mean to transpose one of them?" if a[-1] == b[-1] or first[-2:-1] == b[-2:-1] else ""
    raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({_times(first)} and {_times(b)}): the last dimension of the first, {a[-1]}, "
                       f"must equal the last but one of the second, {b[-2]}{hint}")


def _folded(shape):
    """(rows, columns) of a stack of matrices seen as one."""
    rows = 1
    for n in shape[:-1]:
        rows *= n
    return rows, shape[-1]


def _times(shape):
    return "x".join(str(n) for n in shape)

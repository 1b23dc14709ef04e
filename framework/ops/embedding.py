"""Looking up rows of a table."""
import numpy as np

from .._backends import BACKENDS
from .._backends.adding import add_at_places
from .._core.op import op
from .._core.tensor import Tensor, unwrap, wrap
from ._layer_types import like_first
from ._run import run


@op(promote=like_first, broadcasts=False, half=True)
def embedding(xp, x, indices, padding_idx: int = -1, scale_grad_by_freq: bool = False):
    """The rows of x: (V, D) that `indices`: int (*) names -> (*, D).

    padding_idx: this row takes no gradient (-1: none such).  scale_grad_by_freq: a row's gradient is divided by how often it was looked up.
    """
    _check(x, indices)
    return xp.take(x, indices, axis=0)


def _check(x, indices):
    """RuntimeError in torch's words unless there is a matrix and whole numbers."""
    kind = getattr(indices, "dtype", None)
    if kind is None or kind.kind not in "iu":
        raise RuntimeError("Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
                           f"{kind or type(indices).__name__} instead (while checking arguments for embedding)")
    if x.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D (rows, features), got shape {list(x.shape)}")


@embedding.kernel("numpy")
def _(xp, x, indices, padding_idx=-1, scale_grad_by_freq=False):
    _check(x, indices)
    if indices.size and np.maximum.reduce(indices.view(f"u{indices.itemsize}"), None) >= len(x):  # a negative number is a very large unsigned one
        wrong = indices[(indices < 0) | (indices >= len(x))][0]
        raise IndexError(f"index out of range in self: {int(wrong)} is not a row of a table with {len(x)} rows")
    return x.take(indices, 0, None, "clip")  # they were checked: nothing is clipped


@embedding.vjp("x")
def _(xp, g, indices, x_shape, padding_idx, scale_grad_by_freq):
    return run(add_rows, xp, g, indices, rows=x_shape[0], padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq)


@op(promote=like_first, broadcasts=False, grad_name="EmbeddingDenseBackward")
def add_rows(xp, x, indices, rows: int = 0, padding_idx: int = -1, scale_grad_by_freq: bool = False):
    """embedding, transposed: add x: (*, D) to the rows that `indices`: (*) names, in zeros -> (rows, D)."""
    y = xp.zeros((rows, x.shape[-1]), x.dtype)
    add_at_places(xp, y, indices.reshape(-1), _scaled(xp, x, indices, rows, padding_idx, scale_grad_by_freq))
    return y


@add_rows.kernel("numpy")
def _(xp, x, indices, rows=0, padding_idx=-1, scale_grad_by_freq=False):
    y = np.zeros((rows, x.shape[-1]), x.dtype)
    values = _scaled(np, x, indices, rows, padding_idx, scale_grad_by_freq)
    if indices.size:  # sorted, so that the values of each row stand together
        flat = indices.reshape(-1)
        order = flat.argsort(kind="stable")
        flat = flat[order]
        starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
        y[flat[starts]] = np.add.reduceat(values[order], starts, axis=0)
    return y


@add_rows.vjp("x")
def _(xp, g, indices, padding_idx, scale_grad_by_freq):
    picked = run(embedding, xp, g, indices)
    factors = _factors(unwrap(indices), g.shape[0], padding_idx, scale_grad_by_freq, unwrap(g).dtype)
    return picked if factors is None else picked * (wrap(factors) if isinstance(g, Tensor) else factors)


def _scaled(xp, x, indices, rows, padding_idx, scale_grad_by_freq):
    """x: (*, D) as a matrix, each row times its factor."""
    factors = _factors(indices, rows, padding_idx, scale_grad_by_freq, x.dtype)
    return (x if factors is None else x * factors).reshape(-1, x.shape[-1])


def _factors(indices, rows, padding_idx, scale_grad_by_freq, dtype):
    """(*, 1): 0 for the padding row, 1 / frequency when asked for; None when all are 1."""
    if padding_idx < 0 and not scale_grad_by_freq:
        return None
    xp = BACKENDS[type(indices)].xp
    factors = (indices != padding_idx).astype(dtype)
    if scale_grad_by_freq:
        factors /= xp.bincount(indices.reshape(-1), minlength=rows)[indices]
    return factors[..., None]

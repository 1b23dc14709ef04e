"""Reading at places with weights: what interpolation at given points is made of.

Three operations, each linear in each of its two floating inputs, and each made of the others in its gradients:

    read_at    x: (N, C, S), weights: (N, K, P)  -> (N, C, P)   sum over k of x[n, c, at[n, k, p]] * weights[n, k, p]
    write_at   x: (N, C, P), weights: (N, K, P)  -> (N, C, S)   x[n, c, p] * weights[n, k, p] added up at the places at[n, k, p]
    match_at   x: (N, C, S), y: (N, C, P)        -> (N, K, P)   sum over c of x[n, c, at[n, k, p]] * y[n, c, p]

at: int (N, K, P), places among the S elements.  K: how many elements an output is mixed of.
"""
import numpy as np

from .._core.op import op
from .._core.promotion import same
from ._repeated import add_repeated
from ._run import run


def _types(raw, backend):
    """The floating inputs share a type; the places stay as they are."""
    floating, dtype = same(raw[:2], backend)
    return [*floating, raw[2]], dtype


def _at(xp, x, at, k):
    """(N, C, P): the elements of x: (N, C, S) at the k-th places."""
    return xp.take_along_axis(x, xp.broadcast_to(at[:, k, None], (*x.shape[:2], at.shape[2])), 2)


@op(promote=_types, fast=False, broadcasts=False, grad_name="GridSampler2D")
def read_at(xp, x, weights, at):
    """Sum over k of x[n, c, at[n, k, p]] * weights[n, k, p]."""
    out = xp.zeros((*x.shape[:2], at.shape[2]), x.dtype)
    for k in range(at.shape[1]):
        out += _at(xp, x, at, k) * weights[:, k, None]
    return out


@read_at.vjp("x")
def _(xp, g, weights, at, x_shape):
    return run(write_at, xp, g, weights, at, size=x_shape[2])


@read_at.vjp("weights")
def _(xp, g, x, at):
    return run(match_at, xp, x, g, at)


@op(promote=_types, fast=False, broadcasts=False, grad_name="GridSampler2DBackward")
def write_at(xp, x, weights, at, size: int = 0):
    """Zeros (N, C, size) with x[n, c, p] * weights[n, k, p] added at at[n, k, p]."""
    n, c, _ = x.shape
    out = xp.zeros(n * c * size, x.dtype)
    rows = (xp.arange(n * c) * size).reshape(n, c, 1)
    for k in range(at.shape[1]):
        add_repeated(xp, out, (rows + at[:, k, None]).reshape(-1), (x * weights[:, k, None]).reshape(-1))
    return out.reshape(n, c, size)


@write_at.vjp("x")
def _(xp, g, weights, at):
    return run(read_at, xp, g, weights, at)


@write_at.vjp("weights")
def _(xp, g, x, at):
    return run(match_at, xp, g, x, at)


@op(promote=_types, fast=False, broadcasts=False, grad_name="GridSampler2DBackward")
def match_at(xp, x, y, at):
    """Sum over c of x[n, c, at[n, k, p]] * y[n, c, p]."""
    out = xp.empty(at.shape, x.dtype)
    for k in range(at.shape[1]):
        out[:, k] = (_at(xp, x, at, k) * y).sum(axis=1)
    return out


@match_at.vjp("x")
def _(xp, g, y, at, x_shape):
    return run(write_at, xp, y, g, at, size=x_shape[2])


@match_at.vjp("y")
def _(xp, g, x, at):
    return run(read_at, xp, x, g, at)


# -- one image at a time, which NumPy reads three times as fast and adds up twice as fast ------------------------------

@read_at.kernel("numpy")
def _(xp, x, weights, at):
    out = np.zeros((*x.shape[:2], at.shape[2]), x.dtype)
    for n, k in np.ndindex(at.shape[:2]):
        out[n] += x[n].take(at[n, k], axis=1) * weights[n, k]
    return out


@write_at.kernel("numpy")
def _(xp, x, weights, at, size=0):
    if x.dtype.kind != "f":
        return write_at.forward(xp, x, weights, at, size)
    out = np.empty((*x.shape[:2], size), x.dtype)
    for n, c in np.ndindex(x.shape[:2]):
        out[n, c] = np.bincount(at[n].reshape(-1), (x[n, c] * weights[n]).reshape(-1), size)
    return out


@match_at.kernel("numpy")
def _(xp, x, y, at):
    out = np.empty(at.shape, x.dtype)
    for n, k in np.ndindex(at.shape[:2]):
        np.einsum("cp,cp->p", x[n].take(at[n, k], axis=1), y[n], out=out[n, k])
    return out

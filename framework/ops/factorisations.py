"""LU, LDL and Householder's QR of (batches of) matrices in LAPACK's compact forms.  On CUDA they are computed on the host."""
import numpy as np

from .. import _dtypes
from .._core.op import op
from . import _pivoting
from ._run import refuses_gradient, run
from .matrices import _h, _types, inv


def _host(xp, a):
    return a if xp is np else a.get()


def _batched(a):
    """A contiguous copy with one batch dimension: (*, m, n) -> (b, m, n)"""
    return np.array(a).reshape(-1, *a.shape[-2:])


def _lu_types(raw, backend):
    d = _dtypes.of_numpy(raw[0].dtype)
    if d.category < _dtypes.FLOAT or _dtypes.is_half(d.np):
        raise NotImplementedError(f'"lu_cpu" not implemented for {d.name}; convert with .float()')
    return raw, d.np


@op(promote=_lu_types, fast=False, holomorphic=False, broadcasts=False, grad_name="LinalgLuFactorEx", syncs=True)
def lu_factor(xp, x):
    """(LU, pivots): x with its rows exchanged is L U, L with ones on its diagonal.  (*, m, n) -> (*, m, n), (*, min(m, n)) int32, from 1"""
    a = _batched(_host(xp, x))
    pivots = _pivoting.lu(a)
    return xp.asarray(a.reshape(x.shape)), xp.asarray(pivots.reshape(*x.shape[:-2], -1))


def permutation(xp, pivots, m, dtype):
    """The matrix P of exchanges: P L U = x.  (*, k) -> (*, m, m)"""
    flat = np.array(_host(xp, pivots)).reshape(-1, pivots.shape[-1])
    order, every = np.tile(np.arange(m), (len(flat), 1)), np.arange(len(flat))
    for i in range(flat.shape[1]):
        other = flat[:, i] - 1
        order[:, i], order[every, other] = order[every, other], order[:, i].copy()
    out = np.zeros((len(flat), m, m), dtype)
    out[every[:, None], order, np.arange(m)] = 1
    return xp.asarray(out.reshape(*pivots.shape[:-1], m, m))


@op(fast=False, syncs=True)
def pivot_matrix(xp, x, m: int, dtype: object):
    """`permutation` of pivots `x`, as an op.  (*, k) -> (*, m, m)"""
    return permutation(xp, x, m, dtype)


@lu_factor.vjp("x")
def _(xp, g, x, out):
    """With A = P L U: P L^-H (tril(L^H gL, -1) + triu(gU U^H)) U^-H; of a wide or tall matrix, what is left over is solved for first."""
    compact, pivots = run(lu_factor, xp, x) if hasattr(x, "_data") else out
    g, (m, n) = g[0], x.shape[-2:]
    k = min(m, n)
    one = xp.tril(xp.triu(xp.ones_like(compact[..., :k, :k])))
    low, up = xp.tril(compact[..., :k, :k], -1) + one, xp.triu(compact[..., :k, :k])
    low_back, up_back = _h(xp, run(inv, xp, low)), _h(xp, run(inv, xp, up))
    g_low, g_up = xp.tril(g[..., :k, :k], -1), xp.triu(g[..., :k, :k])
    rest = None
    if n > k:
        rest = low_back @ g[..., k:]
        g_low = g_low - xp.tril(rest @ _h(xp, compact[..., k:]), -1)
    if m > k:
        rest = g[..., k:, :] @ up_back
        g_up = g_up - xp.triu(_h(xp, compact[..., k:, :]) @ rest)
    square = low_back @ (xp.tril(_h(xp, low) @ g_low, -1) + xp.triu(g_up @ _h(xp, up))) @ up_back
    total = square if rest is None else xp.concatenate([square, rest], -1 if n > k else -2)
    return run(pivot_matrix, xp, pivots, m=m, dtype=getattr(compact, "_data", compact).dtype) @ total


@op(promote=_types, fast=False, broadcasts=False, syncs=True)
def ldl_factor(xp, x, hermitian: bool = False):
    """(LD, pivots), Bunch and Kaufman's factors of symmetric or Hermitian matrices, in their lower triangle.  (*, n, n) -> (*, n, n), (*, n)"""
    a = np.tril(_batched(_host(xp, x)))
    pivots = np.array([_pivoting.ldl(matrix, hermitian) for matrix in a], np.int32)
    return xp.asarray(a.reshape(x.shape)), xp.asarray(pivots.reshape(x.shape[:-1]))


refuses_gradient(ldl_factor, "x")


@op(promote=_types, fast=False, broadcasts=False, syncs=True)
def geqrf(xp, x):
    """(a, tau): R on and above the diagonal of `a`, below it the vectors of the reflections 1 - tau v v^H.  (*, m, n) -> (*, m, n), (*, k)"""
    turned, tau = np.linalg.qr(_host(xp, x), mode="raw")
    a = np.ascontiguousarray(np.swapaxes(turned, -1, -2))
    return xp.asarray(a.astype(x.dtype, copy=False)), xp.asarray(tau.astype(x.dtype, copy=False))


refuses_gradient(geqrf, "x")

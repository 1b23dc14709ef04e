"""Inverses, determinants and factorisations of (batches of) matrices, in their last two dimensions.

Gradients of complex matrices are the rules' own business here (holomorphic=False): they are written with conjugate transposes, as in
Walter and Lehmann 2010 (arXiv:1001.1654) and Giles 2008 (An extended collection of matrix derivative results).
"""
import numpy as np

from .. import _dtypes
from .._backends import BACKENDS
from .._core.op import op
from .._core.tensor import Tensor
from ._parts import is_complex
from ._run import run


class LinAlgError(RuntimeError):
    """A matrix that the operation cannot take: singular, or not positive definite."""


def _types(raw, backend):
    first = raw[0]
    for a in raw:
        d = _dtypes.of_numpy(a.dtype)
        if d.category < _dtypes.FLOAT:
            raise RuntimeError(f"linalg: Expected a floating point or complex tensor as input. Got {d.name}; convert with .float()")
        if _dtypes.is_half(a.dtype):
            raise RuntimeError(f"linalg: Low precision dtypes not supported. Got {d.name}; convert with .float()")
        if a.dtype != first.dtype:
            raise RuntimeError(f"linalg: Expected both tensors to have the same dtype, but got {_dtypes.of_numpy(first.dtype).name} and {d.name}")
    return raw, first.dtype


def _h(xp, x):
    """The conjugate transpose."""
    t = xp.swapaxes(x, -1, -2)
    return xp.conj(t) if is_complex(t) else t


def _eye(x, n=None):
    """The identity, as an array in the real type of `x` (an array or Tensor); n: of its last dimension by default."""
    a = getattr(x, "_data", x)
    return BACKENDS[type(a)].xp.eye(n or a.shape[-1], dtype=a.real.dtype)


def _columns(xp, v):
    return xp.expand_dims(v, -2)


def _rows(xp, v):
    return xp.expand_dims(v, -1)


def _diagonal(xp, x):
    """(*, n, n) -> (*, n)"""
    return xp.sum(x * _eye(x), -1)


def _again(op, xp, x, out, **attrs):
    """The op's saved outputs; under create_graph computed anew from `x`, so that they are recorded."""
    return run(op, xp, x, **attrs) if isinstance(x, Tensor) else out


def _gaps(xp, values):
    """values[k] - values[j] at (j, k), and 1 on the diagonal."""
    return _columns(xp, values) - _rows(xp, values) + _eye(values)


@op(promote=_types, broadcasts=False, fast=False, holomorphic=False, grad_name="LinalgInvEx", syncs=True)
def inv(xp, x):
    """The inverse.  (*, n, n) -> (*, n, n).  LinAlgError for a singular matrix."""
    try:
        with BACKENDS[type(x)].checking_matrices():
            return xp.linalg.inv(x)
    except np.linalg.LinAlgError:
        raise LinAlgError("linalg.inv: The inversion could not be completed because the input matrix is singular.") from None


@inv.vjp("x")
def _(xp, g, out):
    turned = _h(xp, out)
    return xp.negative(turned @ g @ turned)


@op(promote=_types, broadcasts=True, fast=False, holomorphic=False, grad_name="LinalgSolveEx", syncs=True)
def solve(xp, x, y):
    """The `z` with x z = y.  (*, n, n), (*, n, k) -> (*, n, k).  LinAlgError for a singular matrix."""
    try:
        with BACKENDS[type(x)].checking_matrices():
            return xp.linalg.solve(x, y)
    except np.linalg.LinAlgError:
        raise LinAlgError("linalg.solve: The solver failed because the input matrix is singular.") from None


@solve.vjp("x", "y")
def _(xp, g, x, out):
    gy = run(solve, xp, _h(xp, x), g)
    return xp.negative(gy @ _h(xp, out)), gy


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgDet")
def det(xp, x):
    """The determinant.  (*, n, n) -> (*)"""
    return xp.linalg.det(x)


@det.vjp("x")
def _(xp, g, x, out):
    g = _rows(xp, _rows(xp, g))
    if not _near_singular(x, out):
        factor = _rows(xp, _rows(xp, xp.conj(out) if is_complex(out) else out))
        return g * factor * _h(xp, run(inv, xp, x))
    return g * _cofactors(xp, x)


def _near_singular(x, det_of_x):
    """Whether a determinant is within rounding of 0: beside the product of the lengths of its rows, which bounds it (Hadamard)."""
    a, d = getattr(x, "_data", x), getattr(det_of_x, "_data", det_of_x)
    xp = BACKENDS[type(a)].xp
    bound = xp.prod(xp.sqrt(xp.sum(xp.absolute(a) ** 2, -1)), -1)
    return bool(xp.any(xp.absolute(d) <= 100 * np.finfo(a.dtype).eps * bound))


def _cofactors(xp, x):
    """The conjugate cofactor matrix by singular values, none of which is divided by; differentiable again where they differ."""
    u, s, vh = run(svd, xp, x, full_matrices=False)
    n = s.shape[-1]
    others = xp.prod(xp.where(_eye(s) == 1, 1, _columns(xp, s) * xp.ones((n, 1), s.dtype)), -1)
    sign = run(det, xp, u) * run(det, xp, vh)
    return _rows(xp, _rows(xp, sign)) * ((u * _columns(xp, others)) @ vh)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgSlogdet")
def slogdet(xp, x):
    """(sign, log |det|); of a singular matrix, (0, -inf).  (*, n, n) -> (*), (*)"""
    return tuple([xp.asarray(a) for a in xp.linalg.slogdet(x)])


@slogdet.vjp("x")
def _(xp, g, x, out):
    turn, log = g
    total = 0 if log is None else log
    if turn is not None and is_complex(x):
        total = total + 1j * xp.real(xp.conj(turn) * _again(slogdet, xp, x, out)[0] * 1j)
    return xp.zeros_like(x) if isinstance(total, int) else _rows(xp, _rows(xp, total)) * _h(xp, run(inv, xp, x))


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgCholeskyEx", syncs=True)
def cholesky(xp, x):
    """The lower triangle L with L L^H = x, of a Hermitian positive definite matrix; its upper triangle is not read.  (*, n, n) -> (*, n, n)"""
    try:
        with BACKENDS[type(x)].checking_matrices():
            return xp.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        raise LinAlgError("linalg.cholesky: The factorization could not be completed because the input is not positive-definite.") from None


@cholesky.vjp("x")
def _(xp, g, out):
    inner = xp.tril(_h(xp, out) @ g)
    inner = inner - inner * _eye(inner) * 0.5
    inner = inner + _h(xp, inner)
    back = _h(xp, run(inv, xp, out))
    return back @ inner @ _h(xp, back) * 0.5


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgQr")
def qr(xp, x, mode: str = "reduced"):
    """(Q, R): x = Q R, Q^H Q = 1, R upper triangular.  Reduced: (*, m, n) -> (*, m, k), (*, k, n), k = min(m, n).  Gradient: m >= n"""
    return tuple(xp.linalg.qr(x, mode))


@qr.vjp("x")
def _(xp, g, x, out, mode):
    q, r = _again(qr, xp, x, out, mode=mode)
    if mode == "complete" and q.shape[-1] > r.shape[-1]:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols")
    gq, gr = g
    inner = 0
    if gr is not None:
        inner = gr @ _h(xp, r)
    if gq is not None:
        inner = inner - _h(xp, q) @ gq
    inner = xp.triu(inner)
    inner = inner + _h(xp, inner) - _eye(inner) * (xp.real(inner) if is_complex(inner) else inner)
    total = q @ inner if gq is None else gq + q @ inner
    return _h(xp, run(solve, xp, r, _h(xp, total)))


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgSvd")
def svd(xp, x, full_matrices: bool = True):
    """(U, S, V^H): x = U diag(S) V^H, S falling.  (*, m, n) -> (*, m, k), (*, k), (*, k, n); k = min(m, n), or full squares"""
    return tuple(xp.linalg.svd(x, full_matrices=full_matrices))


@svd.vjp("x")
def _(xp, g, x, out, full_matrices):
    (u, s, vh), (gu, gs, gvh) = _again(svd, xp, x, out, full_matrices=full_matrices), g
    k = s.shape[-1]
    if full_matrices:
        u, vh = u[..., :k], vh[..., :k, :]
        gu, gvh = None if gu is None else gu[..., :k], None if gvh is None else gvh[..., :k, :]
    squares = _gaps(xp, s * s)
    inner = 0 if gs is None else _rows(xp, gs) * _eye(s)
    if gu is not None:
        side = _h(xp, u) @ gu
        inner = inner + (side - _h(xp, side)) / squares * _columns(xp, s) * _off(side)
    if gvh is not None:
        other = gvh @ _h(xp, vh)
        inner = inner + _rows(xp, s) * ((_h(xp, other) - other) / squares) * _off(other)
    if gu is not None and is_complex(u):
        inner = inner + 1j * xp.imag(side) * _eye(s) / _rows(xp, s)
    left = u @ inner
    if gu is not None and u.shape[-2] > k:
        left = left + (gu - u @ (_h(xp, u) @ gu)) / _columns(xp, s)
    total = left @ vh
    if gvh is not None and vh.shape[-1] > k:
        total = total + (u / _columns(xp, s)) @ (gvh - (gvh @ _h(xp, vh)) @ vh)
    return total


def _off(x):
    """1 off the diagonal, 0 on it."""
    return 1 - _eye(x)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgSvdvals")
def svdvals(xp, x):
    """The singular values, falling.  (*, m, n) -> (*, min(m, n))"""
    return xp.linalg.svd(x, compute_uv=False)


@svdvals.vjp("x")
def _(xp, g, x):
    u, _, vh = run(svd, xp, x, full_matrices=False)
    return (u * _columns(xp, g)) @ vh


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgEigh")
def eigh(xp, x, UPLO: str = "L"):  # noqa: N803 - NumPy's name
    """(values, vectors) of Hermitian matrices, values rising; one triangle is read.  (*, n, n) -> (*, n), (*, n, n)"""
    return tuple(xp.linalg.eigh(x, UPLO))


@eigh.vjp("x")
def _(xp, g, x, out, UPLO):  # noqa: N803
    (values, vectors), (gl, gv) = _again(eigh, xp, x, out, UPLO=UPLO), g
    inner = 0 if gl is None else _rows(xp, gl) * _eye(values)
    if gv is not None:
        inner = inner + _h(xp, vectors) @ gv / _gaps(xp, values) * _off(values)
    return vectors @ inner @ _h(xp, vectors)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgEigvalsh")
def eigvalsh(xp, x, UPLO: str = "L"):  # noqa: N803 - NumPy's name
    """The eigenvalues of Hermitian matrices, rising; one triangle is read.  (*, n, n) -> (*, n)"""
    return xp.linalg.eigvalsh(x, UPLO)


@eigvalsh.vjp("x")
def _(xp, g, x, UPLO):  # noqa: N803
    _, vectors = run(eigh, xp, x, UPLO=UPLO)
    return (vectors * _columns(xp, g)) @ _h(xp, vectors)


def _complex(x):
    return x.astype(np.result_type(x.dtype, np.complex64), copy=False)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgEig", syncs=True)
def eig(xp, x):
    """(values, vectors), complex, in no particular order; vectors of length 1.  (*, n, n) -> (*, n), (*, n, n).  On the CPU"""
    values, vectors = np.linalg.eig(x) if xp is np else [xp.asarray(a) for a in np.linalg.eig(x.get())]
    return _complex(values), _complex(vectors)


@eig.vjp("x")
def _(xp, g, x, out):
    (values, vectors), (gl, gv) = _again(eig, xp, x, out), g
    turned = _h(xp, vectors)
    inner = 0 if gl is None else _rows(xp, gl) * _eye(values)
    if gv is not None:
        side = turned @ gv
        side = side - turned @ vectors * _columns(xp, xp.real(_diagonal(xp, side)))
        inner = inner + side / xp.conj(_gaps(xp, values)) * _off(values)
    total = run(solve, xp, turned, inner @ turned)
    return total if is_complex(x) else xp.real(total)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgEigvals", syncs=True)
def eigvals(xp, x):
    """The eigenvalues, complex, in no particular order.  (*, n, n) -> (*, n)"""
    return _complex(np.linalg.eigvals(x) if xp is np else xp.asarray(np.linalg.eigvals(x.get())))


@eigvals.vjp("x")
def _(xp, g, x):
    _, vectors = run(eig, xp, x)
    turned = _h(xp, vectors)
    total = run(solve, xp, turned, _rows(xp, g) * turned)
    return total if is_complex(x) else xp.real(total)


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgPinv", syncs=True)
def pinv(xp, x, rtol: float = None, hermitian: bool = False):
    """The Moore-Penrose inverse; singular values up to rtol times the largest count as 0.  (*, m, n) -> (*, n, m)

    Golub and Pereyra 1973, for matrices whose rank does not change.
    """
    limit = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else rtol
    return xp.linalg.pinv(x, limit)


@pinv.vjp("x")
def _(xp, g, x, out):
    turned, back = _h(xp, g), _h(xp, out)
    if x.shape[-2] <= x.shape[-1]:
        k = turned @ out
        far = k @ back
        return far - _h(xp, out @ k) - (x @ out) @ far + (back @ out) @ (turned - k @ x)
    k = out @ turned
    far = back @ k
    return (turned - x @ k) @ out @ back - _h(xp, k @ out) + far - (far @ out) @ x


@op(promote=_types, fast=False, holomorphic=False, grad_name="LinalgMatrixExp", syncs=True)
def matrix_exp(xp, x):
    """1 + x + x^2 / 2 + x^3 / 6 + ..., by Taylor's series of x / 2^s squared s times.  (*, n, n) -> (*, n, n)"""
    size = float(xp.max(xp.sum(xp.absolute(x), -1))) if x.size else 0.0
    halvings = max(0, int(np.ceil(np.log2(size))) + 2) if size else 0
    x = x / 2.0 ** halvings
    out = term = xp.broadcast_to(xp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    for k in range(1, 14):
        term = term @ x / k
        out = out + term
    for _ in range(halvings):
        out = out @ out
    return out


@matrix_exp.vjp("x")
def _(xp, g, x):
    n, turned = x.shape[-1], _h(xp, x)
    top, bottom = xp.concatenate([turned, g], -1), xp.concatenate([xp.zeros_like(g), turned], -1)
    return run(matrix_exp, xp, xp.concatenate([top, bottom], -2))[..., :n, n:]

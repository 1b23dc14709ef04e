"""Linear algebra in torch's words: torch.linalg's functions and their older names.  Matrices are the last two dimensions."""
import math

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.tensor import Tensor
from .._dtypes import as_dtype, of_numpy
from ..ops import _pivoting
from ..ops.matrices import LinAlgError
from ..ops.shape import wrap_dim
from ._results import named
from .creation import tensor
from .linalg import chain_matmul
from .reductions import vector_norm

Slogdet = named("linalg_slogdet", "sign logabsdet")
Qr, OldQr = named("linalg_qr", "Q R"), named("qr", "Q R")
Eigh, Eig = named("linalg_eigh", "eigenvalues eigenvectors"), named("linalg_eig", "eigenvalues eigenvectors")
Svd, OldSvd = named("linalg_svd", "U S Vh"), named("svd", "U S V")
Lstsq = named("linalg_lstsq", "solution residuals rank singular_values")
InvEx, CholeskyEx = named("linalg_inv_ex", "inverse info"), named("linalg_cholesky_ex", "L info")
SolveEx = named("linalg_solve_ex", "result info")


def _matrix(name, x, square=False):
    """TypeError for what is no Tensor; RuntimeError unless it holds (square) matrices."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'A' (position 1) must be Tensor, not {type(x).__name__}")
    shape = x._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions, but its shape is {list(shape)}.")
    if square and shape[-1] != shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices")


def transposed(x):
    """The conjugate transpose of the last two dimensions."""
    t = ops.swapaxes(x, -1, -2)
    return ops.conj(t) if t._data.dtype.kind == "c" else t


# -- inverses and equations --------------------------------------------------------------------------------------------

def inv(A):  # noqa: N803 - torch's name, here and below
    """The inverse.  (*, n, n) -> (*, n, n).  LinAlgError for a singular matrix."""
    _matrix("linalg.inv", A, square=True)
    return ops.inv(A)


def inv_ex(A, *, check_errors=False):  # noqa: N803
    """(inverse, info): info is 0, or of a singular matrix, whose inverse is nan, the place from 1 of the first zero on the diagonal of its U."""
    _matrix("linalg.inv_ex", A, square=True)
    out, info = _unless(ops.inv, _eliminated, _first_zero, A)
    if check_errors and info._data.any():
        raise LinAlgError(f"linalg.inv_ex: The diagonal element {_first(info)} is zero, the inversion could not be completed because the input "
                          "matrix is singular.")
    return InvEx(out, info)


def solve_ex(A, B, *, left=True, check_errors=False):  # noqa: N803
    """(result, info) of `solve`; a singular matrix has the result nan and an info as in `inv_ex`."""
    _matrix("linalg.solve", A, square=True)
    out, info = _unless(lambda a: solve(a, B, left=left), _eliminated, _first_zero, A)
    if check_errors and info._data.any():
        raise LinAlgError(f"torch.linalg.solve_ex: The diagonal element {_first(info)} is zero, the solver failed because the input matrix is "
                          "singular.")
    return SolveEx(out, info)


def _unless(factor, probe, info_of, A):  # noqa: N803
    """(factor(A), info): where probe(array) raises, the matrices that info_of(matrix) names are left out, and their result is nan."""
    a = of_array(A._data).to_host(A._data)
    try:
        probe(a)
    except np.linalg.LinAlgError:
        found = [info_of(matrix) for matrix in a.reshape(-1, *a.shape[-2:])]
        info = tensor(np.array(found, np.int32).reshape(a.shape[:-2]), device=A.device)
        bad = info != 0
        out = factor(ops.where(_like(bad, A), _identity(A), A))
        return ops.where(_like(bad, out), math.nan, out), info
    except TypeError:  # NumPy does not take this type; the op says so in torch's words
        pass
    return factor(A), ops.zeros(a.shape[:-2], "int32", A.device)


def _eliminated(a):
    """NumPy's LinAlgError for a singular matrix."""
    np.linalg.solve(a, np.zeros(a.shape[-1:] + (1,), a.dtype))


def _like(flags, t):
    """(*) -> (*, 1 ...) that broadcasts with `t`"""
    return ops.reshape(flags, flags._data.shape + (1,) * (t._data.ndim - flags._data.ndim))


def _first(info):
    return int(info._data[info._data != 0].flat[0])


def _first_zero(matrix):
    """Place from 1 of the first zero on the diagonal of U; 0: there is none."""
    compact = matrix[None].copy()
    _pivoting.lu(compact)
    zeros = np.flatnonzero(np.diagonal(compact[0]) == 0)
    return int(zeros[0]) + 1 if zeros.size else 0


def _first_minor(matrix):
    """Order of the first leading minor that is not positive definite; 0: there is none."""
    for n in range(1, len(matrix) + 1):
        try:
            np.linalg.cholesky(matrix[:n, :n])
        except np.linalg.LinAlgError:
            return n
    return 0


def solve(A, B, *, left=True):  # noqa: N803
    """The X with A X = B (left=False: X A = B).  (*, n, n), (*, n, k) or (n) or (*, n) -> the shape of B.  LinAlgError for a singular matrix."""
    _matrix("linalg.solve", A, square=True)
    a, b = A._data.shape, B._data.shape
    vector = len(b) == 1 or (len(b) == len(a) - 1 and b == a[:-1])
    n = b[-1] if vector else b[-2 if left else -1]
    if n != a[-1]:
        raise RuntimeError(f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'}: {list(a)} and {list(b)}")
    if vector:
        return ops.squeeze(ops.solve(A, ops.expand_dims(B, -1)), -1)
    if left:
        return ops.solve(A, B)
    return ops.swapaxes(ops.solve(ops.swapaxes(A, -1, -2), ops.swapaxes(B, -1, -2)), -1, -2)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False):  # noqa: N803
    """`solve` with a triangular matrix, of which the other triangle is not read, nor, when unitriangular, the diagonal."""
    _matrix("linalg.solve_triangular", A, square=True)
    triangle = ops.triu(A, int(unitriangular)) if upper else ops.tril(A, -int(unitriangular))
    if unitriangular:
        triangle = triangle + _identity(A)
    return solve(triangle, B, left=left)


def _identity(x):
    return ops.place_diagonal(ops.ones((x._data.shape[-1],), x.dtype, x.device), x._data.shape[-1:] * 2)


def triangular_solve(input, A, upper=True, transpose=False, unitriangular=False):  # noqa: N803
    """The older form of `solve_triangular`: (solution, A)."""
    turned = ops.swapaxes(A, -1, -2) if transpose else A
    return named("triangular_solve", "solution cloned_coefficient")(
        solve_triangular(turned, input, upper=upper != transpose, unitriangular=unitriangular), ops.copy(A))


def cholesky_solve(input, L, upper=False):  # noqa: N803
    """The X with (L L^H) X = input (upper: L^H L)."""
    low = transposed(L) if upper else L
    return solve_triangular(transposed(low), solve_triangular(low, input, upper=False), upper=True)


def cholesky_inverse(L, upper=False):  # noqa: N803
    """The inverse of L L^H (upper: of L^H L)."""
    return cholesky_solve(ops.copy(ops.broadcast_to(_identity(L), L._data.shape)), L, upper)


def lstsq(A, B, rcond=None, *, driver=None):  # noqa: N803
    """The X that makes |A X - B| smallest, of the shortest length.  (*, m, n), (*, m, k) or (*, m)

    (solution, residuals, rank, singular_values).  residuals: the squared distances, where m > n, the rank is full and the driver is one of
    "gels", "gelss", "gelsd"; else empty, as with torch's default driver.  singular_values: empty unless the driver is "gelss" or "gelsd".
    """
    _matrix("linalg.lstsq", A)
    a, b = A._data.shape, B._data.shape
    vector = len(b) == len(a) - 1
    if b[-1 if vector else -2] != a[-2]:
        raise RuntimeError(f"linalg.lstsq: input.size(-2) should match other.size({-1 if vector else -2}): {a[-2]} and {b[-1 if vector else -2]}")
    right = ops.expand_dims(B, -1) if vector else B
    solution = ops.matmul(ops.pinv(A, rcond), right)
    rank = matrix_rank(A.detach(), rtol=rcond)
    residuals = ops.zeros((0,), B.dtype, B.device)
    if driver in ("gels", "gelss", "gelsd") and a[-2] > a[-1] and bool((rank._data == a[-1]).all()):
        off = ops.matmul(A, solution) - right
        residuals = ops.sum(ops.real(off * ops.conj(off)) if off._data.dtype.kind == "c" else off * off, -2)
        residuals = ops.squeeze(residuals, -1) if vector else residuals
    values = svdvals(A.detach()) if driver in ("gelss", "gelsd") else ops.zeros((0,), of_numpy(A._data.real.dtype), A.device)
    return Lstsq(ops.squeeze(solution, -1) if vector else solution, residuals, rank, values)


def pinv(A, *, rcond=None, rtol=None, hermitian=False):  # noqa: N803
    """The Moore-Penrose inverse; singular values up to rtol times the largest count as 0.  (*, m, n) -> (*, n, m)"""
    _matrix("linalg.pinv", A)
    return ops.pinv(A, rcond if rtol is None else rtol, hermitian)


def pinverse(input, rcond=1e-15):
    """The older form of `linalg.pinv`."""
    return pinv(input, rtol=rcond)


# -- determinants ------------------------------------------------------------------------------------------------------

def det(A):  # noqa: N803
    """The determinant.  (*, n, n) -> (*)"""
    _matrix("linalg.det", A, square=True)
    return ops.det(A)


def slogdet(A):  # noqa: N803
    """(sign, logabsdet): det = sign * exp(logabsdet); a singular matrix has (0, -inf)."""
    _matrix("linalg.slogdet", A, square=True)
    return Slogdet(*ops.slogdet(A))


def logdet(input):
    """log(det), nan where the determinant is negative."""
    sign, log = slogdet(input)
    return log + ops.log(sign)


# -- factorisations ----------------------------------------------------------------------------------------------------

def cholesky(A, *, upper=False):  # noqa: N803
    """The triangle L with L L^H = A (upper: U^H U).  LinAlgError unless A is Hermitian positive definite."""
    _matrix("linalg.cholesky", A, square=True)
    low = ops.cholesky(transposed(A) if upper else A)
    return transposed(low) if upper else low


def old_cholesky(input, upper=False):
    """`linalg.cholesky` under its older name."""
    return cholesky(input, upper=upper)


def cholesky_ex(A, *, upper=False, check_errors=False):  # noqa: N803
    """(L, info): info is 0, or the order of the first leading minor that is not positive definite; the L of such a matrix is nan."""
    _matrix("linalg.cholesky_ex", A, square=True)
    out, info = _unless(lambda a: cholesky(a, upper=upper), np.linalg.cholesky, _first_minor, A)
    if check_errors and info._data.any():
        raise LinAlgError("linalg.cholesky_ex: The factorization could not be completed because the input is not positive-definite (the leading "
                          f"minor of order {_first(info)} is not positive-definite).")
    return CholeskyEx(out, info)


def qr(A, mode="reduced"):  # noqa: N803
    """(Q, R): A = Q R, Q^H Q = 1, R upper triangular.  mode: "reduced", "complete" (Q square), "r" (Q empty)."""
    _matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    m, n = A._data.shape[-2:]
    if mode == "r":
        return Qr(ops.zeros((0,), A.dtype, A.device), ops.qr(A, "reduced")[1])
    if m >= n:
        return Qr(*ops.qr(A, mode))
    q, r = ops.qr(A[..., :m], "reduced")
    return Qr(q, ops.concatenate([r, ops.matmul(transposed(q), A[..., m:])], -1))


def old_qr(input, some=True):
    """`linalg.qr` under its older arguments."""
    return OldQr(*qr(input, "reduced" if some else "complete"))


def svd(A, full_matrices=True, *, driver=None):  # noqa: N803
    """(U, S, Vh): A = U diag(S) Vh, S falling.  Vectors have a gradient where singular values differ; it depends on no sign of theirs."""
    _matrix("linalg.svd", A)
    return Svd(*ops.svd(A, bool(full_matrices)))


def old_svd(input, some=True, compute_uv=True):
    """torch.svd, the older form: (U, S, V) with V not transposed; some: U and V without superfluous columns."""
    u, s, vh = svd(input, not some)
    return OldSvd(u, s, transposed(vh))


def svdvals(A, *, driver=None):  # noqa: N803
    """The singular values, falling.  (*, m, n) -> (*, min(m, n))"""
    _matrix("linalg.svdvals", A)
    return ops.svdvals(A)


def eigh(A, UPLO="L"):  # noqa: N803
    """(eigenvalues, eigenvectors) of Hermitian matrices, rising; one triangle is read."""
    _matrix("linalg.eigh", A, square=True)
    return Eigh(*ops.eigh(A, UPLO))


def eigvalsh(A, UPLO="L"):  # noqa: N803
    """The eigenvalues of Hermitian matrices, rising; one triangle is read."""
    _matrix("linalg.eigvalsh", A, square=True)
    return ops.eigvalsh(A, UPLO)


def eig(A):  # noqa: N803
    """(eigenvalues, eigenvectors), complex, in no particular order."""
    _matrix("linalg.eig", A, square=True)
    return Eig(*ops.eig(A))


def eigvals(A):  # noqa: N803
    """The eigenvalues, complex, in no particular order."""
    _matrix("linalg.eigvals", A, square=True)
    return ops.eigvals(A)


# -- norms, ranks ------------------------------------------------------------------------------------------------------

def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):  # noqa: N803, A002
    """"fro": the root of the sum of squares; "nuc": the sum of singular values; 2, -2: the largest, smallest of them; 1, -1, inf, -inf: the
    largest or smallest sum of absolute values of a column (1) or row (inf).
    """
    _matrix("linalg.matrix_norm", A)
    A = A if dtype is None else ops.astype(A, as_dtype(dtype).np)  # noqa: N806
    rows, columns = (wrap_dim(d, A._data.ndim) for d in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    x = ops.moveaxis(A, (rows, columns), (-2, -1))
    if ord == "nuc" or abs(ord) == 2:
        values = svdvals(x)
        out = ops.sum(values, -1) if ord == "nuc" else (ops.amax if ord > 0 else ops.amin)(values, -1)
    else:
        sums = ops.sum(ops.absolute(x), -2 if abs(ord) == 1 else -1)
        out = (ops.amax if ord > 0 else ops.amin)(sums, -1)
    return ops.reshape(out, tuple(1 if i in (rows, columns) else n for i, n in enumerate(A._data.shape))) if keepdim else out


def nuclear_norm(input, dim=(-2, -1), keepdim=False):
    """The sum of the singular values: `linalg.matrix_norm` of order "nuc", under its older name."""
    if isinstance(dim, bool):  # nuclear_norm(input, keepdim)
        dim, keepdim = (-2, -1), dim
    return matrix_norm(input, "nuc", dim, keepdim)


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):  # noqa: N803, A002
    """`vector_norm` (ord None: the 2-norm of everything; one dim), or `matrix_norm` (two dims, or a matrix with an ord)."""
    matrix = isinstance(ord, str) or (ord is not None and dim is None and A._data.ndim == 2) or (
        ord is not None and isinstance(dim, (tuple, list)) and len(dim) == 2)
    if matrix:
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def matrix_rank(A, *, tol=None, atol=None, rtol=None, hermitian=False):  # noqa: N803
    """How many singular values are above max(atol, rtol * the largest); rtol is by default the longer side times the type's eps.  int64"""
    _matrix("linalg.matrix_rank", A)
    values = svdvals(A.detach())
    atol = tol if atol is None else atol
    if rtol is None:
        rtol = 0.0 if atol is not None else max(A._data.shape[-2:]) * float(np.finfo(A._data.dtype).eps)
    limit = ops.amax(values, -1, keepdims=True) * rtol
    return ops.sum(values > (limit if atol is None else ops.maximum(limit, ops.full_like(limit, atol))), -1)


def cond(A, p=None):  # noqa: N803
    """The condition number |A| |A^-1| in the matrix norm `p`; by default the ratio of the outermost singular values."""
    _matrix("linalg.cond", A, square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        values = svdvals(A)
        high, low = values[..., 0], values[..., -1]
        return low / high if p == -2 else high / low
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def vecdot(x, y, *, dim=-1):
    """The sum of conj(x) * y along `dim`."""
    return ops.sum((ops.conj(x) if x._data.dtype.kind == "c" else x) * y, wrap_dim(dim, max(x._data.ndim, y._data.ndim)))


def matrix_exp(A):  # noqa: N803
    """The exponential of square matrices."""
    _matrix("linalg.matrix_exp", A, square=True)
    return ops.matrix_exp(A)


def multi_dot(tensors):
    """The product of two or more matrices in the cheapest order; the first and the last may be vectors."""
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, *inner, last = tensors
    row, column = first._data.ndim == 1, last._data.ndim == 1
    out = chain_matmul(ops.expand_dims(first, 0) if row else first, *inner, ops.expand_dims(last, 1) if column else last)
    return ops.unsafe_reshape(out, out._data.shape[int(row):2 - int(column)])


FUNCTIONS = {
    "inverse": inv, "det": det, "slogdet": slogdet, "logdet": logdet, "cholesky": old_cholesky, "cholesky_solve": cholesky_solve,
    "cholesky_inverse": cholesky_inverse, "qr": old_qr, "svd": old_svd, "pinverse": pinverse, "triangular_solve": triangular_solve,
    "matrix_exp": matrix_exp, "nuclear_norm": nuclear_norm,
}
METHODS = {n: f for n, f in FUNCTIONS.items() if n != "nuclear_norm"}
INPLACE = {}

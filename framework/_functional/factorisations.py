"""LU, LDL, Householder and low-rank factorisations in torch's words, and equations of tensors.  Matrices are the last two dimensions."""
import math

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.modes import no_grad
from .._core.tensor import Tensor, wrap
from .._dtypes import of_numpy
from ._results import named
from .creation import tensor
from .matrices import qr, solve, solve_triangular, svd, transposed
from .random import randn

LuFactor, LuFactorEx = (named("linalg_" + name, fields) for name, fields in (
    ("lu_factor", "LU pivots"), ("lu_factor_ex", "LU pivots info")))
Lu, LuUnpack = named("linalg_lu", "P L U"), named("lu_unpack", "P L U")
LdlFactor, LdlFactorEx = (named("linalg_" + name, fields) for name, fields in (
    ("ldl_factor", "LD pivots"), ("ldl_factor_ex", "LD pivots info")))
Geqrf = named("geqrf", "a tau")


def _matrix(name, x, square=False):
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'A' (position 1) must be Tensor, not {type(x).__name__}")
    shape = x._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(shape)} instead")
    if square and shape[-1] != shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices")


def _first_places(found):
    """Where along the last dimension the first True stands, counted from 1; 0 where there is none.  bool (*, n) -> int32 (*)"""
    backend = of_array(found)
    xp = backend.xp
    with backend.on_device_of(found):
        places = xp.where(found.any(-1), found.argmax(-1) + 1, 0) if found.shape[-1] else xp.zeros(found.shape[:-1])
        return backend.asarray(places).astype(np.int32)


# -- LU ----------------------------------------------------------------------------------------------------------------

def lu_factor_ex(A, *, pivot=True, check_errors=False):  # noqa: N803 - torch's name, here and below
    """(LU, pivots, info): as `lu_factor`; info is 0, or the place from 1 of the first zero on the diagonal of U."""
    _matrix("torch.lu_factor", A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    compact, pivots = ops.lu_factor(A)
    diagonal = (ops.diagonal(compact, 0, -2, -1) == 0)._data
    places = _first_places(diagonal)
    if check_errors and bool(wrap(places).any()):
        place = int(places[places != 0][0])
        raise RuntimeError(f"torch.linalg.lu_factor: U[{place},{place}] is zero and using it on lu_solve would result in a division by zero. If you "
                           "still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)")
    return LuFactorEx(compact, pivots, wrap(places))


def lu_factor(A, *, pivot=True):  # noqa: N803
    """(LU, pivots): A = P L U, L (ones on its diagonal) and U in one matrix, P as exchanges of row i and row pivots[i], counted from 1.

    (*, m, n) -> (*, m, n), (*, min(m, n)) int32.  RuntimeError for a U with a zero on its diagonal.
    """
    return LuFactor(*lu_factor_ex(A, pivot=pivot, check_errors=True)[:2])


def lu(A, *, pivot=True):  # noqa: N803
    """(P, L, U) with A = P L U.  (*, m, n) -> (*, m, m), (*, m, k), (*, k, n), k = min(m, n)"""
    return Lu(*lu_unpack(*lu_factor_ex(A, pivot=pivot)[:2]))


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):  # noqa: N803
    """(P, L, U) of what `lu_factor` returned; those not asked for are empty."""
    m, n = LU_data._data.shape[-2:]
    k, nothing = min(m, n), ops.zeros((0,), LU_data.dtype, LU_data.device)
    p = low = up = nothing
    if unpack_pivots:
        if LU_pivots._data.dtype != np.int32:
            raise RuntimeError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype. Note: this function is "
                               "intended to be used with the output produced by torch.linalg.lu_factor")
        p = ops.pivot_matrix(LU_pivots, m, LU_data._data.dtype)
    if unpack_data:
        low = ops.add(ops.tril(LU_data[..., :k], -1), ops.place_diagonal(ops.ones((k,), LU_data.dtype, LU_data.device), (m, k)))
        up = ops.triu(LU_data[..., :k, :])
    return LuUnpack(p, low, up)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False):  # noqa: N803
    """The X with A X = B (left=False: X A = B; adjoint: A^H in place of A), from lu_factor(A)."""
    _matrix("torch.linalg.lu_solve", LU, square=True)
    a, b = LU._data.shape, B._data.shape
    if len(b) < 2 or b[-2 if left else -1] != a[-1]:
        raise RuntimeError(f"linalg.lu_solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
                           f"({a[-2]}x{a[-1]} and {'x'.join(map(str, b[-2:]))})")
    if not left:
        return transposed(lu_solve(LU, pivots, transposed(B), adjoint=not adjoint))
    p, low, up = lu_unpack(LU, pivots)
    if adjoint:
        inner = solve_triangular(transposed(up), B, upper=False)
        return ops.matmul(p, solve_triangular(transposed(low), inner, upper=True, unitriangular=True))
    inner = solve_triangular(low, ops.matmul(transposed(p), B), upper=False, unitriangular=True)
    return solve_triangular(up, inner, upper=True)


def old_lu(A, pivot=True, get_infos=False):  # noqa: N803
    """`linalg.lu_factor` under its older name: (LU, pivots), and with get_infos the infos too."""
    found = lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return found if get_infos else tuple(found[:2])


def old_lu_solve(b, LU_data, LU_pivots):  # noqa: N803
    """`linalg.lu_solve` under its older name and order of arguments."""
    return lu_solve(LU_data, LU_pivots, b)


# -- LDL ---------------------------------------------------------------------------------------------------------------

def ldl_factor_ex(A, *, hermitian=False, check_errors=False):  # noqa: N803
    """(LD, pivots, info): as `ldl_factor`; info is 0, or the place from 1 of the first zero block of D."""
    _matrix("torch.linalg.ldl_factor_ex", A, square=True)
    compact, pivots = ops.ldl_factor(A, bool(hermitian))
    places = _first_places(((ops.diagonal(compact, 0, -2, -1) == 0) & (pivots > 0))._data)
    if check_errors and bool(wrap(places).any()):
        raise RuntimeError(f"torch.linalg.ldl_factor: the block of D at {int(places[places != 0][0])} is zero, so that D is singular")
    return LdlFactorEx(compact, pivots, wrap(places))


def ldl_factor(A, *, hermitian=False):  # noqa: N803
    """(LD, pivots) of symmetric (hermitian: Hermitian) matrices, of which the lower triangle is read; for `ldl_solve`.

    LAPACK's compact form: pivots[i] > 0 stands for a 1 by 1 block of D and an exchange of rows, a negative pair for a 2 by 2 block.
    """
    return LdlFactor(*ldl_factor_ex(A, hermitian=hermitian, check_errors=True)[:2])


def ldl_solve(LD, pivots, B, *, hermitian=False):  # noqa: N803
    """The X with A X = B, from ldl_factor(A).  Differentiable in `B`."""
    _matrix("torch.linalg.ldl_solve", LD, square=True)
    if B._data.ndim < 2 or B._data.shape[-2] != LD._data.shape[-1]:
        raise RuntimeError(f"torch.linalg.ldl_solve: Expected LD.shape[-1] {LD._data.shape[-1]} to equal B.shape[-2], but B is {list(B._data.shape)}")
    with no_grad():
        to_host = of_array(LD._data).to_host
        matrix = _ldl_product(to_host(LD._data), to_host(pivots._data), hermitian)
    return solve(tensor(matrix, device=LD.device), B)


def _ldl_product(compact, pivots, hermitian):
    """The symmetric matrix that was factored, from LAPACK's form.  (*, n, n), (*, n) -> (*, n, n)"""
    n = compact.shape[-1]
    out = np.empty_like(compact)
    for index in np.ndindex(compact.shape[:-2]):
        left, middle, j = np.eye(n, dtype=compact.dtype), np.zeros((n, n), compact.dtype), 0
        while j < n:
            width = 1 if pivots[index][j] > 0 else 2
            end, other = j + width, abs(int(pivots[index][j])) - 1
            swapped, step = np.eye(n, dtype=compact.dtype), np.eye(n, dtype=compact.dtype)
            swapped[[end - 1, other]] = swapped[[other, end - 1]]
            step[end:, j:end] = compact[index][end:, j:end]
            block = np.tril(compact[index][j:end, j:end])
            turned = np.tril(block, -1).T
            middle[j:end, j:end] = block + (turned.conj() if hermitian else turned)
            left, j = left @ swapped @ step, end
        out[index] = left @ middle @ (left.conj().T if hermitian else left.T)
    return out


# -- Householder -------------------------------------------------------------------------------------------------------

def geqrf(input):
    """(a, tau): R on and above the diagonal of `a`; below it the vectors of Householder's reflections, for `householder_product` and `ormqr`."""
    _matrix("torch.geqrf", input)
    return Geqrf(*ops.geqrf(input))


def _reflected(input, tau, target, order):
    """`target` multiplied from the left by the reflections 1 - tau v v^H of `order`; v: 1 and what is below it in a column of `input`."""
    m = input._data.shape[-2]
    for i in order:
        below = ops.tril(input[..., i:i + 1], -i - 1)
        head = tensor(np.eye(m, dtype=input._data.dtype)[:, i:i + 1], device=input.device)
        v = ops.add(below, head)
        factor = ops.expand_dims(tau[..., i:i + 1], -1)
        target = target - factor * ops.matmul(v, ops.matmul(transposed(v), target))
    return target


def householder_product(input, tau):
    """The first n columns of the product of Householder's reflections.  (*, m, n), (*, k) -> (*, m, n), m >= n >= k"""
    _matrix("torch.linalg.householder_product", input)
    m, n = input._data.shape[-2:]
    if m < n:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if n < tau._data.shape[-1]:
        raise RuntimeError("torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    start = tensor(np.broadcast_to(np.eye(m, n, dtype=input._data.dtype), input._data.shape).copy(), device=input.device)
    return _reflected(input, tau, start, reversed(range(tau._data.shape[-1])))


def ormqr(input, tau, other, left=True, transpose=False):
    """Q other (left=False: other Q; transpose: Q^H in place of Q), Q the full product of Householder's reflections from `geqrf`."""
    _matrix("torch.ormqr", input)
    side = -2 if left else -1
    if other._data.shape[side] != input._data.shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if not left:
        return transposed(ormqr(input, tau, transposed(other), True, not transpose))
    k = tau._data.shape[-1]
    return _reflected(input, ops.conj(tau) if transpose and tau._data.dtype.kind == "c" else tau, other,
                      range(k) if transpose else reversed(range(k)))


# -- equations of tensors ----------------------------------------------------------------------------------------------

def tensorinv(A, ind=2):  # noqa: N803
    """The inverse of `A` read as a matrix, its first `ind` dimensions the rows: tensordot(out, A, ind) is the identity."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    shape = A._data.shape
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {columns} != {rows}")
    return ops.reshape(ops.inv(ops.reshape(A, (rows, columns))), shape[ind:] + shape[:ind])


def tensorsolve(A, B, dims=None):  # noqa: N803
    """The X with tensordot(A, X, X.ndim) = B.  dims: dimensions of `A` that are moved to its end first.  A: (*B.shape, *X.shape)"""
    if dims is not None:
        A = ops.moveaxis(A, tuple(dims), tuple(range(A._data.ndim - len(dims), A._data.ndim)))  # noqa: N806
    shape, n = A._data.shape, B._data.ndim
    rows, columns = math.prod(shape[:n]), math.prod(shape[n:])
    if rows != columns:
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got "
                           f"{columns} != {rows}")
    found = solve(ops.reshape(A, (rows, columns)), ops.reshape(B, (rows,)))
    return ops.reshape(found, shape[n:])


# -- low rank ----------------------------------------------------------------------------------------------------------

def svd_lowrank(A, q=6, niter=2, M=None):  # noqa: N803
    """(U, S, V): the `q` largest singular values and vectors, about; V is not transposed.  (*, m, n) -> (*, m, q), (*, q), (*, n, q)

    Halko, Martinsson and Tropp 2009 (arXiv:0909.4061), algorithm 5.1 on the range that algorithm 4.4 finds in `niter` rounds.  M: subtracted from A
    """
    A = A if M is None else A - M  # noqa: N806
    if A._data.shape[-2] < A._data.shape[-1]:
        u, s, v = svd_lowrank(transposed(A), q, niter)
        return v, s, u
    wide = randn(A._data.shape[-1], q, dtype=of_numpy(A._data.dtype), device=A.device)
    base = qr(ops.matmul(A, wide)).Q
    for _ in range(niter):
        base = qr(ops.matmul(transposed(A), base)).Q
        base = qr(ops.matmul(A, base)).Q
    u, s, vh = svd(ops.matmul(transposed(base), A), False)
    return ops.matmul(base, u), s, transposed(vh)


def pca_lowrank(A, q=None, center=True, niter=2):  # noqa: N803
    """`svd_lowrank` of `A` with the mean of each column taken off: its principal components.  q: 6 by default, or the shorter side"""
    m, n = A._data.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    return svd_lowrank(A - ops.mean(A, -2, keepdims=True) if center else A, q, niter)


# -- names that torch took away ----------------------------------------------------------------------------------------

_REMOVED = {"eig": "linalg.eig", "symeig": "linalg.eigh", "solve": "linalg.solve", "lstsq": "linalg.lstsq", "matrix_rank": "linalg.matrix_rank"}


def _removed(name, new):
    def function(*args, **kwargs):
        raise RuntimeError(f"This function was deprecated since version 1.9 and is now removed. Use ringgrad.{new} in place of {name}; mind that "
                           "its arguments and results differ.")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Raises RuntimeError, as in torch: `{new}` took its place."
    return function


_GONE = {name: _removed(name, new) for name, new in _REMOVED.items()}
FUNCTIONS = {
    "lu": old_lu, "lu_solve": old_lu_solve, "lu_unpack": lu_unpack, "geqrf": geqrf, "orgqr": householder_product, "ormqr": ormqr,
    "svd_lowrank": svd_lowrank, "pca_lowrank": pca_lowrank, **_GONE,
}
METHODS = {"lu": old_lu, "lu_solve": old_lu_solve, "geqrf": geqrf, "orgqr": householder_product, "ormqr": ormqr,
           **{n: f for n, f in _GONE.items() if n != "matrix_rank"}}
INPLACE = {}

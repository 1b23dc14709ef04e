"""Samples of LU, LDL and Householder factorisations, of equations of tensors, and of the forms of linalg that report an info."""
import numpy as np

from .sample import Fails, Sample, const, made, randint, randn
from .samples_linalg import BOTH, REAL, h, solid


def lu_by_columns(a):
    """Gaussian elimination of one matrix with the largest number of each column on top: (LU, pivots)."""
    a, pivots = a.copy(), []
    for j in range(min(a.shape)):
        size = np.abs(a[j:, j].real) + np.abs(a[j:, j].imag)
        top = j + int(np.argmax(size))
        a[[j, top]] = a[[top, j]]
        pivots.append(top + 1)
        a[j + 1:, j] /= a[j, j]
        a[j + 1:, j + 1:] -= np.outer(a[j + 1:, j], a[j, j + 1:])
    return a, np.array(pivots, np.int32)


def lu_factor(x):
    found = [lu_by_columns(m) for m in x.reshape(-1, *x.shape[-2:])]
    return np.array([a for a, _ in found]).reshape(x.shape), np.array([p for _, p in found]).reshape(*x.shape[:-2], -1)


def p_l_u(x):
    compact, pivots = lu_factor(x)
    m, n = x.shape
    p = np.eye(m)
    for i, j in enumerate(pivots):
        p[[i, j - 1]] = p[[j - 1, i]]
    k = min(m, n)
    return p.T, np.tril(compact[:, :k], -1) + np.eye(m, k), np.triu(compact[:k])


def unsolved(x, b):
    return np.linalg.solve(x, b)


def with_lu(**kwargs):
    return lambda lib, x, b: lib.linalg.lu_solve(*lib.linalg.lu_factor(x), b, **kwargs)


def symmetric(rng):
    a = rng.standard_normal((5, 5))
    return a + a.T


def ldl_solved(lib, x, b):
    return lib.linalg.ldl_solve(*lib.linalg.ldl_factor((x + x.mT).detach()), b)


def reflections(a, tau):
    """The product of the matrices 1 - tau v v^H, in full."""
    m = a.shape[-2]
    out = np.eye(m, dtype=a.dtype)
    for i in range(tau.shape[-1]):
        v = np.concatenate([np.zeros(i), [1], a[i + 1:, i]])[:, None]
        out = out @ (np.eye(m) - tau[i] * v @ h(v))
    return out


def rebuilt(lib, x):
    """x out of its own QR in compact form."""
    a, tau = lib.geqrf(x.detach())
    k = x.shape[-1]
    return lib.linalg.householder_product(a, tau) @ a[..., :k, :].triu()


SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
LU = [
    *(Sample("linalg.lu_factor", [solid(*shape)], ref=lu_factor, dtypes=BOTH, slack=20, op="lu_factor")
      for shape in ((2, 4, 4), (5, 3), (3, 5))),
    Sample("linalg.lu_factor", [randn(40, 40)], ref=lu_factor, dtypes=("float64",), slack=1e5, grad=False, call=lambda lib, x: lib.linalg.lu_factor(x.detach())),
    Sample("linalg.lu_factor_ex", [const(SINGULAR)], op="lu_factor", dtypes=REAL, grad=False, call=lambda lib, x: lib.linalg.lu_factor_ex(x.detach()),
           ref=lambda x: (np.array([[2, 4], [0.5, 0]]), np.array([2, 2], np.int32), np.array(2, np.int32))),
    Sample("linalg.lu", [randn(4, 4)], op="lu_factor", ref=p_l_u, dtypes=REAL, slack=20),
    Sample("linalg.lu", [randn(3, 5)], op="pivot_matrix", ref=p_l_u, dtypes=REAL, slack=20),
    Sample("lu", [randn(4, 4)], op="lu_factor", ref=lu_factor, dtypes=("float64",), slack=20),
    Sample("lu_unpack", [randn(4, 4)], op="lu_factor", ref=lambda x: p_l_u(x)[1:], dtypes=("float64",), slack=20,
           call=lambda lib, x: lib.lu_unpack(*lib.linalg.lu_factor(x), unpack_pivots=False)[1:]),
    Sample("linalg.lu_solve", [solid(2, 3, 3), randn(2, 3, 2)], op="solve", ref=unsolved, call=with_lu(), dtypes=BOTH, slack=20),
    Sample("linalg.lu_solve", [solid(3, 3), randn(3, 2)], op="solve", ref=lambda x, b: unsolved(h(x), b), call=with_lu(adjoint=True), dtypes=BOTH, slack=20),
    Sample("linalg.lu_solve", [solid(3, 3), randn(2, 3)], op="solve", ref=lambda x, b: h(unsolved(h(x), h(b))), call=with_lu(left=False), dtypes=BOTH,
           slack=20),
    Sample("lu_solve", [randn(3, 2), solid(3, 3)], op="solve", ref=lambda b, x: unsolved(x, b), dtypes=("float64",), slack=20,
           call=lambda lib, b, x: b.lu_solve(*lib.linalg.lu_factor(x))),
]

LDL = [
    Sample("linalg.ldl_factor", [made(symmetric)], op="ldl_factor", dtypes=("float64",), grad=False, slack=20, call=lambda lib, x: lib.linalg.ldl_solve(
        *lib.linalg.ldl_factor(x.detach()), x.detach()), ref=lambda x: np.eye(5)),
    Sample("linalg.ldl_factor", [made(symmetric)], op=None, dtypes=("float64",), grad=False, slack=20,
           call=lambda lib, x: lib.linalg.ldl_factor_ex(x.detach()), ref=None),
    Sample("linalg.ldl_solve", [made(symmetric), randn(5, 2)], op="solve", dtypes=REAL, grad=(1,), slack=20, call=ldl_solved,
           ref=lambda x, b: np.linalg.solve(x + x.T, b)),
]

HOUSEHOLDER = [
    Sample("geqrf", [randn(4, 3)], dtypes=BOTH, grad=False, slack=8, call=rebuilt, ref=lambda x: x),
    Sample("geqrf", [randn(2, 4, 3)], dtypes=BOTH, grad=False, slack=8, op=None, call=lambda lib, x: lib.geqrf(x.detach())),
    Sample("linalg.householder_product", [randn(5, 3), randn(3)], op="matmul", dtypes=BOTH, slack=20, ref=lambda a, tau: reflections(a, tau)[:, :3]),
    Sample("orgqr", [randn(4, 3), randn(2)], op="matmul", dtypes=("float64",), slack=20, ref=lambda a, tau: reflections(a, tau)[:, :3]),
    Sample("ormqr", [randn(4, 3), randn(3), randn(4, 2)], op="matmul", dtypes=("float64",), grad=(2,), slack=20, ref=lambda a, tau, x: reflections(a, tau) @ x,
           order2="torch has none for the first two"),
]

INFOS = [
    Sample("linalg.inv_ex", [solid(2, 3, 3)], op="inv", dtypes=BOTH, slack=8, ref=lambda x: (np.linalg.inv(x), np.zeros(2, np.int32))),
    Sample("linalg.inv_ex", [const([SINGULAR, np.eye(2)])], op="inv", dtypes=REAL, grad=False, call=lambda lib, x: lib.linalg.inv_ex(x.detach()).info,
           ref=lambda x: np.array([2, 0], np.int32), gives="int32"),
    Sample("linalg.inv_ex", [const([SINGULAR, np.eye(2)])], op="inv", dtypes=REAL, grad=False, call=lambda lib, x: lib.linalg.inv_ex(x.detach()).inverse[1],
           ref=lambda x: np.eye(2)),
    Sample("linalg.solve_ex", [solid(3, 3), randn(3)], op="solve", dtypes=BOTH, slack=8, ref=lambda x, b: (np.linalg.solve(x, b), np.array(0, np.int32))),
    Sample("linalg.solve_ex", [const(SINGULAR), const([1.0, 2.0])], op="solve", dtypes=REAL, grad=False,
           call=lambda lib, x, b: lib.linalg.solve_ex(x.detach(), b.detach()).info, ref=lambda x, b: np.array(2, np.int32), gives="int32"),
    Sample("linalg.cholesky_ex", [const([[[4.0, 2.0], [2.0, 3.0]], [[4.0, 2.0], [2.0, -3.0]]])], op="cholesky", dtypes=REAL, grad=False,
           call=lambda lib, x: lib.linalg.cholesky_ex(x.detach()).info, ref=lambda x: np.array([0, 2], np.int32), gives="int32"),
]

TENSORS = [
    Sample("linalg.tensorinv", [made(lambda rng: (rng.standard_normal((6, 6)) + 4 * np.eye(6)).reshape(2, 3, 6))], dict(ind=2), op="inv", dtypes=BOTH,
           ref=np.linalg.tensorinv, slack=8),
    Sample("linalg.tensorsolve", [made(lambda rng: (rng.standard_normal((6, 6)) + 4 * np.eye(6)).reshape(2, 3, 6)), randn(2, 3)], op="solve", dtypes=BOTH,
           ref=np.linalg.tensorsolve, slack=8),
    Sample("linalg.tensorsolve", [made(lambda rng: (rng.standard_normal((6, 6)) + 4 * np.eye(6)).reshape(2, 6, 3)), randn(2, 3)], dict(dims=(1,)),
           op="solve", dtypes=("float64",), ref=lambda x, b: np.linalg.tensorsolve(x, b, (1,)), slack=8),
    Sample("svd_lowrank", [made(lambda rng: np.outer(rng.standard_normal(5), rng.standard_normal(4)))], op="svd", dtypes=("float64",), grad=False,
           random=True, call=lambda lib, x: rank_one(lib.svd_lowrank(x.detach(), q=2)),
           check=lambda out, x: np.testing.assert_allclose(out, x, atol=1e-10)),
    Sample("pca_lowrank", [randn(6, 3)], op="svd", dtypes=("float64",), grad=False, random=True,
           call=lambda lib, x: rank_one(lib.pca_lowrank(x.detach(), q=3)),
           check=lambda out, x: np.testing.assert_allclose(out, x - x.mean(0), atol=1e-10)),
]


def rank_one(factors):
    """The matrix that the factors are of."""
    u, s, v = factors
    return u * s @ v.mT


REFUSED = [
    Fails("linalg.lu_factor", [const(SINGULAR)], says=r"U\[2,2\] is zero"),
    Fails("linalg.lu_factor", [randn(3)], says="2 or more dimensions"),
    Fails("linalg.lu_factor", [randint(1, 9, 3, 3)], error=NotImplementedError, says="not implemented for"),
    Fails("linalg.lu", [randn(3, 3)], dict(pivot=False), says="without pivoting is not implemented on the CPU"),
    Fails("linalg.lu_solve", [randn(3, 3), const([1, 2, 3], "int32"), randn(4, 1)], says="Incompatible shapes"),
    Fails("linalg.ldl_factor", [randn(3, 4)], says="square matrices"),
    Fails("linalg.householder_product", [randn(3, 2), randn(3)], says="greater than or equal to tau.shape"),
    Fails("linalg.tensorinv", [randn(2, 3)], says="Expected self to satisfy"),
    Fails("linalg.tensorsolve", [randn(2, 3), randn(2)], says="Expected self to satisfy"),
    Fails("ormqr", [randn(3, 3), randn(3), randn(4, 4)], says="must be equal to input.shape"),
    Fails("eig", [randn(3, 3)], says="now removed"), Fails("Tensor.solve", [randn(3, 3), randn(3, 3)], says="now removed"),
    Fails("pca_lowrank", [randn(3, 3)], dict(q=9), error=ValueError, says="not greater than min"),
]

SAMPLES = [*LU, *LDL, *HOUSEHOLDER, *INFOS, *TENSORS, *REFUSED]

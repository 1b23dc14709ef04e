"""Samples of linear algebra.  Matrices are made well-conditioned by adding to the diagonal; vectors are looked at through their squares."""
import numpy as np

from .sample import Fails, Sample, const, made, randn

BOTH = ("float32", "float64", "complex128")
REAL = ("float32", "float64")


def solid(*shape):
    """Matrices far from singular, with distinct eigenvalues."""
    n = shape[-1]
    return made(lambda rng: rng.standard_normal(shape) * 0.5 + np.eye(shape[-2], n) * (np.arange(n) * 1.5 + 2), f"solid{shape}")


def own(x):
    """A Hermitian positive definite matrix out of any, in either library."""
    return x @ x.mT.conj() + 0


def hermitian(x):
    """The same in NumPy."""
    return x @ np.conj(np.swapaxes(x, -1, -2))


def h(x):
    return np.conj(np.swapaxes(x, -1, -2))


def square(x):
    """|x|^2, which no sign or phase of a vector changes."""
    return (x * x.conj()).real


def factored(lib, x):
    """Smooth functions of all three factors of a singular value decomposition."""
    u, s, vh = lib.linalg.svd(x, full_matrices=False)
    return square(u), s, square(vh)


def factored_by_numpy(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return square(u), s, square(vh)


def spectrum(lib, x):
    values, vectors = lib.linalg.eigh(own(x))
    return values, square(vectors)


def spectrum_by_numpy(x):
    values, vectors = np.linalg.eigh(hermitian(x))
    return values, square(vectors)


def turning(lib, x):
    """Eigenvalues of a general matrix in the order of their real parts, with the vectors' squares."""
    values, vectors = lib.linalg.eig(x)
    at = [int(i) for i in np.argsort(values.detach().cpu().numpy().real)]
    return values[at], square(vectors)[:, at]


def turning_by_numpy(x):
    values, vectors = np.linalg.eig(x)
    at = np.argsort(values.real)
    return values[at].astype(complex), square(vectors)[:, at]


def phi(x, k=20):
    """The exponential's series."""
    term = out = np.eye(x.shape[-1])
    for i in range(1, k * 2):
        term = term @ x / i
        out = out + term
    return out


INVERSES = [
    Sample("linalg.inv", [solid(2, 3, 3)], ref=np.linalg.inv, dtypes=BOTH, slack=20),
    Sample("inverse", [solid(3, 3)], op="inv", ref=np.linalg.inv, dtypes=REAL, slack=20),
    Sample("linalg.inv_ex", [solid(3, 3)], op="inv", ref=lambda x: (np.linalg.inv(x), np.int32(0)), dtypes=REAL, slack=20),
    Sample("linalg.solve", [solid(2, 3, 3), randn(2, 3, 4)], ref=np.linalg.solve, dtypes=BOTH, slack=20),
    Sample("linalg.solve", [solid(3, 3), randn(3)], ref=np.linalg.solve, dtypes=REAL, slack=20, view=False,
           call=lambda lib, a, b: lib.linalg.solve(a, b).clone()),
    Sample("linalg.solve", [solid(3, 3), randn(4, 3)], dict(left=False), ref=lambda a, b: b @ np.linalg.inv(a), dtypes=REAL, slack=20,
           call=lambda lib, a, b, left: lib.linalg.solve(a, b, left=left).clone()),
    Sample("linalg.solve_triangular", [solid(3, 3), randn(3, 2)], dict(upper=True), op="solve", dtypes=REAL, slack=20,
           ref=lambda a, b: np.linalg.solve(np.triu(a), b)),
    Sample("linalg.solve_triangular", [solid(3, 3), randn(3, 2)], dict(upper=False, unitriangular=True), op="solve", dtypes=REAL, slack=20,
           ref=lambda a, b: np.linalg.solve(np.tril(a, -1) + np.eye(3), b)),
    Sample("cholesky_solve", [randn(3, 2), solid(3, 3)], op="solve", dtypes=REAL, slack=40, call=lambda lib, b, a: lib.cholesky_solve(b, a.tril()),
           ref=lambda b, a: np.linalg.solve(hermitian(np.tril(a)), b)),
    Sample("linalg.lstsq", [solid(5, 3), randn(5, 2)], op="pinv", dtypes=REAL, slack=40, grad=(0, 1), order2="torch has none",
           call=lambda lib, a, b: lib.linalg.lstsq(a, b).solution, ref=lambda a, b: np.linalg.lstsq(a, b)[0]),
    Sample("linalg.lstsq", [solid(5, 3), randn(5, 2)], op="pinv", dtypes=REAL, slack=40, grad=False, ref=lambda a, b: (*np.linalg.lstsq(a, b)[1:3], np.zeros(0)),
           call=lambda lib, a, b: [*lib.linalg.lstsq(a.detach(), b.detach(), driver="gelsd")[1:3], lib.linalg.lstsq(a.detach(), b.detach()).residuals]),
    Sample("linalg.pinv", [solid(5, 3)], ref=np.linalg.pinv, dtypes=BOTH, slack=40),
    Sample("linalg.pinv", [solid(3, 4)], ref=np.linalg.pinv, dtypes=BOTH, slack=40),
    Sample("matrix_power", [solid(3, 3), -2], op="inv", ref=np.linalg.matrix_power, dtypes=REAL, slack=40),
]

DETERMINANTS = [
    Sample("linalg.det", [solid(2, 3, 3)], ref=np.linalg.det, dtypes=BOTH, slack=20),
    Sample("linalg.det", [const([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])], ref=np.linalg.det, dtypes=REAL, slack=20,
           torch="its gradient at an exactly singular matrix is the adjugate or zeros, as its LAPACK rounds"),
    Sample("linalg.det", [made(lambda rng: np.vstack([a := rng.standard_normal((2, 3)), a.sum(0)]), "rank 2")], ref=np.linalg.det, dtypes=REAL, slack=20),
    Sample("det", [solid(3, 3)], ref=np.linalg.det, dtypes=REAL, slack=20),
    Sample("linalg.slogdet", [solid(2, 3, 3)], ref=lambda x: tuple(np.linalg.slogdet(x)), dtypes=BOTH, slack=20),
    Sample("logdet", [solid(3, 3)], op="slogdet", ref=lambda x: np.log(np.linalg.det(x)), dtypes=REAL, slack=20),
]

FACTORS = [
    Sample("linalg.cholesky", [solid(2, 3, 3)], ref=lambda x: np.linalg.cholesky(hermitian(x)), dtypes=BOTH, slack=40,
           call=lambda lib, x: lib.linalg.cholesky(own(x))),
    Sample("cholesky", [solid(3, 3)], dict(upper=True), ref=lambda x: h(np.linalg.cholesky(hermitian(x))), dtypes=REAL, slack=40,
           call=lambda lib, x, upper: lib.cholesky(own(x), upper=upper) + 0),
    Sample("linalg.qr", [solid(5, 3)], ref=lambda x: tuple(np.linalg.qr(x)), dtypes=BOTH, slack=40),
    Sample("linalg.qr", [solid(3, 5)], ref=lambda x: tuple(np.linalg.qr(x)), dtypes=REAL, slack=40),
    Sample("qr", [solid(3, 3)], ref=lambda x: tuple(np.linalg.qr(x)), dtypes=REAL, slack=40),
    Sample("linalg.svd", [solid(4, 3)], ref=factored_by_numpy, dtypes=REAL, slack=100, call=factored),
    Sample("linalg.svd", [solid(4, 3)], ref=factored_by_numpy, dtypes=("complex128",), gives="float64", slack=100, call=factored),
    Sample("linalg.svd", [solid(3, 4)], ref=factored_by_numpy, dtypes=REAL, slack=100, call=factored),
    Sample("svd", [solid(4, 3)], ref=lambda x: np.linalg.svd(x)[1], dtypes=REAL, slack=40, call=lambda lib, x: lib.svd(x)[1]),
    Sample("linalg.svdvals", [solid(2, 4, 3)], ref=lambda x: np.linalg.svd(x, compute_uv=False), dtypes=BOTH, gives="same", slack=40,
           call=lambda lib, x: lib.linalg.svdvals(x) + 0 * x.flatten()[0]),
    Sample("linalg.eigh", [solid(3, 3)], ref=spectrum_by_numpy, dtypes=REAL, slack=100, call=spectrum),
    Sample("linalg.eigh", [solid(3, 3)], ref=spectrum_by_numpy, dtypes=("complex128",), gives="float64", slack=100, call=spectrum),
    Sample("linalg.eigvalsh", [solid(3, 3)], ref=lambda x: np.linalg.eigvalsh(hermitian(x)), dtypes=REAL, slack=100,
           call=lambda lib, x: lib.linalg.eigvalsh(own(x))),
    Sample("linalg.eig", [solid(3, 3)], ref=turning_by_numpy, dtypes=("float64", "complex128"), gives="complex128", slack=100, call=turning),
    Sample("linalg.eigvals", [solid(3, 3)], ref=lambda x: np.sum(np.linalg.eigvals(x) ** 3), dtypes=("float64", "complex128"), gives="complex128", slack=100,
           call=lambda lib, x: (lib.linalg.eigvals(x) ** 3).sum()),
    Sample("linalg.matrix_exp", [randn(2, 3, 3)], ref=phi, dtypes=BOTH, slack=40),
]

NORMS = [
    *[Sample("linalg.matrix_norm", [solid(2, 4, 3), p], op="vector_norm" if p == "fro" else "svdvals" if p in ("nuc", 2, -2) else "sum", dtypes=REAL,
             slack=20, ref=lambda x, p: np.linalg.norm(x, p, axis=(-2, -1))) for p in ("fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)],
    Sample("linalg.norm", [randn(3, 4)], op="vector_norm", ref=np.linalg.norm, dtypes=REAL, slack=4),
    Sample("linalg.norm", [randn(3, 4), 1], dict(dim=1, keepdim=True), op="vector_norm", dtypes=REAL, slack=4,
           ref=lambda x, p: np.linalg.norm(x, p, axis=1, keepdims=True)),
    Sample("linalg.vector_norm", [randn(3, 4), 3], ref=lambda x, p: (np.abs(x) ** 3).sum() ** (1 / 3), dtypes=REAL, slack=4),
    Sample("linalg.cond", [solid(3, 3)], op="svdvals", ref=np.linalg.cond, dtypes=REAL, slack=40),
    Sample("linalg.cond", [solid(3, 3), 1], op="inv", ref=lambda x, p: np.linalg.cond(x, p), dtypes=REAL, slack=40, torch="its own gradient fails"),
    Sample("linalg.matrix_rank", [solid(4, 3)], op="svdvals", ref=np.linalg.matrix_rank, dtypes=REAL, gives="int64", grad=False),
    Sample("linalg.multi_dot", [[randn(2, 3), randn(3, 4), randn(4)]], op="matmul", ref=np.linalg.multi_dot, dtypes=REAL, slack=4, view=False),
    Sample("linalg.vecdot", [randn(3, 4), randn(3, 4)], op="sum", ref=lambda x, y: (x.conj() * y).sum(-1), dtypes=BOTH, slack=4),
    Sample("linalg.cross", [randn(4, 3), randn(4, 3)], op="roll", ref=np.cross, dtypes=REAL, slack=4),
]

REFUSED = [
    Fails("linalg.inv", [randn(2, 3)], says="square matrices"),
    Fails("linalg.solve", [randn(3, 3), randn(4, 2)], says="Incompatible shapes"),
    Fails("linalg.det", [randn(3)], says="at least 2 dimensions"),
    Fails("linalg.matrix_norm", [randn(3, 3), 5], says="Order 5 not supported"),
    Fails("linalg.qr", [randn(3, 3), "full"], says="unrecognized mode"),
    Fails("linalg.lstsq", [randn(3, 2), randn(4, 1)], says="should match"),
]

SAMPLES = [*INVERSES, *DETERMINANTS, *FACTORS, *NORMS, *REFUSED]

"""cuSOLVER by LAPACK: the factorisations that CuPy asks of it, column-major.  compute: whether to; `info` says success otherwise."""
import numpy as np
from scipy import linalg
from scipy.linalg import get_lapack_funcs

from .views import BY_NUMBER, TYPES, lead, matrix, pointers, succeeds, view

REAL = {"S": np.float32, "D": np.float64, "C": np.float32, "Z": np.float64}
WORK = 64  # elements of workspace that nobody uses


def integer(address):
    return view(address, (1,), np.int32)


def install(shell, compute, host):
    """Lead a shell of libcusolver here."""
    succeeds(shell, [f"cusolver{name}" for name in ("DnDestroy", "SpDestroy", "DnDestroyParams", "DnDestroyGesvdjInfo", "DnDestroySyevjInfo",
                                                    "DnSetStream", "SpSetStream")], host)

    def asks(name, letters, place=-1):
        """A question for the size of a workspace, which is written to the argument at `place`."""
        lead(shell, f"cusolverDn{name}_bufferSize", letters, lambda *a: integer(a[place]).fill(WORK))

    def does(name, letters, function, info=-1):
        """Work whose success is written to the argument at `info`."""
        def work(*arguments):
            integer(arguments[info])[0] = (function(*arguments) or 0) if compute else 0
        lead(shell, f"cusolverDn{name}", letters, work)

    def handle(out):
        view(out, (1,), np.uint64)[0] = 4096

    for name in ("DnCreate", "SpCreate", "DnCreateParams", "DnCreateGesvdjInfo", "DnCreateSyevjInfo"):
        lead(shell, f"cusolver{name}", "p", handle)
    lead(shell, "cusolverGetProperty", "ip", lambda which, out: integer(out).fill((12, 0, 0)[which]))
    for letter, dtype in TYPES.items():
        factorisations(asks, does, letter, dtype)
        orthogonal(asks, does, letter, dtype)
        spectra(asks, does, letter, dtype)
    general_spectra(shell, does)


def factorisations(asks, does, letter, dtype):
    """Cholesky and LU, and what they solve."""
    potrf, potrs, getrf, getrs = get_lapack_funcs(("potrf", "potrs", "getrf", "getrs"), dtype=dtype)

    def cholesky(h, fill, n, a, lda, *_):
        at = matrix(a, n, n, lda, dtype)
        at[...], info = potrf(at, lower=fill == 0, clean=0)
        return info

    def cholesky_solve(h, fill, n, count, a, lda, b, ldb, info):
        out = matrix(b, n, count, ldb, dtype)
        out[...], info = potrs(matrix(a, n, n, lda, dtype), out, lower=fill == 0)
        return info

    def lu(h, m, n, a, lda, work, pivots, info):
        at = matrix(a, m, n, lda, dtype)
        at[...], places, info = getrf(at)
        if pivots:
            view(pivots, (min(m, n),), np.int32)[...] = places + 1
        return info

    def lu_solve(h, turn, n, count, a, lda, pivots, b, ldb, info):
        out = matrix(b, n, count, ldb, dtype)
        out[...], info = getrs(matrix(a, n, n, lda, dtype), view(pivots, (n,), np.int32) - 1, out, trans=turn)
        return info

    def cholesky_batched(h, fill, n, a, lda, infos, count):
        found = view(infos, (count,), np.int32)
        for i, one in enumerate(pointers(a, count)):
            found[i] = cholesky(h, fill, n, one, lda)
        return found[0] if count else 0

    asks(f"{letter}potrf", "piipip")
    does(f"{letter}potrf", "piipipip", cholesky)
    does(f"{letter}potrs", "piiipipip", cholesky_solve)
    does(f"{letter}potrfBatched", "piipipi", cholesky_batched, -2)
    asks(f"{letter}getrf", "piipip")
    does(f"{letter}getrf", "piipippp", lu)
    does(f"{letter}getrs", "piiipippip", lu_solve)


def orthogonal(asks, does, letter, dtype):
    """QR: reflections, the matrix they make, products with it."""
    word = "or" if letter in "SD" else "un"
    geqrf, orgqr, ormqr = get_lapack_funcs(("geqrf", f"{word}gqr", f"{word}mqr"), dtype=dtype)

    def factor(h, m, n, a, lda, tau, *_):
        at = matrix(a, m, n, lda, dtype)
        at[...], found, _, info = geqrf(at)
        view(tau, found.shape, dtype)[...] = found
        return info

    def make(h, m, n, k, a, lda, tau, *_):
        at = matrix(a, m, n, lda, dtype)
        at[...], _, info = orgqr(at, view(tau, (k,), dtype))
        return info

    def multiply(h, side, turn, m, n, k, a, lda, tau, c, ldc, *_):
        out = matrix(c, m, n, ldc, dtype)
        reflections = matrix(a, m if side == 0 else n, k, lda, dtype), view(tau, (k,), dtype)
        out[...], _, info = ormqr("LR"[side], "NTC"[turn], *reflections, out, WORK * max(m, n, 1))
        return info

    asks(f"{letter}geqrf", "piipip")
    does(f"{letter}geqrf", "piipippip", factor)
    asks(f"{letter}{word}gqr", "piiipipp")
    does(f"{letter}{word}gqr", "piiipippip", make)
    asks(f"{letter}{word}mqr", "piiiiipippip")
    does(f"{letter}{word}mqr", "piiiiipippipip", multiply)


def spectra(asks, does, letter, dtype):
    """Singular values, and eigenvalues of symmetric and Hermitian matrices."""
    word = "sy" if letter in "SD" else "he"

    def svd(h, job_u, job_v, m, n, a, lda, s, u, ldu, v, ldv, *_):
        if m < n:
            raise ValueError("cusolverDnXgesvd takes no matrix that is wider than high")
        full = job_u == b"A"
        found = linalg.svd(matrix(a, m, n, lda, dtype), full_matrices=full)
        view(s, (n,), REAL[letter])[...] = found[1]
        if job_u != b"N":
            matrix(u, *found[0].shape, ldu, dtype)[...] = found[0]
        if job_v != b"N":
            matrix(v, *found[2].shape, ldv, dtype)[...] = found[2]

    def jacobi(h, vectors, econ, m, n, a, lda, s, u, ldu, v, ldv, *_):
        found = linalg.svd(matrix(a, m, n, lda, dtype), full_matrices=not econ)
        view(s, (min(m, n),), REAL[letter])[...] = found[1]
        if vectors:
            matrix(u, *found[0].shape, ldu, dtype)[...] = found[0]
            matrix(v, *found[2].T.shape, ldv, dtype)[...] = found[2].conj().T

    def batched(h, vectors, m, n, a, lda, s, u, ldu, v, ldv, work, size, info, parameters, count):
        infos, least, item = view(info, (count,), np.int32), min(m, n), np.dtype(dtype).itemsize
        for i in range(count):
            jacobi(h, vectors, 0, m, n, a + i * lda * n * item, lda, s + i * least * np.dtype(REAL[letter]).itemsize,
                   u + i * ldu * m * item if u else 0, ldu, v + i * ldv * n * item if v else 0, ldv)
            infos[i] = 0

    def approximate(h, vectors, rank, m, n, a, lda, step_a, s, step_s, u, ldu, step_u, v, ldv, step_v, work, size, info, residual, count):
        infos, item = view(info, (count,), np.int32), np.dtype(dtype).itemsize
        for i in range(count):
            jacobi(h, vectors, 1, m, n, a + i * step_a * item, lda, s + i * step_s * np.dtype(REAL[letter]).itemsize,
                   u + i * step_u * item if u else 0, ldu, v + i * step_v * item if v else 0, ldv)
            infos[i] = 0

    asks(f"{letter}gesvd", "piip")
    does(f"{letter}gesvd", "pcciipippipipipp", svd)
    asks(f"{letter}gesvdj", "piiiipippipipp", -2)
    does(f"{letter}gesvdj", "piiiipippipipipp", jacobi, -2)
    asks(f"{letter}gesvdjBatched", "piiipippipippi", -3)
    does(f"{letter}gesvdjBatched", "piiipippipipippi", batched, -3)
    asks(f"{letter}gesvdaStridedBatched", "piiiipilplpilpilpi", -2)
    does(f"{letter}gesvdaStridedBatched", "piiiipilplpilpilpippi", approximate, -3)
    asks(f"{letter}{word}evd", "piiipipp")
    does(f"{letter}{word}evd", "piiipippip",
         lambda h, vectors, fill, n, a, lda, w, *_: symmetric(vectors, fill, n, a, lda, w, dtype, REAL[letter]))


def symmetric(vectors, fill, n, a, lda, w, dtype, real):
    """Eigenvalues in order, and vectors in the place of the matrix."""
    at = matrix(a, n, n, lda, dtype)
    found = linalg.eigh(at, lower=fill == 0, eigvals_only=not vectors)
    view(w, (n,), real)[...] = found[0] if vectors else found
    if vectors:
        at[...] = found[1]


def general_spectra(shell, does):
    """The functions that are told types by numbers."""
    def sizes(*arguments):
        for place in (-2, -1):
            view(arguments[place], (1,), np.uint64)[0] = WORK

    def syevd(h, parameters, vectors, fill, n, kind, a, lda, kind_w, w, *_):
        symmetric(vectors, fill, n, a, lda, w, BY_NUMBER[kind], BY_NUMBER[kind_w])

    lead(shell, "cusolverDnXsyevd_bufferSize", "ppiilipl" + "ipipp", sizes)
    does("Xsyevd", "ppiilipl" + "ipi" + "plplp", syevd)

"""cuBLAS by NumPy: what CuPy asks of it, column-major as it is there.  compute: whether to; otherwise nothing is written."""
import ctypes

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from .views import BY_NUMBER, TYPES, lead, matrix, pointers, scalar, succeeds, view

TURN = {0: lambda a: a, 1: lambda a: a.T, 2: lambda a: a.conj().T}


def product(turn_a, turn_b, m, n, k, alpha, a, b, beta, c):
    """c = alpha a b + beta c; a and b are (address, leading, type), halves summed in float32."""
    def operand(turn, rows, columns, address, leading, dtype):
        rows, columns = (rows, columns) if turn == 0 else (columns, rows)
        return wide(TURN[turn](matrix(address, rows, columns, leading, dtype)))
    address, leading, dtype = c
    out = matrix(address, m, n, leading, dtype)
    found = alpha * (operand(turn_a, m, k, *a) @ operand(turn_b, k, n, *b))
    out[...] = (found if beta == 0 else found + beta * wide(out)).astype(dtype)


def wide(a):
    return a.astype(np.float32) if a.dtype.itemsize < 4 else a


def scale_type(compute):
    """The type of alpha and beta by cublasComputeType_t."""
    return np.float64 if compute in (70, 71) else np.float16 if compute in (64, 65) else np.float32


def install(shell, compute, host):
    """Lead a shell of libcublas here."""
    modes = {}
    succeeds(shell, ("cublasDestroy_v2", "cublasSetStream_v2", "cublasSetMathMode"), host)

    def create(out):
        view(out, (1,), np.uint64)[0] = 4096 + len(modes)

    def get_mode(handle, out):
        view(out, (1,), np.int32)[0] = modes.get(handle, 0)

    for name, letters, function in (
            ("cublasCreate_v2", "p", create), ("cublasGetMathMode", "pp", lambda h, out: view(out, (1,), np.int32).fill(0)),
            ("cublasSetPointerMode_v2", "pi", modes.__setitem__), ("cublasGetPointerMode_v2", "pp", get_mode),
            ("cublasGetVersion_v2", "pp", lambda h, out: view(out, (1,), np.int32).fill(130000))):
        lead(shell, name, letters, function)

    def leads(name, letters, function):
        lead(shell, name, letters, function if compute else lambda *arguments: None)

    for letter, dtype in TYPES.items():
        of_a_type(leads, letter, dtype)

    def gemm_ex(h, ta, tb, m, n, k, alpha, a, ka, lda, b, kb, ldb, beta, c, kc, ldc, how, algorithm):
        kind = np.result_type(scale_type(how), BY_NUMBER[kc]) if kc in (4, 5) else scale_type(how)
        product(ta, tb, m, n, k, scalar(alpha, kind), (a, lda, BY_NUMBER[ka]), (b, ldb, BY_NUMBER[kb]), scalar(beta, kind), (c, ldc, BY_NUMBER[kc]))

    def sgemm_ex(h, ta, tb, m, n, k, alpha, a, ka, lda, b, kb, ldb, beta, c, kc, ldc):
        gemm_ex(h, ta, tb, m, n, k, alpha, a, ka, lda, b, kb, ldb, beta, c, kc, ldc, 68, 0)

    def gemm_strided(h, ta, tb, m, n, k, alpha, a, ka, lda, step_a, b, kb, ldb, step_b, beta, c, kc, ldc, step_c, count, how, algorithm):
        sizes = [np.dtype(BY_NUMBER[kind]).itemsize for kind in (ka, kb, kc)]
        for i in range(count):
            at = [x + i * step * size for x, step, size in zip((a, b, c), (step_a, step_b, step_c), sizes)]
            gemm_ex(h, ta, tb, m, n, k, alpha, at[0], ka, lda, at[1], kb, ldb, beta, at[2], kc, ldc, how, algorithm)

    leads("cublasGemmEx", "piiiiippiipiippiiii", gemm_ex)
    leads("cublasSgemmEx", "piiiiippiipiippii", sgemm_ex)
    leads("cublasGemmStridedBatchedEx", "piiiiippiilpiilppiiliii", gemm_strided)


def of_a_type(leads, letter, dtype):
    """The functions that each type has, float32, float64 and the two complex ones."""
    def gemm(h, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        product(ta, tb, m, n, k, scalar(alpha, dtype), (a, lda, dtype), (b, ldb, dtype), scalar(beta, dtype), (c, ldc, dtype))

    def gemm_batched(h, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count):
        for one in zip(*(pointers(x, count) for x in (a, b, c))):
            gemm(h, ta, tb, m, n, k, alpha, one[0], lda, one[1], ldb, beta, one[2], ldc)

    def dot(h, n, x, step_x, y, step_y, out, conjugate=False):
        x, y = view(x, (n,), dtype, (step_x,)), view(y, (n,), dtype, (step_y,))
        view(out, (1,), dtype)[0] = (x.conj() if conjugate else x) @ y

    def trsm(h, side, fill, turn, unit, m, n, alpha, a, lda, b, ldb):
        size = m if side == 0 else n
        a, out = matrix(a, size, size, lda, dtype), matrix(b, m, n, ldb, dtype)
        right = scalar(alpha, dtype) * (out if side == 0 else out.T)
        if side == 0:
            out[...] = solve_triangular(a, right, trans=turn, lower=fill == 0, unit_diagonal=unit == 1)
        else:  # x op(a) = b: op(a)^T x^T = b^T
            out[...] = solve_triangular(TURN[turn](a).T, right, lower=(fill == 0) == (turn != 0), unit_diagonal=unit == 1).T

    def trsm_batched(h, side, fill, turn, unit, m, n, alpha, a, lda, b, ldb, count):
        for one_a, one_b in zip(pointers(a, count), pointers(b, count)):
            trsm(h, side, fill, turn, unit, m, n, alpha, one_a, lda, one_b, ldb)

    def getrf_batched(h, n, a, lda, pivots, info, count):
        places, infos = view(pivots, (count, n), np.int32), view(info, (count,), np.int32)
        for i, one in enumerate(pointers(a, count)):
            at = matrix(one, n, n, lda, dtype)
            at[...], places[i], infos[i] = _from_one(get_lapack_funcs("getrf", dtype=dtype)(at))

    def getri_batched(h, n, a, lda, pivots, c, ldc, info, count):
        infos = view(info, (count,), np.int32)
        for i, (one, out) in enumerate(zip(pointers(a, count), pointers(c, count))):
            places = view(pivots, (count, n), np.int32)[i] - 1
            found, infos[i] = get_lapack_funcs("getri", dtype=dtype)(matrix(one, n, n, lda, dtype), places)
            matrix(out, n, n, ldc, dtype)[...] = found

    def getrs_batched(h, turn, n, count_b, a, lda, pivots, b, ldb, info, count):
        ctypes.c_int.from_address(info).value = 0  # on the host
        for i, (one, right) in enumerate(zip(pointers(a, count), pointers(b, count))):
            out = matrix(right, n, count_b, ldb, dtype)
            places = view(pivots, (count, n), np.int32)[i] - 1
            out[...] = get_lapack_funcs("getrs", dtype=dtype)(matrix(one, n, n, lda, dtype), places, out, trans=turn)[0]

    leads(f"cublas{letter}gemm_v2", "piiiiippipippi", gemm)
    leads(f"cublas{letter}gemmBatched", "piiiiippipippii", gemm_batched)
    leads(f"cublas{letter}trsm_v2", "piiiiiippipi", trsm)
    leads(f"cublas{letter}trsmBatched", "piiiiiippipii", trsm_batched)
    leads(f"cublas{letter}getrfBatched", "pipippi", getrf_batched)
    leads(f"cublas{letter}getriBatched", "pipippipi", getri_batched)
    leads(f"cublas{letter}getrsBatched", "piiipippipi", getrs_batched)
    for name, conjugate in (("dot", False),) if letter in "SD" else (("dotu", False), ("dotc", True)):
        leads(f"cublas{letter}{name}_v2", "pipipip", lambda *a, conjugate=conjugate: dot(*a, conjugate=conjugate))


def _from_one(found):
    """LAPACK's pivots counted from one, as everybody but SciPy has them."""
    factors, pivots, info = found
    return factors, pivots + 1, info

"""cuBLASLt by NumPy: products with their epilogues, by columns as they are there, in captures too.  Halves are multiplied in float32.

Numbers are those of cublasLt.h.  Every product has an algorithm, without a workspace; what lies as the library refuses it fails.
"""
import ctypes

import numpy as np

from .views import BY_NUMBER, LETTERS, lead, scalar, submitter, view

TRANSPOSED_A, TRANSPOSED_B, EPILOGUE, VECTOR, BESIDE, BESIDE_LD = 3, 4, 7, 8, 11, 12  # cublasLtMatmulDescAttributes_t
BATCH, STEP = 5, 6  # cublasLtMatrixLayoutAttribute_t
BIAS, SUMS, GELU, SLOPE_OF_GELU, USES_BESIDE, SUMS_OF_A, SUMS_OF_B = 4, 16, 32, 64, 128, 256, 512  # bits of cublasLtEpilogue_t
NAMES = ("cublasLtCreate", "cublasLtDestroy", "cublasLtGetVersion", "cublasLtGetStatusString", "cublasLtMatrixLayoutCreate",
         "cublasLtMatrixLayoutSetAttribute", "cublasLtMatmulDescCreate", "cublasLtMatmulDescSetAttribute", "cublasLtMatmulPreferenceCreate",
         "cublasLtMatmulPreferenceSetAttribute", "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul")
RESULT_BYTES, VERSION, INVALID_VALUE = 96, 130100, 7  # of cublasLtMatmulHeuristicResult_t


class RefusedError(Exception):
    """What the library would refuse."""


def install(shell, host):
    """Lead a shell of libcublasLt here."""
    things, submit = {}, submitter(host, shell)

    def make(out, **thing):
        things[16 * (len(things) + 1)] = thing
        view(out, (1,), np.uint64)[0] = 16 * len(things)

    def tell(where, attribute, value, size):
        things[where][attribute] = int.from_bytes(ctypes.string_at(value, size), "little")

    def heuristic(handle, operation, a, b, c, d, preference, wanted, results, number):
        ctypes.memset(results, 0, RESULT_BYTES)
        view(number, (1,), np.int32)[0] = 1

    def multiply(handle, operation, alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout, algorithm, workspace, size, stream):
        told = dict(things[operation])
        kind = np.float64 if told["scale"] == 1 else np.float32
        if scalar(alpha, kind) != 1 or scalar(beta, kind) != 0:
            raise RefusedError("only alpha = 1 and beta = 0 are there")
        left, right = matrix(a, things[a_layout], told.get(TRANSPOSED_A)), matrix(b, things[b_layout], told.get(TRANSPOSED_B))
        out = matrix(d, things[d_layout], False)
        if (left.shape[1], right.shape[2]) != out.shape[1:] or left.shape[2] != right.shape[1] or not left.shape[0] == right.shape[0] == out.shape[0]:
            raise RefusedError(f"{left.shape} @ {right.shape} is not {out.shape}")
        submit(stream, lambda: follow(told, left.astype(kind), right.astype(kind), out))

    for name, letters, function in (
            ("cublasLtCreate", "p", make), ("cublasLtDestroy", "p", lambda handle: None),
            ("cublasLtMatrixLayoutCreate", "pilll", lambda out, kind, rows, columns, ld: make(out, kind=kind, rows=rows, columns=columns, ld=ld)),
            ("cublasLtMatmulDescCreate", "pii", lambda out, compute, scale: make(out, compute=compute, scale=scale)),
            ("cublasLtMatmulPreferenceCreate", "p", make), ("cublasLtMatrixLayoutSetAttribute", "pipl", tell),
            ("cublasLtMatmulDescSetAttribute", "pipl", tell), ("cublasLtMatmulPreferenceSetAttribute", "pipl", tell),
            ("cublasLtMatmulAlgoGetHeuristic", "pppppppipp", heuristic)):
        lead(shell, name, letters, function)

    def multiplied(*arguments):
        try:
            multiply(*arguments)
        except RefusedError as error:
            print(f"cublasLt stand-in: {error}")
            return INVALID_VALUE
        return 0

    shell.lead("cublasLtMatmul", ctypes.c_int, [LETTERS[c] for c in "ppppppppppppp" "plp"], multiplied)
    shell.lead("cublasLtGetVersion", ctypes.c_size_t, [], lambda: VERSION)


def matrix(address, layout, transposed):
    """(batch, rows, columns) of a matrix stored by columns."""
    if layout["ld"] < layout["rows"]:
        raise RefusedError("columns overlap")
    sizes = layout.get(BATCH, 1), layout["rows"], layout["columns"]
    found = view(address, sizes, BY_NUMBER[layout["kind"]], (layout.get(STEP, 0), 1, layout["ld"]))
    return found.swapaxes(1, 2) if transposed else found


def follow(told, a, b, out):
    """out = epilogue(a @ b).  The vector has an element for each row of the result, sums of b one for each of its columns."""
    does, (batch, rows, columns) = told.get(EPILOGUE, 1), out.shape
    y = a @ b
    vector = beside = None
    if does & (BIAS | SUMS | SUMS_OF_A | SUMS_OF_B):
        vector = view(told[VECTOR], (columns if does & SUMS_OF_B else rows,), out.dtype)
    if does & USES_BESIDE:
        if told[BESIDE_LD] % 8 or told[BESIDE] % 16 or batch > 1:
            raise RefusedError("the matrix beside the result lies wrongly")
        beside = view(told[BESIDE], (rows, columns), out.dtype, (1, told[BESIDE_LD]))
    if does & BIAS:
        y = y + vector.astype(y.dtype)[:, None]
    if does & GELU:
        beside[...] = y[0].astype(out.dtype)
        y = y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3))) / 2
    if does & SLOPE_OF_GELU:
        x = beside.astype(y.dtype)
        t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        y = y * ((1 + t) / 2 + x * (1 - t * t) / 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2))
    for bit, summed in ((SUMS, y), (SUMS_OF_A, a), (SUMS_OF_B, b.swapaxes(1, 2))):
        if does & bit:
            vector[...] = summed[0].sum(1).astype(out.dtype)
    out[...] = y.astype(out.dtype)

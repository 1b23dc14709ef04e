"""cuBLASLt: one product of matrices with what may follow it, planned once and run often.

    D = epilogue(op(A) @ op(B)),  batched by a fixed step in each of the three

cuBLAS stores matrices by columns.  Here they are told by rows, and the transposed product is asked for, D^T = op(B)^T op(A)^T: so the library's A is
the right operand, and what we call transposed is what lies by columns.  All of that is in `_Descriptors`, nothing of it elsewhere.

Halves are multiplied and summed in float32.  Stream and workspace are arguments of every call, so plans can be captured in CUDA graphs and shared by
threads (CuPy's own cuBLAS refuses captures: it sets the stream of a handle).
"""
import ctypes
import threading
from ctypes import POINTER, byref, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import NamedTuple

from .loading import Library

WORKSPACE_BYTES = 32 << 20  # what torch allows on Hopper; algorithms say how much of it they want

# (type of the matrices, type to compute in, type of alpha and beta): numbers of cudaDataType_t and cublasComputeType_t
R_16F, R_16BF, R_32F, R_64F = 2, 14, 0, 1
COMPUTE_32F, COMPUTE_32F_FAST_TF32, COMPUTE_64F = 68, 77, 70
TYPES = {"float16": (R_16F, COMPUTE_32F, R_32F), "bfloat16": (R_16BF, COMPUTE_32F, R_32F), "float32": (R_32F, COMPUTE_32F, R_32F),
         "tf32": (R_32F, COMPUTE_32F_FAST_TF32, R_32F), "float64": (R_64F, COMPUTE_64F, R_64F)}

LAYOUT_BATCH_COUNT, LAYOUT_BATCH_STEP = 5, 6
DESC_TRANSA, DESC_TRANSB, DESC_EPILOGUE, DESC_BIAS, DESC_AUX, DESC_AUX_LD = 3, 4, 7, 8, 11, 12
PREF_WORKSPACE, PREF_REDUCTION, PREF_ALIGNMENT = 1, 3, (5, 6, 7, 8)
REDUCE_IN_COMPUTE_TYPE = 2  # parts of a long sum are never rounded to the matrices' type

# What may follow a product, or come with it: numbers of cublasLtEpilogue_t, and whether a vector and a matrix of the result's shape take part.
#
#   bias         the vector, of `columns` elements, is added to every row
#   gelu         the matrix becomes the sum (or the product), and the result its GELU, by the tanh form
#   gelu slope   the matrix is what GELU was taken of: the product times the derivative there; "and sums": the vector becomes the sum of its rows
#   left sums    the vector becomes the sums along the left operand's rows, of `rows` elements; the library's operand B
EPILOGUES = {"": 1, "bias": 4, "gelu": 160, "bias, gelu": 164, "gelu slope": 192, "gelu slope and sums": 208, "left sums": 512}
WITH_VECTOR = frozenset(("bias", "bias, gelu", "gelu slope and sums", "left sums"))
WITH_MATRIX = frozenset(("gelu", "bias, gelu", "gelu slope", "gelu slope and sums"))
MATRIX_STEP = 8  # elements of which the lines of that matrix must be a multiple

ALIGNED = 256  # bytes; addresses are rounded to powers of two below this in plans


class _Algorithm(ctypes.Structure):
    """cublasLtMatmulAlgo_t"""

    _fields_ = [("data", c_uint64 * 8)]


class _Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t"""

    _fields_ = [("algorithm", _Algorithm), ("workspace", c_size_t), ("status", c_int), ("waves", c_float), ("reserved", c_int * 4)]


SIGNATURES = {
    "cublasLtCreate": [POINTER(c_void_p)],
    "cublasLtMatrixLayoutCreate": [POINTER(c_void_p), c_int, c_uint64, c_uint64, c_int64],
    "cublasLtMatrixLayoutSetAttribute": [c_void_p, c_int, c_void_p, c_size_t],
    "cublasLtMatmulDescCreate": [POINTER(c_void_p), c_int, c_int],
    "cublasLtMatmulDescSetAttribute": [c_void_p, c_int, c_void_p, c_size_t],
    "cublasLtMatmulPreferenceCreate": [POINTER(c_void_p)],
    "cublasLtMatmulPreferenceSetAttribute": [c_void_p, c_int, c_void_p, c_size_t],
    "cublasLtMatmulAlgoGetHeuristic": [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int, POINTER(_Heuristic),
                                       POINTER(c_int)],
    "cublasLtMatmul": [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p,
                       c_void_p, c_void_p, c_size_t, c_void_p],
}


def opened(library):
    """The functions of an opened library."""
    return Library(library, "cuBLASLt", SIGNATURES, "cublasLtGetStatusString")


def version(library):
    """The version of an opened library as one number, such as 130100."""
    library.cublasLtGetVersion.restype = c_size_t
    return library.cublasLtGetVersion()


class Operand(NamedTuple):
    """A matrix as it lies in memory.  by_columns: whether its columns are dense, not its rows; ld: elements from one to the next; step: elements from
    one matrix of a batch to the next."""

    by_columns: bool
    ld: int
    step: int


class Product(NamedTuple):
    """What is to be planned: (rows, inner) @ (inner, columns) -> (rows, columns), stored by rows, `batch` times.

    kind: one of TYPES;  epilogue: one of EPILOGUES, all but "" and "bias" without a batch;  alignment: of all addresses, in bytes
    """

    kind: str
    rows: int
    inner: int
    columns: int
    batch: int
    left: Operand
    right: Operand
    epilogue: str
    alignment: int


class Planner:
    """The library on one device: a handle, and plans for products."""

    def __init__(self, library):
        self.library, self.handle = library, c_void_p()
        library.check(library.cublasLtCreate(byref(self.handle)), "making a handle")

    def plan(self, product):
        """A Plan, or None where the library has no algorithm for it."""
        descriptors = _Descriptors(self.library, product)
        found, number = _Heuristic(), c_int()
        layouts = descriptors.right, descriptors.left, descriptors.out, descriptors.out
        status = self.library.cublasLtMatmulAlgoGetHeuristic(self.handle, descriptors.operation, *layouts, descriptors.preference, 1, byref(found),
                                                             byref(number))
        return None if status or not number.value or found.status else Plan(self, product, descriptors, found)


class _Descriptors:
    """The library's objects that describe a Product.  They live as long as the plan, which lives as long as the process."""

    def __init__(self, library, p):
        self.library, self.what = library, p
        data, compute, scale = TYPES[p.kind]
        self.operation = self._made("cublasLtMatmulDescCreate", compute, scale)
        self._say(self.operation, DESC_TRANSA, c_int32(p.right.by_columns))
        self._say(self.operation, DESC_TRANSB, c_int32(p.left.by_columns))
        self._say(self.operation, DESC_EPILOGUE, c_uint32(EPILOGUES[p.epilogue]))
        for attribute, _ in pointers(p.epilogue):
            self._say(self.operation, attribute, c_void_p(p.alignment))  # an address as good as those to come, by which algorithms are chosen
        if p.epilogue in WITH_MATRIX:
            self._say(self.operation, DESC_AUX_LD, c_int64(p.columns))
        self.left = self._layout(data, p.rows, p.inner, p.left)
        self.right = self._layout(data, p.inner, p.columns, p.right)
        self.out = self._layout(data, p.rows, p.columns, Operand(False, p.columns, p.rows * p.columns))
        self.preference = self._made("cublasLtMatmulPreferenceCreate")
        self._say(self.preference, PREF_WORKSPACE, c_uint64(WORKSPACE_BYTES), "MatmulPreference")
        self._say(self.preference, PREF_REDUCTION, c_uint32(REDUCE_IN_COMPUTE_TYPE), "MatmulPreference")
        for attribute in PREF_ALIGNMENT:
            self._say(self.preference, attribute, c_uint32(p.alignment), "MatmulPreference")

    def _layout(self, data, rows, columns, operand):
        """A matrix, told by columns: one that lies by rows is its transpose."""
        shape = (rows, columns) if operand.by_columns else (columns, rows)
        layout = self._made("cublasLtMatrixLayoutCreate", data, *shape, operand.ld)
        if self.what.batch > 1:
            self._say(layout, LAYOUT_BATCH_COUNT, c_int32(self.what.batch), "MatrixLayout")
            self._say(layout, LAYOUT_BATCH_STEP, c_int64(operand.step), "MatrixLayout")
        return layout

    def _made(self, function, *arguments):
        made = c_void_p()
        self.library.check(getattr(self.library, function)(byref(made), *arguments), f"calling {function} for {self.what}")
        return made

    def _say(self, where, attribute, value, kind="MatmulDesc"):
        status = getattr(self.library, f"cublasLt{kind}SetAttribute")(where, attribute, byref(value), ctypes.sizeof(value))
        self.library.check(status, f"setting attribute {attribute} of a {kind} for {self.what}")


class Plan:
    """A product that can be run.  workspace: bytes that a run needs."""

    def __init__(self, planner, product, descriptors, found):
        number = c_double if product.kind == "float64" else c_float
        self.planner, self.product, self.descriptors, self.found = planner, product, descriptors, found
        self.workspace = found.workspace
        self._one, self._zero = number(1), number(0)
        self._matmul = planner.library.cublasLtMatmul
        self._arguments = (planner.handle, descriptors.operation, ctypes.addressof(self._one), ctypes.addressof(self._zero), descriptors.left,
                           descriptors.right, descriptors.out, ctypes.addressof(found.algorithm))
        self._pointers, self._lock = pointers(product.epilogue), threading.Lock()

    def run(self, left, right, out, workspace, stream):
        """out = left @ right, of addresses in device memory, on a stream.  RuntimeError with the library's words when it fails."""
        handle, operation, one, zero, left_layout, right_layout, layout, algorithm = self._arguments
        status = self._matmul(handle, operation, one, right, right_layout, left, left_layout, zero, out, layout, out, layout, algorithm, workspace,
                              self.workspace, stream)
        if status:
            self.planner.library.check(status, f"multiplying {self.product}")

    def run_with(self, left, right, out, workspace, stream, *others):
        """`run` of a plan with an epilogue.  others: the addresses of its vector and its matrix, 0 for what it does not have."""
        with self._lock:  # the addresses are part of the description, which threads share
            for attribute, at in self._pointers:
                status = self.planner.library.cublasLtMatmulDescSetAttribute(self.descriptors.operation, attribute, byref(c_void_p(others[at])), 8)
                if status:
                    self.planner.library.check(status, f"giving an address to {self.product}")
            self.run(left, right, out, workspace, stream)


def pointers(epilogue):
    """The addresses that an epilogue needs: [(attribute of the description, 0 for the vector or 1 for the matrix)]."""
    return [(DESC_BIAS, 0)] * (epilogue in WITH_VECTOR) + [(DESC_AUX, 1)] * (epilogue in WITH_MATRIX)

"""Products of matrices on CuPy arrays by cuBLASLt: transposed and batched operands as they lie, halves summed in float32, TF32 where it is allowed.

CuPy's own products copy what lies by columns when there is a batch, go through float32 for batches of float16, know no bias, and cannot be captured
in a CUDA graph.  What the library does not take - integers, complex numbers, no elements - is left to the formula.
"""
import math
import threading

from .._config import EPILOGUES, TF32
from .._core.broadcasting import mismatch
from .._libraries import choice, cublaslt
from .._libraries.cublaslt import Operand, Product
from ..ops._run import run
from ..ops.linear import linear
from ..ops.matmul import matmul
from ..ops.reductions import sum_

KINDS = {"e": "float16", "E": "bfloat16", "f": "float32", "d": "float64", "tf32": "tf32"}  # dtype.char -> cublaslt.TYPES
_RECIPES, _lock = {}, threading.Lock()


class _Recipe:
    """How arrays of certain shapes and strides are multiplied: what is copied first, the plan, and the shape of the result.

    copies: None, or for each operand the shape to which it is copied, or None where it may stay as it is
    """

    __slots__ = ("copies", "plan", "run", "shape", "workspace")

    def __init__(self, copies, plan, shape):
        self.copies, self.plan, self.shape, self.workspace = copies, plan, shape, plan.workspace
        self.run = plan.run


def product(xp, x, y, vector=None, matrix=None, epilogue=""):
    """x @ y, with an epilogue; None where the library has no way for it.

    x: (*batch, n, k), y: (*batch, k, m), or vectors, as in `ringgrad.matmul`
    epilogue        one of cublaslt.EPILOGUES, which says what it does with
    vector, matrix  contiguous arrays, read or written: (m), or (n) for the sums along x's rows; (n, m).  Only "bias" takes a batch that does not
                    fold into rows
    """
    device = x.device.id
    planner = choice.matmul(xp, device)
    if planner is None:
        return None
    left, right = x.data.ptr, y.data.ptr
    bits = left | right | cublaslt.ALIGNED
    if epilogue:
        others = 0 if vector is None else vector.data.ptr, 0 if matrix is None else matrix.data.ptr
        bits |= others[0] | others[1]
    kind = x.dtype.char
    if kind == "f" and TF32["matmul"]:
        kind = "tf32"
    key = planner, kind, x.shape, x.strides, y.shape, y.strides, bits & -bits, epilogue
    recipe = _RECIPES.get(key)
    if recipe is None:
        with _lock:
            recipe = _RECIPES[key] = _recipe(planner, x, y, KINDS.get(kind), bits & -bits, epilogue)
    if recipe is False:
        return None
    if recipe.copies is not None:
        x, y = [a if shape is None else xp.ascontiguousarray(xp.broadcast_to(a, shape)) for a, shape in zip((x, y), recipe.copies)]
        left, right = x.data.ptr, y.data.ptr
    out = xp.empty(recipe.shape, x.dtype)
    room = xp.cuda.alloc(recipe.workspace) if recipe.workspace else None
    addresses = left, right, out.data.ptr, 0 if room is None else room.ptr, xp.cuda.get_current_stream(device).ptr
    if epilogue:
        recipe.plan.run_with(*addresses, *others)
    else:
        recipe.run(*addresses)
    return out


def _recipe(planner, x, y, kind, alignment, epilogue):
    """A _Recipe, or False where the formula must do it: other types, no elements, shapes that do not fit, nothing in the library."""
    if kind is None or x.dtype != y.dtype or not x.size or not y.size or not x.ndim or not y.ndim:
        return False
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0] or mismatch([x.shape[:-2], y.shape[:-2]]):
        return False
    size = x.itemsize
    told, copies, shape = describe(x.shape, [s // size for s in x.strides], y.shape, [s // size for s in y.strides])
    if epilogue not in ("", "bias") and not _takes_epilogue(told, copies, epilogue):
        return False
    plan = planner.plan(Product(kind, *told, epilogue, alignment))
    return False if plan is None else _Recipe(copies, plan, shape)


def _takes_epilogue(told, copies, epilogue):
    """Whether a product may have an epilogue with a matrix or with sums: no batch, nothing to copy first, lines as long as the library wants them."""
    _, _, columns, batch, _, _ = told
    lines = columns % cublaslt.MATRIX_STEP == 0 or epilogue not in cublaslt.WITH_MATRIX
    return EPILOGUES and batch == 1 and copies is None and lines


# -- shapes and strides ------------------------------------------------------------------------------------------------

def describe(x, x_steps, y, y_steps):
    """((rows, inner, columns, batch, left, right), copies, shape of the result) of a product that fits.  Strides are in elements."""
    left, right, batch = _Matrix(x, x_steps, row=True), _Matrix(y, y_steps, row=False), _broadcast(x[:-2], y[:-2])
    shape = (*batch, *x[-2:-1], *(y[-1:] if len(y) > 1 else ()))
    if batch and math.prod(right.batch) == 1 and right.operand(()) is not None:
        folded = left.folded()
        if folded is not None:  # one product of large matrices beats many of small ones
            return (folded[0], left.columns, right.columns, 1, folded[1], right.operand(())), None, shape
    operands, copies = [], []
    for m, own in ((left, x), (right, y)):
        operand = m.operand(batch)
        copies.append(None if operand else (*batch, *own[-2:]) if len(own) > 1 else own)
        operands.append(operand or Operand(False, m.columns, m.rows * m.columns))
    return (left.rows, left.columns, right.columns, math.prod(batch), *operands), copies if any(copies) else None, shape


class _Matrix:
    """An operand as a batch of matrices: sizes, and the steps from one row, column and matrix to the next."""

    def __init__(self, shape, steps, row):
        if len(shape) == 1:
            shape, steps = ((1, *shape), (shape[0] * steps[0], *steps)) if row else ((*shape, 1), (*steps, 1))
        *self.batch, self.rows, self.columns = shape
        *self.steps, self.down, self.across = steps

    def operand(self, batch):
        """The operand that the library is told, broadcast to `batch`; None where it has to be copied first."""
        found, step = _dense(self.rows, self.columns, self.down, self.across), self._one_step(batch)
        return None if found is None or step is None else Operand(*found, step)

    def folded(self):
        """(rows, operand) with all of the batch in the rows, for a right operand without one; None where the strides forbid it."""
        rows = _merged([*self.batch, self.rows], [*self.steps, self.down])
        if rows is None:
            return None
        found = _dense(rows[0], self.columns, rows[1], self.across)
        return None if found is None else (rows[0], Operand(*found, 0))

    def _one_step(self, batch):
        """The one step from each matrix of `batch` to the next; None where there is not one."""
        missing = len(batch) - len(self.batch)
        steps = [0] * missing + [0 if n == 1 else s for n, s in zip(self.batch, self.steps)]
        merged = _merged(batch, steps)
        return None if merged is None or merged[1] < 0 else merged[1]


def _dense(rows, columns, down, across):
    """(by columns?, elements from one dense line to the next) of a matrix; None for one without dense lines."""
    if (across == 1 or columns == 1) and (down >= columns or rows == 1):
        return False, max(down, columns) if rows > 1 else columns
    if (down == 1 or rows == 1) and (across >= rows or columns == 1):
        return True, max(across, rows) if columns > 1 else rows
    return None


def _merged(sizes, steps):
    """(size, step) of dimensions seen as one; None where no single step leads through them."""
    size, step = 1, 0
    for n, s in zip(reversed(sizes), reversed(steps)):
        if n == 1:
            continue
        if size == 1:
            size, step = n, s
        elif s == size * step:
            size *= n
        else:
            return None
    return size, step


def _broadcast(a, b):
    """The common shape of two that fit."""
    longer = max(len(a), len(b))
    a, b = (1,) * (longer - len(a)) + tuple(a), (1,) * (longer - len(b)) + tuple(b)
    return tuple(n if m == 1 else m for m, n in zip(a, b))


# -- the ops -----------------------------------------------------------------------------------------------------------

def multiply(xp, x, y):
    """The op `matmul`."""
    out = product(xp, x, y)
    return matmul.formula(xp, x, y) if out is None else out


def affine(xp, x, weight, bias=None):
    """The op `linear`."""
    if not (x.ndim and weight.ndim == 2 and (bias is None or bias.shape == weight.shape[:1] and bias.dtype == x.dtype)):
        return linear.formula(xp, x, weight, bias)
    out = None if bias is None else with_bias(xp, x, weight, bias)
    if out is not None:
        return out
    out = product(xp, x, weight.T)
    if out is None:
        return linear.formula(xp, x, weight, bias)
    if bias is not None:
        out += bias
    return out


def with_bias(xp, x, weight, bias):
    """x @ weight.T + bias in one launch, of operands that fit; None where the library has no way for it."""
    return product(xp, x, weight.T, bias, epilogue="bias") if bias.flags.c_contiguous else None


def weight_and_bias(xp, g, x, needs):
    """The gradients of `linear` for its weight and bias: (out, in), (out).  The sums over rows come out of the weight's product."""
    if not needs[0]:
        return None, column_sums(xp, g)
    rows = math.prod(g.shape[:-1])
    columns, x = g.reshape(rows, g.shape[-1]).T, x.reshape(rows, x.shape[-1])
    sums = xp.empty(g.shape[-1:], g.dtype) if needs[1] else None
    weight = None if sums is None else product(xp, columns, x, sums, epilogue="left sums")
    if weight is None:
        return run(matmul, xp, columns, x), column_sums(xp, g) if needs[1] else None
    return weight, sums


def column_sums(xp, g):
    """(*, n) -> (n)"""
    return run(sum_, xp, g, axis=tuple(range(g.ndim - 1)), keepdims=False)


def register():
    """Put these in the place of the formulas on CuPy arrays."""
    matmul.kernel("cupy")(multiply)
    linear.kernel("cupy")(affine)
    linear.kernel("cupy", vjp=("weight", "bias"))(weight_and_bias)

"""Products of vectors, matrices and tensors, in torch's words."""
import math

from .. import ops
from .._core.compile import fast_function
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor, as_number
from ..ops.shape import wrap_dim
from ._einsum import einsum


def _check(name, *operands):
    """TypeError unless all are Tensors; RuntimeError unless each has its dimensions.  operands: (argument's name, value, dimensions)"""
    for position, (argument, t, ndim) in enumerate(operands):
        if not isinstance(t, Tensor):
            raise TypeError(f"{name}(): argument '{argument}' (position {position + 1}) must be Tensor, not {type(t).__name__}")
        if t._data.ndim != ndim:
            kind = ("scalar", "vector", "matrix", "batch of matrices (3D)")[ndim]
            raise RuntimeError(f"{name}: {argument} must be a {kind}, but it has shape {list(t._data.shape)}")


# -- matrices and vectors ----------------------------------------------------------------------------------------------

def mm(input, mat2):
    """Product of two matrices.  (n, k), (k, m) -> (n, m)"""
    _check("mm", ("self", input, 2), ("mat2", mat2, 2))
    return ops.matmul(input, mat2)


def bmm(input, mat2):
    """Products of two batches of matrices, without broadcasting.  (b, n, k), (b, k, m) -> (b, n, m)"""
    _check("bmm", ("batch1", input, 3), ("batch2", mat2, 3))
    a, b = input._data.shape, mat2._data.shape
    if a[0] != b[0] or a[2] != b[1]:
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, {b[1]}].")
    return ops.matmul(input, mat2)


def mv(input, vec):
    """Product of a matrix and a vector.  (n, k), (k) -> (n)"""
    _check("mv", ("input", input, 2), ("vec", vec, 1))
    return ops.matmul(input, vec)


def dot(input, tensor):
    """Inner product of two vectors, without conjugation.  (k), (k) -> ()"""
    for t in (input, tensor):
        if not isinstance(t, Tensor):
            raise TypeError(f"dot(): argument must be Tensor, not {type(t).__name__}")
    if input._data.ndim != 1 or tensor._data.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input._data.ndim}D and {tensor._data.ndim}D tensors")
    return ops.matmul(input, tensor)


def vdot(input, other):
    """Inner product of two vectors, the first conjugated.  (k), (k) -> ()"""
    return dot(ops.conj(input) if input._data.dtype.kind == "c" else input, other)


def inner(input, other):
    """Sum of products over the last dimensions; with a number, the product.  (*a, k), (*b, k) -> (*a, *b)"""
    if not input._data.ndim or not other._data.ndim:
        return ops.multiply(input, other)
    if input._data.shape[-1] != other._data.shape[-1]:
        raise RuntimeError(f"inner() the last dimension must match on both input tensors but got shapes {list(input._data.shape)} and "
                           f"{list(other._data.shape)}")
    return tensordot(input, other, ([-1], [-1]))


def outer(input, vec2):
    """All products of the elements of two vectors.  (n), (m) -> (n, m)"""
    _check("outer", ("self", input, 1), ("vec2", vec2, 1))
    return ops.multiply(ops.expand_dims(input, 1), vec2)


def kron(input, other):
    """The Kronecker product: each element of `input` times the whole of `other`."""
    n = max(input._data.ndim, other._data.ndim)
    a, b = ((1,) * (n - t._data.ndim) + t._data.shape for t in (input, other))
    x = ops.reshape(input, tuple(k for size in a for k in (size, 1)))
    y = ops.reshape(other, tuple(k for size in b for k in (1, size)))
    return ops.unsafe_reshape(ops.multiply(x, y), tuple(p * q for p, q in zip(a, b)))


def trace(input):
    """The sum of a matrix's diagonal.  (n, m) -> ()"""
    if input._data.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._data.ndim}")
    return ops.sum(ops.diagonal(input))


def matrix_power(input, n):
    """Square matrices multiplied by themselves n times over; n = 0 gives the identity, n < 0 powers of the inverse.  (*, k, k) -> (*, k, k)"""
    shape = input._data.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise RuntimeError(f"linalg.matrix_power: A must be batches of square matrices, but they have shape {list(shape)}")
    if n < 0:
        return matrix_power(ops.inv(input), -n)
    result, power = None, input
    while n:
        if n & 1:
            result = power if result is None else ops.matmul(result, power)
        n >>= 1
        if n:
            power = ops.matmul(power, power)
    if result is not None:
        return result
    one = ops.place_diagonal(ops.ones((shape[-1],), input.dtype, input.device), shape[-2:])
    return ops.copy(ops.broadcast_to(one, shape))


def chain_matmul(*matrices):
    """The product of several matrices, multiplied in the order that needs the fewest operations.  (n, k), (k, l), ..., (p, m) -> (n, m)"""
    matrices = matrices[0] if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)) else matrices
    sizes = [m._data.shape[0] for m in matrices] + [matrices[-1]._data.shape[1]]
    best = {(i, i): (0, None) for i in range(len(matrices))}
    for span in range(1, len(matrices)):
        for i in range(len(matrices) - span):
            j = i + span
            best[i, j] = min((best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i, j):
        return matrices[i] if i == j else mm(product(i, best[i, j][1]), product(best[i, j][1] + 1, j))
    return product(0, len(matrices) - 1)


# -- products added to something ---------------------------------------------------------------------------------------

def _added(name, product, names, docs):
    """A function beta * input + alpha * product(...), and its in-place form.  names: of the factors."""
    def function(input, *factors, beta=1, alpha=1, **named):
        made = product(*factors) if not named else product(*_with_named(name, names, factors, named))
        beta, alpha = as_number(beta), as_number(alpha)
        made = made if alpha == 1 else ops.multiply(made, alpha)
        if beta == 0:  # torch: not even a nan of the input comes through
            return made
        _check_expands(input, made, name)
        return ops.add(input if beta == 1 else ops.multiply(input, beta), made)

    def in_place(self, *factors, beta=1, alpha=1, **named):
        return apply_inplace(ops.assign.op, self, (function(self, *factors, beta=beta, alpha=alpha, **named),), {})
    function.__name__, in_place.__name__ = name, f"{name}_"
    function.__doc__ = docs
    in_place.__doc__ = f"In-place form of `{name}`: writes the result over this tensor and returns it."
    return function, in_place


def _with_named(name, names, factors, named):
    missing = names[len(factors):]
    if set(missing) != set(named):
        raise TypeError(f"{name}() takes {' and '.join(names)} behind the input, and got {len(factors)} of them and {', '.join(named)}")
    return (*factors, *(named[n] for n in missing))


def _check_expands(input, made, name):
    have, want = input._data.shape, made._data.shape
    if len(have) > len(want) or any(a not in (1, b) for a, b in zip(have[::-1], want[::-1])):
        raise RuntimeError(f"{name}: the input of shape {list(have)} must be expandable to the shape of the product, {list(want)}")


addmm, addmm_ = _added("addmm", mm, ("mat1", "mat2"), "beta * input + alpha * (mat1 @ mat2).  input expands to (n, m); (n, k), (k, m) -> (n, m)")
addmv, addmv_ = _added("addmv", mv, ("mat", "vec"), "beta * input + alpha * (mat @ vec).  input expands to (n); (n, k), (k) -> (n)")
addr, addr_ = _added("addr", outer, ("vec1", "vec2"), "beta * input + alpha * outer(vec1, vec2).  input expands to (n, m); (n), (m) -> (n, m)")
baddbmm, baddbmm_ = _added("baddbmm", bmm, ("batch1", "batch2"),
                           "beta * input + alpha * (batch1 @ batch2).  input expands to (b, n, m); (b, n, k), (b, k, m) -> (b, n, m)")
addbmm, addbmm_ = _added("addbmm", lambda a, b: ops.sum(bmm(a, b), 0), ("batch1", "batch2"),
                         "beta * input + alpha * (sum over the batch of batch1 @ batch2).  input expands to (n, m)")


# -- contractions ------------------------------------------------------------------------------------------------------

def tensordot(a, b, dims=2):
    """Sum of products over pairs of dimensions.

    dims: a number (the last of `a` with the first of `b`), or two lists (dimensions of `a`, of `b`).
    RuntimeError when the sizes of a pair differ.
    """
    if isinstance(dims, int):
        if dims < 0 or dims > min(a._data.ndim, b._data.ndim):
            raise RuntimeError(f"tensordot expects dims >= 0 and at most the dimensions of both tensors, but got dims={dims} for "
                               f"{a._data.ndim}D and {b._data.ndim}D")
        dims = range(a._data.ndim - dims, a._data.ndim), range(dims)
    left, right = ([d] if isinstance(d, int) else d for d in (dims.tolist() if isinstance(dims, Tensor) else dims))
    if len(left) != len(right):
        raise RuntimeError(f"both dimension lists should have same length, got {len(left)} and {len(right)}")
    left, right = [wrap_dim(d, a._data.ndim) for d in left], [wrap_dim(d, b._data.ndim) for d in right]
    have, want = a._data.shape, b._data.shape
    for p, q in zip(left, right):
        if have[p] != want[q]:
            raise RuntimeError(f"contracted dimensions need to match, but first has size {have[p]} in dim {p} and second has size {want[q]} "
                               f"in dim {q}")
    rest_a, rest_b = [d for d in range(len(have)) if d not in left], [d for d in range(len(want)) if d not in right]
    k = math.prod(have[d] for d in left)
    rows, columns = tuple([have[d] for d in rest_a]), tuple([want[d] for d in rest_b])
    x = ops.reshape(ops.transpose(a, (*rest_a, *left)), (math.prod(rows), k))
    y = ops.reshape(ops.transpose(b, (*right, *rest_b)), (k, math.prod(columns)))
    return ops.unsafe_reshape(ops.matmul(x, y), rows + columns)


FUNCTIONS = {
    "matmul": ops.matmul, "mm": mm, "bmm": bmm, "mv": mv, "dot": dot, "vdot": vdot, "inner": inner, "outer": outer, "ger": outer, "kron": kron,
    "trace": trace, "matrix_power": matrix_power, "chain_matmul": chain_matmul, "addmm": addmm, "addmv": addmv, "addr": addr,
    "baddbmm": baddbmm, "addbmm": addbmm, "tensordot": tensordot, "einsum": einsum,
}
_OPERATOR = fast_function(ops.matmul.op, operator=True)


def __rmatmul__(self, other):
    """other @ self, where `other` is no Tensor."""
    return _OPERATOR(other, self)


METHODS = {
    **{n: f for n, f in FUNCTIONS.items() if n not in ("chain_matmul", "tensordot", "einsum")},
    "addmm_": addmm_, "addmv_": addmv_, "addr_": addr_, "baddbmm_": baddbmm_, "addbmm_": addbmm_,
    "__matmul__": _OPERATOR, "__rmatmul__": __rmatmul__,
}
INPLACE = {}

"""torch.sparse: sparse tensors' functions.  Matrix products with sparse operands also go by ringgrad.mm, matmul and @.

Gradients of a sparse operand are sparse and have its pattern, for `ringgrad.mm` as for `sparse.mm`.
"""
from contextlib import ContextDecorator

from . import _config, ops
from ._core.tensor import Tensor
from ._dtypes import as_dtype
from ._functional import _sparse_ops, legacy
from ._functional import sparse as _surface
from ._functional.sparse import is_sparse


class SparseType(legacy.TensorType):
    """A type of sparse tensors under torch's older name: FloatTensor(indices, values, size), FloatTensor(2, 3)."""

    def __call__(self, *args, size=None, device=None):
        if not args or not all(isinstance(a, Tensor) for a in args[:2]):
            return _surface.sparse_coo_tensor(size or (args[0] if args and isinstance(args[0], tuple) else args), dtype=self.dtype, device=device)
        indices, values = args[:2]
        if values.dtype is not self.dtype:
            raise TypeError(f"expected values of {self.dtype} for {self!r}, but got {values.dtype}")
        return _surface.sparse_coo_tensor(indices, values, *args[2:3], device=device)

    def __instancecheck__(self, x):
        return is_sparse(x) and x.is_sparse and x.dtype is self.dtype

    def __repr__(self):
        return f"{_config.NAME}.sparse.{self.name}"


_TYPES = {name: SparseType("", name, t.dtype) for name, t in legacy.TYPES.items()}
globals().update(_TYPES)
__all__ = ["addmm", "check_sparse_tensor_invariants", "log_softmax", "mm", "sampled_addmm", "softmax", "sum", *_TYPES]


def mm(mat1, mat2, reduce=None):
    """The matrix product of a sparse and a dense matrix (dense), or of two sparse ones (sparse).  (n, k), (k, m) -> (n, m)

    reduce: only "sum", what a product is.
    """
    if reduce not in (None, "sum"):
        raise NotImplementedError(f"sparse.mm: reduce={reduce!r} is not supported; only 'sum' is")
    return ops.matmul(mat1, mat2)


def addmm(mat, mat1, mat2, beta=1.0, alpha=1.0):
    """beta * mat + alpha * (mat1 @ mat2), where mat1 is sparse.  (n, m), (n, k), (k, m) -> (n, m)"""
    product = ops.matmul(mat1, mat2)
    product = product if alpha == 1 else ops.multiply(product, alpha)
    return ops.add(mat if beta == 1 else ops.multiply(mat, beta), product)


def sampled_addmm(input, mat1, mat2, *, beta=1.0, alpha=1.0):
    """beta * input + alpha * (mat1 @ mat2) at the places of the sparse_csr matrix `input`.  (n, m), (n, k), (k, m) -> (n, m)"""
    if _surface.layout_of(input) != "sparse_csr":
        raise RuntimeError("sampled_addmm: Expected self to be a sparse_csr tensor; convert it with .to_sparse_csr()")
    product = ops.sampled_mm(mat1, ops.transpose(mat2), input._data.pattern, False)
    return _sparse_ops.rebuilt(input, ops.sparse_values(input) * beta + product * alpha)


def sum(input, dim=None, dtype=None):  # noqa: A001 - torch's name
    """The sum of all elements (a scalar), or over `dim`, an int or a tuple: sparse while a sparse dimension is left."""
    _require("sum", input)
    if dtype is not None:
        input = ops.astype(input, as_dtype(dtype).np)
    return ops.sum(input) if dim is None else ops.sum(input, (dim,) if isinstance(dim, int) else tuple(dim))


def softmax(input, dim, *, dtype=None):
    """softmax along `dim` over the values that are there: what is absent counts as minus infinity."""
    return _softmax("softmax", input, dim, dtype)


def log_softmax(input, dim, *, dtype=None):
    """The logarithm of `softmax`, of the values that are there."""
    return _softmax("log_softmax", input, dim, dtype)


def _softmax(name, input, dim, dtype):
    _require(name, input)
    return _sparse_ops.softmax(input if dtype is None else input.to(dtype), dim, log=name == "log_softmax")


def _require(name, x):
    """NotImplementedError, torch's type, for a dense tensor."""
    if not is_sparse(x):
        raise NotImplementedError(f"sparse.{name} is for sparse tensors, and this one is dense; use ringgrad.{name}, or .to_sparse()")


class check_sparse_tensor_invariants(ContextDecorator):  # noqa: N801 - torch's name
    """Inside, as a context or a decorator, constructors look whether tensors said to be coalesced are."""

    def __init__(self, enable=True):
        self.wanted, self.before = enable, []

    @staticmethod
    def is_enabled():
        """Whether constructors look."""
        return _surface.checks["invariants"]

    @staticmethod
    def enable():
        """Let constructors look from now on."""
        _surface.checks["invariants"] = True

    @staticmethod
    def disable():
        """Let constructors trust what they are told from now on."""
        _surface.checks["invariants"] = False

    def __enter__(self):
        self.before.append(_surface.checks["invariants"])
        _surface.checks["invariants"] = self.wanted

    def __exit__(self, *_):
        _surface.checks["invariants"] = self.before.pop()

"""Sparse tensors in torch's words: making them, taking them apart, and the methods that only they have.

torch.sparse_coo is a list of places and their values; torch.sparse_csr is the same list, sorted, that shows its rows' starts.
"""
import numpy as np

from .. import ops
from .._backends import for_device, of_array
from .._backends.sparse_ import Pattern
from .._core.tensor import Tensor, wrap
from .._device import as_device
from .._dtypes import as_dtype, get_default_dtype
from . import dtypes
from ._sparse_ops import coalesced, dense, is_sparse, masked
from .creation import tensor

LAYOUTS = {name: dtypes.CONSTANTS[name] for name in ("strided", "sparse_coo", "sparse_csr")}
_WORDS = {"strided": "Strided", "sparse_coo": "Sparse", "sparse_csr": "SparseCsr"}
checks = {"invariants": False}  # sparse.check_sparse_tensor_invariants


def layout_of(t):
    """The name of a tensor's layout."""
    return t._data.layout if is_sparse(t) else "strided"


def _expect(name, t, layout="sparse_coo", words="sparse coordinate tensor layout"):
    """RuntimeError in torch's words unless `t` has this layout.  Returns its array."""
    if layout_of(t) != layout:
        raise RuntimeError(f"{name} expected {words} but got {_WORDS[layout_of(t)]}; convert it with .to_{layout}()")
    return t._data


# -- making them -------------------------------------------------------------------------------------------------------

def sparse_coo_tensor(indices, values=None, size=None, *, dtype=None, device=None, pin_memory=False, requires_grad=False, check_invariants=None,
                      is_coalesced=None):
    """A sparse tensor with `values`: (nnz, *dense dims) at `indices`: (sparse dims, nnz); sparse_coo_tensor(size) has no values.

    size: by default the smallest that holds the indices.  Values at one place add up.  Gradients flow to `values`; requires_grad makes a leaf.
    check_invariants: look whether is_coalesced is true of the indices.  Indices out of range are always refused, with RuntimeError.
    """
    if values is None:
        return _empty(indices if size is None else size, dtype, device, requires_grad)
    values = _as_values(values, dtype, device)
    with _device_of(values):
        return _coo(indices, values, size, requires_grad, is_coalesced, checks["invariants"] if check_invariants is None else check_invariants)


def _device_of(t):
    return of_array(t._data).on_device_of(t._data)


def _coo(indices, values, size, requires_grad, is_coalesced, wary):
    places = _as_indices(indices, values)
    if places.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(places.shape)}")
    if values._data.ndim == 0:
        values = ops.reshape(values, (1,))
    if places.shape[1] != values.shape[0]:
        raise RuntimeError(f"indices and values must have same nnz, but got nnz from indices: {places.shape[1]}, nnz from values: {values.shape[0]}")
    size = _size(places, values, size)
    pattern = Pattern(places, size)
    if is_coalesced and wary and not bool((pattern.flat[1:] > pattern.flat[:-1]).all()):
        raise RuntimeError("cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor")
    out = ops.sparse_coo(values, pattern, bool(is_coalesced), "sparse_coo")
    return out.detach().requires_grad_() if requires_grad else out


def _empty(size, dtype, device, requires_grad):
    size = tuple(int(n) for n in size)
    dtype = get_default_dtype() if dtype is None else as_dtype(dtype)
    values = ops.zeros((0,), dtype, device)
    places = np.zeros((len(size), 0), np.int64)
    out = ops.sparse_coo(values, Pattern(_beside(places, values), size), True, "sparse_coo")
    return out.requires_grad_() if requires_grad else out


def _as_values(values, dtype, device):
    if not isinstance(values, Tensor):
        values = tensor(values)
    return values.to(device=None if device is None else as_device(device), dtype=dtype)


def _beside(array, values):
    backend = for_device(values.device)
    return array if backend.name == "numpy" else backend.from_host(array, values.device.index)


def _as_indices(indices, values):
    if not isinstance(indices, Tensor):
        return _beside(np.asarray(indices).astype(np.int64), values)
    if indices.requires_grad or indices.is_complex():
        raise RuntimeError("indices must be an integer tensor, which takes no gradient")
    return indices.detach().to(device=values.device, dtype=as_dtype("int64"))._data.copy()


def _size(places, values, size):
    """The shape: as given, once it is known to fit, or the smallest that does."""
    rank, inner = len(places), tuple(values.shape[1:])
    high = [int(row.max()) for row in places] if places.shape[1] else [-1] * rank
    if size is None:
        size = (*[n + 1 for n in high], *inner)
    size = tuple(int(n) for n in size)
    if len(size) != rank + len(inner):
        raise RuntimeError(f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {rank}, "
                           f"dense_dim = {len(inner)}")
    if size[rank:] != inner:
        raise RuntimeError(f"values has incorrect size, expected {[values.shape[0], *size[rank:]]}, got {list(values.shape)}")
    for i, (row, n) in enumerate(zip(places, size)):
        if row.size and int(row.min()) < 0:
            raise RuntimeError(f"found negative index {int(row.min())} for dim {i}")
        if high[i] >= n:
            raise RuntimeError(f"size is inconsistent with indices: for dim {i}, size is {n} but found index {high[i]}")
    return size


def sparse_csr_tensor(crow_indices, col_indices, values, size=None, *, dtype=None, device=None, pin_memory=False, requires_grad=False,
                      check_invariants=None):
    """A sparse matrix by rows: row i has the values crow_indices[i] to crow_indices[i + 1], in the columns that col_indices names."""
    values = _as_values(values, dtype, device)
    with _device_of(values):
        return _csr(crow_indices, col_indices, values, size, requires_grad)


def _csr(crow_indices, col_indices, values, size, requires_grad):
    starts, columns = _as_indices(crow_indices, values), _as_indices(col_indices, values)
    if starts.ndim != 1 or columns.ndim != 1 or values._data.ndim != 1:
        raise RuntimeError("sparse_csr_tensor: crow_indices, col_indices and values must be vectors; batches are not supported")
    fits = starts.size and int(starts[0]) == 0 and int(starts[-1]) == len(columns) == values.shape[0]
    if not fits or bool((starts[1:] < starts[:-1]).any()):
        raise RuntimeError(f"crow_indices must rise from 0 to nnz: there are {starts.size}, with {len(columns)} columns and "
                           f"{values.shape[0]} values")
    xp = for_device(values.device).xp
    rows = xp.repeat(xp.arange(len(starts) - 1), starts[1:] - starts[:-1])
    places = xp.stack([rows, columns])
    size = (len(starts) - 1, int(columns.max()) + 1 if columns.size else 0) if size is None else size
    pattern = Pattern(places, _size(places, values, size))
    if pattern.shape[0] != len(starts) - 1:
        raise RuntimeError(f"crow_indices must have one more element than there are rows: {len(starts)} for {pattern.shape[0]} rows")
    if not bool((pattern.flat[1:] > pattern.flat[:-1]).all()):
        raise RuntimeError("col_indices must be sorted and distinct within each row")
    out = ops.sparse_coo(values, pattern, True, "sparse_csr")
    return out.detach().requires_grad_() if requires_grad else out


# -- to and from dense tensors -----------------------------------------------------------------------------------------

def to_dense(self, dtype=None, *, masked_grad=None):
    """This tensor with its zeros; a dense tensor as it is."""
    out = dense(self)
    return out if dtype is None else out.to(dtype)


def to_sparse(self, sparse_dim=None, *, layout=None, blocksize=None, dense_dim=None):
    """The elements that are not zero, as a sparse tensor.  sparse_dim: dimensions with indices, by default all; the last ones stay dense."""
    name = (layout.name if layout is not None else "sparse_coo").rpartition(".")[2]
    if name not in ("sparse_coo", "sparse_csr") or blocksize is not None:
        raise NotImplementedError(f"to_sparse: the layouts here are sparse_coo and sparse_csr, not {name}")
    if is_sparse(self):
        return self if self._data.layout == name else _relaid(coalesced(self), name)
    n = self._data.ndim
    rank = n if sparse_dim is None else sparse_dim
    if not 0 <= rank <= n or (n and not rank):
        raise RuntimeError(f"dense_to_sparse: sparse_dim argument must be in [{min(n, 1)},{n}] range, but {sparse_dim} is given")
    array = self._data
    with _device_of(self):
        places = _filled(array, rank)
    pattern = Pattern(places, array.shape)
    rows = int(np.prod(array.shape[:rank], dtype=np.int64))
    values = ops.pick_rows(ops.reshape(self, (rows, *array.shape[rank:])), pattern.flat)
    if name == "sparse_csr" and n != 2:
        raise RuntimeError(f"to_sparse_csr: a matrix is needed, not shape {list(array.shape)}")
    return ops.sparse_coo(values, pattern, True, name)


def _filled(array, rank):
    """The places, among the first `rank` dimensions, of what is not zero.  (rank, nnz) int64"""
    xp, n = of_array(array).xp, array.ndim
    filled = array != 0
    if rank < n:
        filled = filled.any(tuple(range(rank, n)))
    return xp.stack(xp.nonzero(filled)).astype(np.int64) if n else xp.zeros((0, int(filled)), np.int64)


def _relaid(x, layout):
    if layout == "sparse_csr" and len(x.shape) != 2:
        raise RuntimeError(f"to_sparse_csr: a matrix is needed, not shape {list(x.shape)}")
    return ops.sparse_coo(ops.sparse_values(x), x._data.pattern, True, layout)


def to_sparse_coo(self):
    """As a sparse_coo tensor."""
    return to_sparse(self)


def to_sparse_csr(self, dense_dim=None):
    """As a sparse_csr matrix."""
    return to_sparse(self, layout=LAYOUTS["sparse_csr"])


def sparse_mask(self, mask):
    """This tensor at the places of the sparse tensor `mask` -> sparse."""
    if not is_sparse(mask):
        raise RuntimeError("sparse_mask: the mask must be a sparse tensor")
    return masked(self, mask)


# -- their parts -------------------------------------------------------------------------------------------------------

def coalesce(self):
    """Places sorted, and the values at one place added up.  Itself when it is so already."""
    _expect("coalesce", self)
    return coalesced(self)


def is_coalesced(self):
    """Whether the places are known to be sorted and distinct."""
    return _expect("is_coalesced", self).coalesced


def _parts(name, self):
    raw = _expect(name, self, words="sparse tensor layout" if name == "values" else "sparse coordinate tensor layout")
    if not raw.coalesced:
        raise RuntimeError(f"Cannot get {name} on an uncoalesced tensor, please call .coalesce() first")
    return raw


def indices(self):
    """The places of a coalesced tensor: int64 (sparse dims, nnz)."""
    return wrap(_parts("indices", self).indices)


def values(self):
    """The values of a coalesced tensor: (nnz, *dense dims), through which gradients flow."""
    if layout_of(self) != "sparse_csr":
        _parts("values", self)
    return ops.sparse_values(self)


def _indices(self):
    return wrap(_expect("_indices", self).indices)


def _values(self):
    return wrap(_expect("_values", self).values)


def _nnz(self):
    if not is_sparse(self):
        raise NotImplementedError("_nnz() counts the values of a sparse tensor, and this one is dense; make it sparse with .to_sparse()")
    return len(self._data.values)


def sparse_dim(self):
    """Number of dimensions that have indices."""
    return self._data.pattern.rank if is_sparse(self) else 0


def dense_dim(self):
    """Number of dimensions that the values have besides."""
    return self._data.ndim - sparse_dim(self)


def crow_indices(self):
    """Of a sparse_csr matrix: where each row begins, and the number of values."""
    return wrap(_expect("crow_indices", self, "sparse_csr", "sparse row compressed tensor layout").pattern.by_row[3])


def col_indices(self):
    """Of a sparse_csr matrix: the column of each value."""
    return wrap(_expect("col_indices", self, "sparse_csr", "sparse row compressed tensor layout").indices[1])


def spmm(input, mat2):
    """The matrix product, of which the first operand is sparse."""
    return ops.matmul(input, mat2)


CONSTANTS = {"layout": dtypes.Name}
FUNCTIONS = {"sparse_coo_tensor": sparse_coo_tensor, "sparse_csr_tensor": sparse_csr_tensor, "spmm": spmm}
METHODS = {
    "to_dense": to_dense, "to_sparse": to_sparse, "to_sparse_coo": to_sparse_coo, "to_sparse_csr": to_sparse_csr, "sparse_mask": sparse_mask,
    "coalesce": coalesce, "is_coalesced": is_coalesced, "indices": indices, "values": values, "_indices": _indices, "_values": _values,
    "_nnz": _nnz, "sparse_dim": sparse_dim, "dense_dim": dense_dim, "crow_indices": crow_indices, "col_indices": col_indices,
    "layout": property(lambda self: LAYOUTS[layout_of(self)], doc="How the elements are laid out: strided, sparse_coo or sparse_csr."),
    "is_sparse": property(lambda self: layout_of(self) == "sparse_coo", doc="Whether the layout is sparse_coo."),
    "is_sparse_csr": property(lambda self: layout_of(self) == "sparse_csr", doc="Whether the layout is sparse_csr."),
}
INPLACE = {}

"""Reading and writing at indices along one dimension and at masks, in torch's words."""
import math

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.errors import beside_each_other
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor, wrap
from ..ops.indexing import MOST
from ..ops.scatter_reduce import REDUCTIONS
from ..ops.shape import wrap_dim
from . import _index
from ._write import beside
from .shape import broadcast_shapes

METHODS = {}


def _both_forms(arguments):
    """The function and, among METHODS, the in-place method of a write, from what gives its (op, target, other inputs, attributes)."""
    name = arguments.__name__

    def function(input, *args, **kwargs):
        op, target, others, attrs = arguments(input, *args, **kwargs)
        out = op.apply((target, *others), attrs)
        return out if input._data.ndim else ops.reshape(out, ())

    def in_place(self, *args, **kwargs):
        op, target, others, attrs = arguments(self, *args, **kwargs)
        apply_inplace(op, target, others, attrs)
        return self
    function.__name__, in_place.__name__ = name, f"{name}_"
    function.__doc__, in_place.__doc__ = arguments.__doc__, f"In-place form of `{name}`: writes the result over this tensor and returns it."
    METHODS[name], METHODS[f"{name}_"] = function, in_place
    return function


def _with_dims(x):
    """A 0-d tensor as a view of one dimension; others as they are."""
    return x if not isinstance(x, Tensor) or x._data.ndim else ops.reshape(x, (1,))


def _check_indices(name, input, index):
    if not isinstance(index, Tensor):
        raise TypeError(f"{name}(): argument 'index' must be Tensor, not {type(index).__name__}")
    if index._data.dtype.kind != "i" or index._data.itemsize < 4:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index, but got {index.dtype}")
    beside_each_other(name, input, index)


def _check_bounds(index, n, error, words):
    """`error` with torch's words when a host index lies outside 0 ... n - 1.  (A device index is not looked at: that would wait for it.)"""
    a = index._data
    if type(a) is np.ndarray and a.size and a.view(f"u{a.itemsize}").max() >= n:  # a negative number is a very large unsigned one
        low, high = int(a.min()), int(a.max())
        raise error(words.format(low if low < 0 else high))


# -- whole rows --------------------------------------------------------------------------------------------------------

def index_select(input, dim, index):
    """The places `index` (1-d) of dimension `dim`.  (*a, n, *b), (i) -> (*a, i, *b)"""
    x, dim, index = _rows(input, dim, index, "index_select", IndexError)
    return ops.take(x, index if input._data.ndim else ops.reshape(index, ()), dim)


def _rows(input, dim, index, name, error):
    _check_indices(name, input, index)
    if index._data.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but it has shape {list(index._data.shape)}")
    x = _with_dims(input)
    dim = wrap_dim(dim, input._data.ndim)
    n = x._data.shape[dim]
    _check_bounds(index, n, error, f"{name}(): index out of range in self: dimension {dim} has {n} places, and an index is {{}}")
    return x, dim, _with_dims(index)


def _rows_put(name, input, dim, index, source, error, accumulate=False):
    x, dim, index = _rows(input, dim, index, name, error)
    source = _with_dims(source)
    if isinstance(source, Tensor):
        if source._data.dtype != input._data.dtype:
            raise RuntimeError(f"{name}(): self ({input.dtype}) and source ({source.dtype}) must have the same scalar type")
        want = (*x._data.shape[:dim], index._data.size, *x._data.shape[dim + 1:])
        if source._data.shape != want:
            raise error(f"{name}(): the source has shape {list(source._data.shape)}, but the indexed part of the tensor {list(want)}")
    return ops.index_put.op, x, (source, index, *[None] * (MOST - 1)), {"dims": (dim,), "accumulate": accumulate}


@_both_forms
def index_add(input, dim, index, source, *, alpha=1):
    """`input` with alpha * source added at the places `index` of dimension `dim`; an index that repeats adds repeatedly."""
    return _rows_put("index_add", input, dim, index, source if alpha == 1 else source * alpha, RuntimeError, True)


@_both_forms
def index_copy(input, dim, index, source):
    """`input` with the rows of `source` at the places `index` of dimension `dim`."""
    return _rows_put("index_copy", input, dim, index, source, IndexError)


@_both_forms
def index_fill(input, dim, index, value):
    """`input` with the number `value` (or a 0-d tensor) at the places `index` of dimension `dim`."""
    if isinstance(value, Tensor) and value._data.ndim:
        raise RuntimeError(f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value._data.ndim} dimension(s).")
    x, dim, index = _rows(input, dim, index, "index_fill", IndexError)
    return ops.index_put.op, x, (value, index, *[None] * (MOST - 1)), {"dims": (dim,), "accumulate": False}


# -- one index per element ---------------------------------------------------------------------------------------------

def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1.  -> the shape of `index`, which may be smaller than `input` except along `dim`"""
    x, dim, index = _elements("gather", input, dim, index)
    out = ops.take_along_axis(x, index, dim)
    return out if input._data.ndim else ops.reshape(out, ())


def _elements(name, input, dim, index, role="input"):
    _check_indices(name, input, index)
    x, i = _with_dims(input), _with_dims(index)
    dim = wrap_dim(dim, input._data.ndim)
    have, want = i._data.shape, x._data.shape
    if len(have) != len(want):
        raise RuntimeError(f"Index tensor must have the same number of dimensions as {role} tensor: {list(have)} and {list(want)}")
    for d, (a, b) in enumerate(zip(have, want)):
        if a > b and d != dim and i._data.size:
            raise RuntimeError(f"Size does not match at dimension {d} expected index {list(have)} to be no larger than self {list(want)} "
                               f"apart from dimension {dim}")
    _check_bounds(i, want[dim], RuntimeError, f"index {{}} is out of bounds for dimension {dim} with size {want[dim]}")
    return x, dim, i


def _scattered(name, input, dim, index, src, accumulate=False):
    x, dim, index = _elements(name, input, dim, index, "self")
    if isinstance(src, Tensor):
        if src._data.dtype != input._data.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype, but they are {input.dtype} and {src.dtype}")
        src, have = _with_dims(src), index._data.shape
        if src._data.ndim != len(have):
            raise RuntimeError(f"Index tensor must have the same number of dimensions as src tensor: {list(have)} and {list(src._data.shape)}")
        if any(a > b for a, b in zip(have, src._data.shape)):
            raise RuntimeError(f"Expected index {list(have)} to be no larger than src {list(src._data.shape)}")
        if src._data.shape != have:
            src = ops.getitem(src, tuple([slice(n) for n in have]))
    return ops.scatter.op, x, (index, src), {"axis": dim, "accumulate": accumulate}


@_both_forms
def scatter(input, dim, index, src=None, value=None, *, reduce=None):
    """`input` with out[i][index[i][j]] = src[i][j] for dim 1; `src` is a tensor that reaches as far as `index`, or a number.

    reduce: None, "add" or "multiply".
    """
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter(): missing the values: pass src, a tensor, or value, a number")
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    if reduce == "multiply":
        return _reduced("scatter", input, dim, index, src, "prod", True)
    return _scattered("scatter", input, dim, index, src, reduce == "add")


@_both_forms
def scatter_add(input, dim, index, src):
    """`input` with src[i][j] added at out[i][index[i][j]] for dim 1; an index that repeats adds repeatedly."""
    if not isinstance(src, Tensor):
        raise TypeError(f"scatter_add(): argument 'src' must be Tensor, not {type(src).__name__}")
    return _scattered("scatter_add", input, dim, index, src, True)


@_both_forms
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """The elements of `src` reduced into the places that `index` names along `dim`: by "sum", "prod", "mean", "amax" or "amin".

    include_self: what was there takes part; otherwise it is replaced.
    """
    if reduce not in REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    return _reduced("scatter_reduce", input, dim, index, src, reduce, include_self)


@_both_forms
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """The rows of `source` reduced into the places `index` (1-d) of dimension `dim`: by "prod", "mean", "amax" or "amin"."""
    if reduce not in REDUCTIONS[1:]:
        raise RuntimeError(f"reduce argument must be either prod, mean, amax or amin, got {reduce}.")
    _rows_put("index_reduce", input, dim, index, source, IndexError)
    x, dim, index = _rows(input, dim, index, "index_reduce", IndexError)
    source = _with_dims(source)
    places = ops.broadcast_to(ops.reshape(index, (-1, *(1,) * (source._data.ndim - dim - 1))), source._data.shape)
    return ops.scatter_reduce.op, x, (places, source), {"axis": dim, "reduce": reduce, "include_self": bool(include_self)}


def _reduced(name, input, dim, index, src, reduce, include_self):
    if not isinstance(src, Tensor):
        src = ops.full_like(index, src, input.dtype)
    op, x, (index, src), attrs = _scattered(name, input, dim, index, src)
    return ops.scatter_reduce.op, x, (index, src), {"axis": attrs["axis"], "reduce": reduce, "include_self": bool(include_self)}


def take(input, index):
    """Elements of `input`, flattened, at the places `index`, which may count from the end.  -> the shape of `index`"""
    _check_indices("take", input, index)
    n, a = input._data.size, index._data
    if type(a) is np.ndarray and a.size and (a.min() < -n or a.max() >= n):
        raise IndexError(f"out of range: tried to access index {a.max() if a.max() >= n else a.min()} on a tensor of {n} elements.")
    return ops.index(ops.reshape(input, (-1,)), index)


def take_along_dim(input, indices, dim=None):
    """`gather` with broadcasting: `input` and `indices` are expanded to one shape except along `dim` (None: both flattened)."""
    if dim is None:
        return gather(ops.reshape(input, (-1,)), 0, ops.reshape(indices, (-1,)))
    a, b = input._data.shape, indices._data.shape
    if len(a) != len(b):
        raise RuntimeError(f"take_along_dim(): input and indices should have the same number of dimensions, but got {len(a)} dimensions for "
                           f"input, and {len(b)} dimensions for indices")
    dim = wrap_dim(dim, len(a))
    common = list(broadcast_shapes((*a[:dim], 1, *a[dim + 1:]), (*b[:dim], 1, *b[dim + 1:])))
    return gather(ops.broadcast_to(input, (*common[:dim], a[dim], *common[dim + 1:])), dim,
                  ops.broadcast_to(indices, (*common[:dim], b[dim], *common[dim + 1:])))


# -- masks -------------------------------------------------------------------------------------------------------------

@_both_forms
def masked_fill(input, mask, value):
    """`input` with the number `value` (or a 0-d tensor) where `mask` is True; input and mask broadcast."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"masked_fill(): argument 'mask' must be Tensor, not {type(mask).__name__}")
    return ops.masked_fill.op, input, (mask, beside(value, input)), {}


def masked_select(input, mask):
    """The elements of `input` where `mask` is True, in row-major order; the two broadcast.  -> (count)"""
    if mask._data.dtype.kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {mask.dtype}")
    beside_each_other("masked_select", input, mask)
    shape = broadcast_shapes(input._data.shape, mask._data.shape)
    flat = ops.reshape(ops.broadcast_to(input, shape), (-1,))
    (where,) = _index.places(ops.reshape(ops.broadcast_to(mask, shape), (-1,))._data)
    return ops.index(flat, wrap(where))


@_both_forms
def masked_scatter(input, mask, source):
    """`input` with the first elements of `source`, in row-major order, where `mask` is True.  RuntimeError when there are too few."""
    if mask._data.dtype.kind != "b":
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}")
    beside_each_other("masked_scatter", input, mask, source)
    xp = of_array(input._data).xp
    shape = broadcast_shapes(input._data.shape, mask._data.shape)
    x = _with_dims(input if input._data.shape == shape else ops.broadcast_to(input, shape))
    where = [wrap(a) for a in _index.places(xp.broadcast_to(mask._data, x._data.shape))]
    count = where[0]._data.size
    if count > source._data.size:
        raise RuntimeError(f"Number of elements of source < number of ones in mask: {source._data.size} and {count}")
    values = ops.getitem(ops.reshape(source, (-1,)), (slice(count),))
    return ops.index_put.op, x, (values, *where, *[None] * (MOST - len(where))), {"dims": tuple(range(len(where))), "accumulate": False}


def nonzero(input, *, as_tuple=False):
    """The indices of the elements that are not zero, in row-major order.  (*d) -> (count, len(d)) int64, or as_tuple: a tensor per dimension"""
    if as_tuple:
        return ops.unstack(ops.argwhere(_with_dims(input)), 1)
    return ops.argwhere(input)


def put_(self, index, source, accumulate=False):
    """In place: the elements of this tensor, seen flattened, at the places `index` become those of `source` (or grow by them)."""
    _check_indices("put_", self, index)
    if index._data.size != source._data.size:
        raise RuntimeError(f"put_(): Expected source and index to have the same number of elements, but got source.numel() = {source._data.size}, "
                           f"index.numel() = {index._data.size}")
    backend = of_array(index._data)
    with backend.on_device_of(index._data):
        at = backend.xp.unravel_index(index._data.reshape(-1) % max(math.prod(self._data.shape), 1), self._data.shape)
        at = [wrap(backend.asarray(a)) for a in at]
    others = (ops.reshape(source, (-1,)), *at, *[None] * (MOST - len(at)))
    apply_inplace(ops.index_put.op, self, others, {"dims": tuple(range(len(at))), "accumulate": bool(accumulate)})
    return self


def put(input, index, source, accumulate=False):
    """`put_` on a copy: `source` at the places `index` of the flattened tensor, added there when `accumulate`."""
    return put_(ops.copy(input), index, source, accumulate)


FUNCTIONS = {
    "index_select": index_select, "index_add": index_add, "index_copy": index_copy, "index_fill": index_fill, "gather": gather,
    "scatter": scatter, "scatter_add": scatter_add, "scatter_reduce": scatter_reduce, "index_reduce": index_reduce,
    "take": take, "take_along_dim": take_along_dim, "masked_fill": masked_fill,
    "masked_select": masked_select, "masked_scatter": masked_scatter, "nonzero": nonzero, "argwhere": nonzero,
}
METHODS.update({n: FUNCTIONS[n] for n in ("index_select", "gather", "take", "take_along_dim", "masked_select", "nonzero", "argwhere")})
METHODS.update(put_=put_, put=put)
FUNCTIONS["put"] = put
INPLACE = {}

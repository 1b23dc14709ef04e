"""Reductions in torch's words.

`dim` is None (everything), an int or several; keepdim leaves the reduced dimensions in place, as 1; dtype: convert to it first.  NumPy's
`axis` and `keepdims` are understood too, as in torch.  IndexError for a dimension that does not exist.
"""
import builtins
import math

from .. import ops
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._dtypes import as_dtype, of_numpy
from ..ops.shape import wrap_dim
from ._results import named

MaxResult = named("max", ("values", "indices"))
MinResult = named("min", ("values", "indices"))
MedianResult = named("median", ("values", "indices"))
AminmaxResult = named("aminmax", ("min", "max"))


# -- arguments ---------------------------------------------------------------------------------------------------------

def axes_of(input, dim, name):
    """`dim` as the ops want it: None for everything, else a tuple of axes counted from the front (an int for one)."""
    n = input._data.ndim
    if dim is None:
        return None
    if isinstance(dim, int) and not isinstance(dim, bool):
        axis = wrap_dim(dim, n)
        return axis if n else None
    if not isinstance(dim, (tuple, list)) or not builtins.all(isinstance(d, int) for d in dim):
        raise TypeError(f"{name}(): argument 'dim' must be int or tuple of ints, not {dim!r}")
    axes = [wrap_dim(d, n) for d in dim]
    for a in axes:
        if axes.count(a) > 1:
            raise RuntimeError(f"dim {a} appears multiple times in the list of dims")
    return tuple(axes) if axes and n else None


def axis_of(input, dim, name):
    """One dimension, counted from the front."""
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise TypeError(f"{name}(): argument 'dim' must be int, not {type(dim).__name__}")
    return wrap_dim(dim, input._data.ndim)


def _cast(input, dtype):
    """`input` as `dtype`, unless that is None or what it is already."""
    if dtype is None or as_dtype(dtype).np == input._data.dtype:
        return input
    return ops.astype(input, as_dtype(dtype).np)


def _check_tensor(input, name):
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")


def _reduction(op, name, doc, takes_dtype=False, all_axes=False):
    """A reduction with torch's usual arguments.  all_axes: without `dim` the op is told every dimension, because its gradient differs then."""
    if takes_dtype:
        def reduce(input, dim=None, keepdim=False, *, dtype=None, axis=None, keepdims=False):
            if dim is None and axis is None and dtype is None and not keepdim and not keepdims and input.__class__ is Tensor:
                return op(input)
            _check_tensor(input, name)
            return op(_cast(input, dtype), axes_of(input, axis if dim is None else dim, name), keepdim or keepdims)
    else:
        def reduce(input, dim=None, keepdim=False, *, axis=None, keepdims=False):  # type: ignore[misc]
            _check_tensor(input, name)
            axes = axes_of(input, axis if dim is None else dim, name)
            return op(input, tuple(range(input._data.ndim)) if axes is None and all_axes and input._data.size else axes, keepdim or keepdims)
    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = doc
    return reduce


# -- sums, products, averages ------------------------------------------------------------------------------------------

sum = _reduction(ops.sum, "sum", "The sum; of integers and bools in int64 unless dtype says otherwise.", takes_dtype=True)
mean = _reduction(ops.mean, "mean", "The average.  RuntimeError for integers, unless dtype= makes them floats.", takes_dtype=True)
amax = _reduction(ops.amax, "amax", "The largest elements; ties share the gradient evenly.", all_axes=True)
amin = _reduction(ops.amin, "amin", "The smallest elements; ties share the gradient evenly.", all_axes=True)
_any = _reduction(ops.any, "any", "Whether any element is not zero.")
_all = _reduction(ops.all, "all", "Whether no element is zero.")


def any(input, dim=None, keepdim=False, *, axis=None, keepdims=False):
    """Whether any element is not zero: bool (uint8 for uint8)."""
    return _truth(_any, input, axis if dim is None else dim, keepdim or keepdims)


def all(input, dim=None, keepdim=False, *, axis=None, keepdims=False):
    """Whether no element is zero: bool (uint8 for uint8)."""
    return _truth(_all, input, axis if dim is None else dim, keepdim or keepdims)


def _truth(reduce, input, dim, keepdim):
    if isinstance(dim, (tuple, list)) and not dim:  # torch: an empty list of dimensions means none here, and everything elsewhere
        return ops.not_equal(input, 0)
    return reduce(input, dim, keepdim)


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over one dimension or everything; of integers and bools in int64 unless dtype says otherwise."""
    return ops.prod(_cast(input, dtype), None if dim is None else _one_or_all(input, dim, "prod"), keepdim)


def _one_or_all(input, dim, name):
    """One dimension; None, everything, for a 0-d tensor."""
    axis = axis_of(input, dim, name)
    return axis if input._data.ndim else None


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum, nan counted as zero."""
    input = _cast(input, dtype)
    if input._data.dtype.kind not in "fV":
        return sum(input, dim, keepdim)
    return ops.nansum(input, axes_of(input, dim, "nansum"), keepdim)


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The average of what is not nan."""
    input = _cast(input, dtype)
    if input._data.dtype.kind not in "fVc":
        raise RuntimeError(f"nanmean(): expected input to have floating point or complex dtype but got {of_numpy(input._data.dtype).name}")
    return ops.divide(nansum(input, dim, keepdim), sum(ops.equal(input, input), dim, keepdim))


def count_nonzero(input, dim=None):
    """How many elements are not zero, in int64."""
    return sum(ops.not_equal(input, 0), dim)


def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(input))) over `dim`, without overflow on the way."""
    return ops.logsumexp(input, axes_of(input, dim, "logsumexp"), keepdim)


# -- spread round the mean ---------------------------------------------------------------------------------------------

def _spread(op, input, dim, unbiased, correction, keepdim, name):
    if isinstance(dim, bool):  # torch's older form: var(unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return op(input, axes_of(input, dim, name), correction, keepdim)


def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance over n - correction elements; correction is 1 by default, 0 with unbiased=False."""
    return _spread(ops.var, input, dim, unbiased, correction, keepdim, "var")


def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation: the square root of `var`."""
    return _spread(ops.std, input, dim, unbiased, correction, keepdim, "std")


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean)"""
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(standard deviation, mean)"""
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, None if isinstance(dim, bool) else dim, keepdim)


# -- extremes ----------------------------------------------------------------------------------------------------------

def _extreme(input, dim, keepdim, name, everything, along, between, result):
    """max and min: of everything, along a dimension with indices, or of two tensors element by element."""
    if dim is None:
        if not input._data.size:
            raise RuntimeError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
                               "the 'dim' argument.")
        return everything(input)
    if isinstance(dim, Tensor):
        return between(input, dim)
    axis = axis_of(input, dim, name)
    if not input._data.ndim:
        return result(ops.copy(input), ops.argmax(input))
    return result(*along(input, axis, keepdim))


def max(input, dim=None, keepdim=False, *, other=None):
    """max(x): the largest element.  max(x, dim): (values, indices) along `dim`, the first of ties.  max(x, y): the larger of both."""
    return _extreme(input, other if dim is None else dim, keepdim, "max", ops.amax, ops.max_along, ops.maximum, MaxResult)


def min(input, dim=None, keepdim=False, *, other=None):
    """min(x): the smallest element.  min(x, dim): (values, indices) along `dim`, the first of ties.  min(x, y): the smaller of both."""
    return _extreme(input, other if dim is None else dim, keepdim, "min", ops.amin, ops.min_along, ops.minimum, MinResult)


def aminmax(input, *, dim=None, keepdim=False):
    """(min, max) of everything or along `dim`."""
    axis = None if dim is None else _one_or_all(input, dim, "aminmax")
    return AminmaxResult(ops.amin(input, axis, keepdim), ops.amax(input, axis, keepdim))


def argmax(input, dim=None, keepdim=False):
    """Where the largest element is, along `dim` or, without it, in the flattened tensor; the first of ties."""
    return ops.argmax(input, None if dim is None else _one_or_all(input, dim, "argmax"), keepdim)


def argmin(input, dim=None, keepdim=False):
    """Where the smallest element is, along `dim` or, without it, in the flattened tensor; the first of ties."""
    return ops.argmin(input, None if dim is None else _one_or_all(input, dim, "argmin"), keepdim)


def median(input, dim=None, keepdim=False):
    """median(x): the middle element, the lower of two.  median(x, dim): (values, indices) along `dim`.  nan where there is one."""
    if dim is None:
        return ops.median(input)
    return MedianResult(*ops.median_along(input, axis_of(input, dim, "median"), keepdim))


# -- running sums and norms --------------------------------------------------------------------------------------------

def cumsum(input, dim, *, dtype=None):
    """out[i] = input[0] + ... + input[i] along `dim`."""
    return ops.cumsum(_cast(input, dtype), axis_of(input, dim, "cumsum"))


def cumprod(input, dim, *, dtype=None):
    """out[i] = input[0] * ... * input[i] along `dim`."""
    return ops.cumprod(_cast(input, dtype), axis_of(input, dim, "cumprod"))


def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """(sum |x|^p)^(1/p) over `dim`; "fro" is p = 2, inf and -inf the largest and smallest |x|, 0 counts what is not zero."""
    if p is None or p == "fro":
        p = 2
    if isinstance(p, str):
        raise RuntimeError(f"norm: order {p!r} is not supported; p is a number, inf, -inf or 'fro'")
    return vector_norm(input, p, dim, keepdim, dtype=dtype)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """linalg.vector_norm: (sum |x|^ord)^(1/ord).  RuntimeError for integers, and for inf norms of nothing."""
    x = _cast(x, dtype)
    if x._data.dtype.kind not in "fVc":
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {of_numpy(x._data.dtype).name}; "
                           "convert with .float()")
    axes = axes_of(x, dim, "norm")
    if math.isinf(ord) and not x._data.size:
        for a in range(x._data.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes:
            if not x._data.shape[a]:
                raise RuntimeError(f"linalg.vector_norm cannot compute the {ord} norm on the dimension {a} because this dimension is empty "
                                   "and the operation does not have an identity")
    return ops.vector_norm(x, ord, axes, keepdim)


def frobenius_norm(input, dim, keepdim=False):
    """The root of the sum of squares over `dim`: at most two dimensions; all for an empty list."""
    dim = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dim) > 2:
        raise RuntimeError(f"Expected at most 2 dimensions, but got {len(dim)} dimensions instead.")
    return vector_norm(input, 2, dim or None, keepdim)


def norm_except_dim(v, pow=2, dim=0):  # noqa: A002
    """The norm of order `pow` over all dimensions but `dim`, which are kept with size 1; dim = -1: over all."""
    if dim == -1:
        return vector_norm(v, pow)
    axis = wrap_dim(dim, v._data.ndim)
    return vector_norm(v, pow, tuple(a for a in builtins.range(v._data.ndim) if a != axis), True)


def cumsum_(self, dim):
    """In-place form of `cumsum`.  Returns self."""
    return apply_inplace(ops.cumsum.op, self, (), {"axis": axis_of(self, dim, "cumsum")})


def cumprod_(self, dim):
    """In-place form of `cumprod`.  Returns self."""
    return apply_inplace(ops.cumprod.op, self, (), {"axis": axis_of(self, dim, "cumprod")})


FUNCTIONS = {
    "frobenius_norm": frobenius_norm, "norm_except_dim": norm_except_dim,
    "sum": sum, "mean": mean, "amax": amax, "amin": amin, "any": any, "all": all, "prod": prod, "nansum": nansum, "nanmean": nanmean,
    "count_nonzero": count_nonzero, "logsumexp": logsumexp, "var": var, "std": std, "var_mean": var_mean, "std_mean": std_mean, "max": max,
    "min": min, "aminmax": aminmax, "argmax": argmax, "argmin": argmin, "median": median, "cumsum": cumsum, "cumprod": cumprod,
    "norm": norm,
}
METHODS = {**{name: f for name, f in FUNCTIONS.items() if name not in ("var_mean", "std_mean", "frobenius_norm", "norm_except_dim")},
           "cumsum_": cumsum_, "cumprod_": cumprod_}
INPLACE = {}

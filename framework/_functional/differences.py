"""Differences, integrals, distances, products of vectors, covariances: what a few simpler operations make up."""
import math

from .. import ops
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._dtypes import as_dtype, get_default_dtype
from ..ops.shape import wrap_dim
from .reductions import vector_norm


def _cut(x, axis, start, stop):
    return ops.getitem(x, (*(slice(None),) * axis, slice(start, stop)))


def diff(input, n=1, dim=-1, prepend=None, append=None):
    """Differences of neighbours along `dim`, taken n times over; prepend and append are joined on first.  Of bools: whether they differ."""
    if not input._data.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = wrap_dim(dim, input._data.ndim)
    parts = [t for t in (prepend, input, append) if t is not None]
    x = ops.concatenate(parts, axis) if len(parts) > 1 else input
    if not n:
        return ops.copy(x)
    minus = ops.not_equal if x._data.dtype.kind == "b" else ops.subtract
    for _ in range(min(n, x._data.shape[axis])):
        x = minus(_cut(x, axis, 1, None), _cut(x, axis, None, -1))
    return x


def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral of `y` along `dim` by the trapezoidal rule, at the points `x` (1-d, or shaped as y) or `dx` (1) apart."""
    return ops.sum(_areas("trapezoid", y, x, dx, dim), wrap_dim(dim, y._data.ndim))


def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integrals up to each point: `trapezoid`'s areas, summed up.  (*, n) -> (*, n - 1)"""
    return ops.cumsum(_areas("cumulative_trapezoid", y, x, dx, dim), wrap_dim(dim, y._data.ndim))


def _areas(name, y, x, dx, dim):
    axis = wrap_dim(dim, y._data.ndim)
    if x is None:
        width = 1 if dx is None else dx
    else:
        if x._data.ndim == 1 and x._data.shape[0] != y._data.shape[axis]:
            raise RuntimeError(f"{name}(): There must be one `x` value for each sample point: {x._data.shape[0]} and {y._data.shape[axis]}")
        width = diff(x, dim=dim if x._data.ndim > 1 else 0)
        width = ops.reshape(width, (-1, *(1,) * (y._data.ndim - axis - 1))) if x._data.ndim == 1 else width
    return (_cut(y, axis, 1, None) + _cut(y, axis, None, -1)) * width * 0.5


def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """The derivative along each of `dim` (all by default) from neighbouring values: of second order inside, of `edge_order` at the ends.

    spacing: a distance, a list of one per dimension, or a list of tensors with the coordinates along each.  -> a tuple of tensors, one per dimension
    The formulas are those of Fornberg 1988 for three points at any distances.
    """
    n = input._data.ndim
    axes = list(range(n)) if dim is None else [wrap_dim(d, n) for d in ([dim] if isinstance(dim, int) else dim)]
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    steps = [spacing] * len(axes) if not isinstance(spacing, (tuple, list)) else list(spacing)
    if len(steps) != len(axes):
        raise RuntimeError(f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length {len(axes)}, but it has {len(steps)}")
    return tuple(_derivative(input, axis, step, edge_order) for axis, step in zip(axes, steps))


def _derivative(x, axis, spacing, edge_order):
    n = x._data.shape[axis]
    if n < edge_order + 1:
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    if isinstance(spacing, Tensor):
        if spacing._data.ndim != 1 or spacing._data.shape[0] != n:
            raise RuntimeError(f"torch.gradient expected each `spacing` tensor to have {n} coordinates, but it has shape {list(spacing._data.shape)}")
        gaps = ops.reshape(diff(spacing), (-1, *(1,) * (x._data.ndim - axis - 1)))
        near, far = _cut(gaps, 0, None, -1), _cut(gaps, 0, 1, None)
        first, last = [_cut(gaps, 0, i, i + 1) for i in range(min(2, n - 1))], [_cut(gaps, 0, n - 2 - i, n - 1 - i) for i in range(min(2, n - 1))]
    else:
        near = far = spacing
        first = last = [spacing, spacing]
    points = [_cut(x, axis, i, i + 1) for i in (0, 1, n - 2, n - 1)]
    a, b, c = _cut(x, axis, None, -2), _cut(x, axis, 1, -1), _cut(x, axis, 2, None)
    inside = (b - a) * (far / (near * (near + far))) + (c - b) * (near / (far * (near + far))) if n > 2 else a
    start, end = (points[1] - points[0]) / first[0], (points[3] - points[2]) / last[0]
    if edge_order == 2:
        start = _at_the_edge(start, _cut(x, axis, 1, 2), _cut(x, axis, 2, 3), first, 1)
        end = _at_the_edge(end, _cut(x, axis, n - 2, n - 1), _cut(x, axis, n - 3, n - 2), last, -1)
    return ops.concatenate([start, *([inside] if n > 2 else []), end], axis)


def _at_the_edge(slope, nearest, next_one, gaps, sign):
    """The derivative at an end from the slope to its neighbour and that between the two after it."""
    beyond = (next_one - nearest) / gaps[1] * sign
    return slope + (slope - beyond) * (gaps[0] / (gaps[0] + gaps[1]))


# -- vectors and distances ---------------------------------------------------------------------------------------------

def cross(input, other, dim=None):
    """The vector product along `dim`, which has size 3; without it, along the first dimension of that size.  Broadcasts."""
    if dim is None:
        sizes = input._data.shape
        if 3 not in sizes:
            raise RuntimeError(f"no dimension of size 3 in input, whose shape is {list(sizes)}")
        dim = sizes.index(3)
    return linalg_cross(input, other, dim=dim)


def linalg_cross(input, other, *, dim=-1):
    """linalg.cross: the vector product along `dim`, which has size 3.  Broadcasts."""
    a, b = input._data.shape, other._data.shape
    if len(a) != len(b):
        raise RuntimeError(f"linalg.cross: inputs must have the same number of dimensions, but their shapes are {list(a)} and {list(b)}")
    axis = wrap_dim(dim, len(a))
    if a[axis] != 3 or b[axis] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {axis} must have length 3. Got {a[axis]} and {b[axis]}")
    x1, x2, y1, y2 = (ops.roll(t, -k, axis) for t in (input, other) for k in (1, 2))
    return x1 * y2 - x2 * y1


def cdist(x1, x2, p=2.0, compute_mode=None):
    """p-norm distances between all rows of two (batches of) matrices.  (*, n, d), (*, m, d) -> (*, n, m)"""
    _check_cdist(x1, x2, p)
    return vector_norm(ops.expand_dims(x1, -2) - ops.expand_dims(x2, -3), p, -1)


def _check_cdist(x1, x2, p):
    for name, t in (("X1", x1), ("X2", x2)):
        if t._data.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t._data.ndim}D")
    if x1._data.shape[-1] != x2._data.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1._data.shape[-1]} X2: {x2._data.shape[-1]}")
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, but p is {p}")


def pdist(input, p=2.0):
    """p-norm distances between all pairs of rows, each pair once.  (n, d) -> (n (n - 1) / 2)"""
    if input._data.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input._data.ndim}D")
    n = input._data.shape[0]
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    first, second = (input.new_tensor([pair[k] for pair in pairs], dtype="int64") for k in (0, 1))
    return vector_norm(ops.take(input, first, 0) - ops.take(input, second, 0), p, -1)


def dist(input, other, p=2):
    """The p-norm of input - other."""
    return vector_norm(input - other, p)


def renorm(input, p, dim, maxnorm):
    """Each slice along `dim` whose p-norm is above `maxnorm` scaled down to it."""
    if input._data.ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input._data.ndim} dimensions")
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: non-positive norm degree or negative maxnorm: p is {p}, maxnorm {maxnorm}")
    axis = wrap_dim(dim, input._data.ndim)
    norm = vector_norm(input, p, [d for d in range(input._data.ndim) if d != axis], True)
    return input * ops.where(norm > maxnorm, maxnorm / (norm + 1e-7), 1.0)


# -- covariances -------------------------------------------------------------------------------------------------------

def renorm_(self, p, dim, maxnorm):
    """In-place form of `renorm`.  Returns self."""
    return apply_inplace(ops.assign.op, self, (renorm(ops.copy(self), p, dim, maxnorm),), {})


def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) over observations (columns).  (v, n) -> (v, v); (n) -> ()

    fweights: how often each observation occurs, integers (n);  aweights: its weight (n)
    """
    if input._data.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input._data.ndim} dimensions")
    x = input if input._data.ndim == 2 else ops.reshape(input, (1, -1))
    x = ops.astype(x, get_default_dtype().np) if x._data.dtype.kind in "biu" else x
    weight = fweights if aweights is None else aweights if fweights is None else ops.multiply(fweights, aweights)
    if weight is None:
        total, mean = x._data.shape[1], ops.mean(x, 1, keepdims=True)
        scale = total - correction
    else:
        total = ops.sum(weight)
        mean = ops.sum(x * weight, 1, keepdims=True) / total
        scale = total - (correction if aweights is None else correction * ops.sum(weight * aweights) / total)
    off = x - mean
    turned = ops.swapaxes(ops.conj(off) if off._data.dtype.kind == "c" else off, 0, 1)
    out = ops.matmul(off if weight is None else off * weight, turned) / (scale if isinstance(scale, Tensor) else max(scale, 0) or math.nan)
    return out if input._data.ndim == 2 else ops.unsafe_reshape(out, ())


def corrcoef(input):
    """The correlation coefficients of variables (rows) over observations (columns).  (v, n) -> (v, v)"""
    c = cov(input)
    if not c._data.ndim:
        return c / c
    spread = ops.sqrt(ops.real(ops.diagonal(c)) if c._data.dtype.kind == "c" else ops.diagonal(c))
    return c / ops.expand_dims(spread, 1) / spread


def vander(x, N=None, increasing=False):  # noqa: N803 - torch's name
    """Powers of the elements of a vector side by side: x^(N - 1) ... x^0, or rising.  (n) -> (n, N)"""
    if x._data.ndim != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor, but it has shape {list(x._data.shape)}")
    count = x._data.size if N is None else N
    if count < 0:
        raise RuntimeError(f"N must be non-negative, but it is {count}")
    powers = list(range(count)) if increasing else list(range(count - 1, -1, -1))
    dtype = as_dtype("int64") if x._data.dtype.kind in "biu" else x.dtype
    return ops.power(ops.expand_dims(ops.astype(x, dtype.np), 1), x.new_tensor(powers, dtype=dtype))


def logcumsumexp(input, dim):
    """out[i] = log(exp(input[0]) + ... + exp(input[i])) along `dim`."""
    return ops.logcumsumexp(input, wrap_dim(dim, input._data.ndim))


FUNCTIONS = {
    "gradient": gradient,
    "diff": diff, "trapezoid": trapezoid, "trapz": trapezoid, "cumulative_trapezoid": cumulative_trapezoid, "cross": cross, "cdist": cdist,
    "pdist": pdist, "dist": dist, "renorm": renorm, "cov": cov, "corrcoef": corrcoef, "vander": vander, "logcumsumexp": logcumsumexp,
}
METHODS = {n: FUNCTIONS[n] for n in ("diff", "cross", "dist", "renorm", "cov", "corrcoef", "logcumsumexp")}
METHODS["renorm_"] = renorm_
INPLACE = {}

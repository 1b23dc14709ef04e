"""Quantiles, modes, medians that skip nan, histograms."""
import math

import numpy as np

from .. import ops
from .._backends import of_array
from .._core.tensor import Tensor
from ..ops.shape import wrap_dim
from ._results import named

ModeResult = named("mode", ("values", "indices"))
NanmedianResult = named("nanmedian", ("values", "indices"))
HistogramddResult = named("histogramdd", ("hist", "bin_edges"))
HistogramResult = named("histogram", ("hist", "bin_edges"))

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which the fraction `q` of the elements lies, along `dim` or, without it, of everything; nan where there is one.

    q: a number, or a tensor (k) in [0, 1], whose dimension comes first in the result.
    interpolation: between two elements: "linear", "lower", "higher", "midpoint", "nearest"
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skip=False)


def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of what is not nan."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skip=True)


def _quantile(name, input, q, dim, keepdim, interpolation, skip):
    q = q if isinstance(q, Tensor) else ops.full((), q, input.dtype, input.device)
    _check_quantile(name, input, q, interpolation)
    shape, n = input._data.shape, input._data.ndim
    axis = None if dim is None else wrap_dim(dim, n)
    line = ops.reshape(input, (-1,)) if axis is None or not n else ops.moveaxis(input, axis, -1)
    found = _between(line, ops.reshape(q, (-1,)), interpolation, skip)  # (*others, k)
    kept = tuple(1 if keepdim and (axis is None or i == axis) else m for i, m in enumerate(shape) if keepdim or not (axis is None or i == axis))
    found = ops.moveaxis(found, -1, 0)
    return ops.unsafe_reshape(found, (*q._data.shape, *kept))


def _check_quantile(name, input, q, interpolation):
    if not input._data.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if input._data.dtype.kind != "f" or input._data.itemsize < 4:
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype, but it is {input.dtype}")
    if q._data.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, but it has shape {list(q._data.shape)}")
    if q._data.dtype != input._data.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor: {q.dtype} and {input.dtype}")
    if bool(((q < 0) | (q > 1)).any()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1], but they are {q.tolist()}")
    if interpolation not in _METHODS:
        raise RuntimeError(f"{name}() interpolation must be one of {', '.join(_METHODS)}, but got {interpolation}")


def _between(line, q, interpolation, skip):
    """Quantiles `q` (k) of the last dimension: (*others, n) -> (*others, k)."""
    ranked, _ = ops.sort(line, -1)
    missing = ops.isnan(line)
    n = line._data.shape[-1]
    last = ops.sum(ops.logical_not(missing), -1, keepdims=True) - 1 if skip else ops.where(ops.any(missing, -1, keepdims=True), -1, n - 1)
    rank = ops.multiply(q, ops.maximum(last, 0))
    rank = ops.where(last < 0, n - 1, rank)  # nan stands at the end
    if interpolation == "nearest":
        rank = ops.round(rank)
    below = ops.ceil(rank) if interpolation == "higher" else ops.floor(rank)
    low = ops.take_along_axis(ranked, ops.astype(below, np.dtype(np.int64)), -1)
    if interpolation not in ("linear", "midpoint"):
        return low
    weight = 0.5 if interpolation == "midpoint" else rank - below
    high = ops.take_along_axis(ranked, ops.astype(ops.ceil(rank), np.dtype(np.int64)), -1)
    return low + (high - low) * weight


def nanmedian(input, dim=None, keepdim=False):
    """nanmedian(x): the middle of what is not nan, the lower of two.  nanmedian(x, dim): (values, indices) along `dim`."""
    if dim is None:
        return _nan_middle(ops.reshape(input, (-1,)), -1)[0][0] if input._data.size else ops.median(input)
    axis = wrap_dim(dim, input._data.ndim)
    if not input._data.ndim:
        return NanmedianResult(ops.copy(input), ops.zeros((), "int64", input.device))
    found = _nan_middle(input, axis)
    return NanmedianResult(*[t if keepdim else ops.squeeze(t, axis) for t in found])


def _nan_middle(x, axis):
    """(values, indices) of the middle along `axis`, the dimension kept."""
    at = ops.argsort(x, axis)
    count = ops.sum(ops.equal(x, x), axis, keepdims=True)
    middle = ops.maximum(ops.floor_divide(count - 1, 2), 0)
    place = ops.take_along_axis(at, middle, axis)
    return ops.take_along_axis(x, place, axis), place


def mode(input, dim=-1, keepdim=False):
    """(values, indices) of the most frequent element along `dim`, the smallest of several."""
    axis = wrap_dim(dim, input._data.ndim)
    if not input._data.ndim:
        return ModeResult(ops.copy(input), ops.zeros((), "int64", input.device))
    found = ops.mode(input, axis)
    return ModeResult(*[t if keepdim else ops.squeeze(t, axis) for t in found])


# -- histograms --------------------------------------------------------------------------------------------------------

def histc(input, bins=100, min=0, max=0):  # noqa: A002
    """How many elements lie in each of `bins` equal parts of [min, max]; of the range of the elements when both are 0."""
    if bins <= 0:
        raise RuntimeError(f"bins must be > 0, but got {bins} bins")
    if input._data.dtype.kind != "f":
        raise RuntimeError(f'"histogram_cpu" not implemented for {input.dtype}; convert with .float()')
    return ops.histogram_counts(input, None, _edges("histc", input, bins, min, max))


def _edges(name, input, bins, low, high):
    a = input._data
    if low == high and a.size:
        with of_array(a).on_device_of(a):
            low, high = float(a.min()), float(a.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min, but they are {high} and {low}")
    return tuple(np.linspace(low, high, bins + 1).tolist())


def histogram(input, bins, *, range=None, weight=None, density=False):  # noqa: A002
    """(hist, bin_edges): how many elements, or the sum of their weights, lie in each bin.

    bins: their number, in `range` or that of the elements, or a tensor of rising edges.  density: divided by the total and the bins' widths
    """
    if isinstance(bins, Tensor):
        edges = tuple(bins.tolist())
    else:
        edges = _edges("histogram", input, bins, *(range or (0, 0)))
    counts = ops.histogram_counts(input, weight, edges)
    bounds = input.new_tensor(edges)
    if density:
        counts = counts / ops.sum(counts) / (bounds[1:] - bounds[:-1])
    return HistogramResult(counts, bounds)


def histogramdd(input, bins, *, range=None, weight=None, density=False):  # noqa: A002
    """(hist, bin_edges) of points in D dimensions, the last dimension of `input` their coordinates.  (*, D) -> (b1, ..., bD)

    bins: a number for all dimensions, a list of one for each, or a list of tensors of edges.  range: (low, high) of each dimension in one flat list
    """
    points = input.detach()._data.reshape(-1, input._data.shape[-1])
    d = points.shape[-1]
    if input._data.dtype.kind != "f":
        raise RuntimeError(f'"histogramdd_cpu" not implemented for {input.dtype}; convert with .float()')
    bins = [bins] * d if isinstance(bins, int) else [bins] if isinstance(bins, Tensor) else list(bins)
    if len(bins) != d:
        raise RuntimeError(f"histogramdd: The size of bins should be equal to the innermost dimension of the input, {d}, but it is {len(bins)}")
    if range is not None and len(range) != 2 * d:
        raise RuntimeError(f"histogramdd: for a {d}-dimensional histogram, range should have {2 * d} elements, but got {len(range)}")
    bounds = [(0, 0)] * d if range is None else [range[2 * i:2 * i + 2] for i, _ in enumerate(bins)]
    edges = [tuple(b.tolist()) if isinstance(b, Tensor) else _edges("histogramdd", input.new_tensor(points[:, i]), b, *ends)
             for i, (b, ends) in enumerate(zip(bins, bounds))]
    weights = None if weight is None else weight.detach()._data.reshape(-1)
    host = of_array(points).to_host
    counts, _ = np.histogramdd(host(points), edges, weights=None if weights is None else host(weights))
    out, bounds = input.new_tensor(counts.astype(points.dtype)), tuple(input.new_tensor(e) for e in edges)
    if density:
        out = out / ops.sum(out)
        for i, b in enumerate(bounds):
            out = out / ops.reshape(b[1:] - b[:-1], (-1, *(1,) * (d - i - 1)))
    return HistogramddResult(out, bounds)


FUNCTIONS = {"histogramdd": histogramdd, "quantile": quantile, "nanquantile": nanquantile, "nanmedian": nanmedian, "mode": mode, "histc": histc,
             "histogram": histogram}
METHODS = {n: f for n, f in FUNCTIONS.items() if n != "histogramdd"}
INPLACE = {}

"""How an operation on slices becomes one on the whole batch: a family of operations, a way to shift its dimensions.

`run` gets the inputs as they are outside of vmap, with `dims`: per input the number of dimensions of a slice, or None for what is the same for all
slices.  A mapped input has the batch dimension first.
"""
from .._core.op import REGISTRY
from .._core.tensor import Tensor
from .._functional.creation import arange

ELEMENTWISE = frozenset((
    "absolute", "airy_ai", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "bessel_j0", "bessel_j1", "bessel_y0",
    "bessel_y1", "ceil", "cos", "cosh", "digamma", "erf", "erfc", "erfcx", "erfinv", "exp", "exp2", "expm1", "floor", "frac", "hardsigmoid",
    "hardswish", "i0", "i0e", "i1", "i1e", "invert", "isfinite", "isinf", "isnan", "lgamma", "log", "log10", "log1p", "log2", "log_ndtr",
    "log_sigmoid", "logical_not", "mish", "ndtri", "negative", "reciprocal", "relu", "rsqrt", "sgn", "sigmoid", "sign", "signbit", "silu", "sin",
    "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "add", "arctan2", "bitwise_and", "bitwise_or", "bitwise_xor", "copysign", "divide",
    "equal", "floor_divide", "fmax", "fmin", "fmod", "gcd", "greater", "greater_equal", "heaviside", "hypot", "lcm", "left_shift", "less",
    "less_equal", "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nextafter",
    "not_equal", "power", "remainder", "right_shift", "rsub", "squared_difference", "subtract", "trunc_divide", "xlog1py", "xlogy", "addcdiv",
    "addcmul", "clip", "where", "lerp", "masked_fill", "add_scaled", "elu", "gelu", "hardshrink", "softshrink", "hardtanh", "leaky_relu", "logit",
    "nan_to_num", "round", "softplus", "threshold", "smooth_l1", "huber", "isclose", "astype", "copy", "conj", "real", "imag",
))

REDUCING = frozenset((
    "all", "any", "amax", "amin", "logsumexp", "mean", "prod", "sum", "std", "var", "vector_norm",
))  # axis may be None, an int or several
ALONG = frozenset((
    "argmax", "argmin", "max_along", "min_along", "median_along", "cumprod", "cumsum", "cummax", "cummin", "logcumsumexp", "softmax",
    "log_softmax", "flip", "sort", "argsort", "topk", "kthvalue", "mode", "unfold", "unstack", "split",
))  # one axis


def run(batch, op, wholes, dims, attrs):
    """The outputs of `op` for all slices, batch dimension first."""
    rule = RULES.get(op.name)
    if rule is not None:
        found = rule(batch, op, wholes, dims, attrs)
        if found is not None:
            return found
    return slice_by_slice(batch, op, wholes, dims, attrs)


def slice_by_slice(batch, op, wholes, dims, attrs):
    """The definition: one slice after the other, stacked."""
    runs = []
    for k in range(batch.count):
        inputs = tuple(t if d is None else batch.below(_GETITEM, (t,), {"index": (k,)}) for t, d in zip(wholes, dims))
        runs.append(batch.below(op, inputs, attrs))
    if isinstance(runs[0], tuple):
        return [batch.below(_STACK, column, {"axis": 0}) for column in zip(*runs)]
    return batch.below(_STACK, tuple(runs), {"axis": 0})


_GETITEM, _STACK, _RESHAPE = REGISTRY["getitem"], REGISTRY["stack"], REGISTRY["reshape"]


# -- rules: what they cannot do they answer with None -------------------------------------------------------------------

def _aligned(batch, t, dim, n):
    """A mapped input with ones behind the batch dimension, so that its slices broadcast as n-dimensional ones."""
    if dim is None or dim == n:
        return t
    shape = t._data.shape
    return batch.below(_RESHAPE, (t,), {"shape": (shape[0], *(1,) * (n - dim), *shape[1:])})


def _most(wholes, dims):
    return max(t._data.ndim if d is None else d for t, d in zip(wholes, dims) if isinstance(t, Tensor))


def _elementwise(batch, op, wholes, dims, attrs):
    n = _most(wholes, dims)
    return batch.below(op, tuple(_aligned(batch, t, d, n) for t, d in zip(wholes, dims)), attrs)


def _shifted(axis, n):
    """An axis of a slice as one of the batch; None when there is no such axis."""
    return axis % n + 1 if n and -n <= axis < n else None


def _reducing(batch, op, wholes, dims, attrs):
    n, axis = dims[0], attrs["axis"]
    axes = range(n) if axis is None or axis == () else axis if isinstance(axis, (tuple, list)) else (axis,)
    shifted = tuple(_shifted(a, n) for a in axes)
    if not shifted or None in shifted:
        return None
    return batch.below(op, tuple(wholes), {**attrs, "axis": shifted if len(shifted) > 1 else shifted[0]})


def _along(batch, op, wholes, dims, attrs):
    axis = attrs["axis"]
    shifted = _shifted(axis, dims[0]) if isinstance(axis, int) else None
    return None if shifted is None else batch.below(op, tuple(wholes), {**attrs, "axis": shifted})


def _expand_dims(batch, op, wholes, dims, attrs):
    axis, n = attrs["axis"], dims[0] + 1
    return batch.below(op, tuple(wholes), {"axis": _shifted(axis, n)}) if isinstance(axis, int) and -n <= axis < n else None


def _squeeze(batch, op, wholes, dims, attrs):
    axis, shape = attrs["axis"], wholes[0]._data.shape[1:]
    axes = [i for i, n in enumerate(shape) if n == 1] if axis is None else axis if isinstance(axis, tuple) else (axis,)
    shifted = tuple(_shifted(a, dims[0]) for a in axes)
    return batch.below(op, tuple(wholes), {"axis": shifted}) if shifted and None not in shifted else None


def _reshape(batch, op, wholes, dims, attrs):
    shape = tuple(attrs["shape"])
    if -1 in shape:
        rest = 1
        for n in shape:
            rest *= 1 if n == -1 else n
        size = wholes[0]._data.size // batch.count
        if not rest or size % rest or shape.count(-1) > 1:
            return None
        shape = tuple(size // rest if n == -1 else n for n in shape)
    return batch.below(op, tuple(wholes), {"shape": (batch.count, *shape)})


def _broadcast_to(batch, op, wholes, dims, attrs):
    shape = tuple(attrs["shape"])
    if -1 in shape or len(shape) < dims[0]:
        return None
    return batch.below(op, (_aligned(batch, wholes[0], dims[0], len(shape)),), {"shape": (batch.count, *shape)})


def _transpose(batch, op, wholes, dims, attrs):
    axes, n = attrs["axes"], dims[0]
    axes = range(n)[::-1] if axes is None else axes
    return batch.below(op, tuple(wholes), {"axes": (0, *(a % n + 1 for a in axes))})


def _two_axes(batch, op, wholes, dims, attrs):
    shifted = {k: _shifted(attrs[k], dims[0]) for k in ("axis1", "axis2")}
    return None if None in shifted.values() else batch.below(op, tuple(wholes), {**attrs, **shifted})


def _is_plain(index):
    return isinstance(index, tuple) and all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in index)


def _getitem(batch, op, wholes, dims, attrs):
    return batch.below(op, tuple(wholes), {**attrs, "index": (slice(None), *attrs["index"])}) if _is_plain(attrs["index"]) else None


def _place(batch, op, wholes, dims, attrs):
    if not _is_plain(attrs["index"]):
        return None
    return batch.below(op, tuple(wholes), {"shape": (batch.count, *attrs["shape"]), "index": (slice(None), *attrs["index"])})


def _joining(batch, op, wholes, dims, attrs):
    n = _most(wholes, dims) + (op.name == "stack")
    shifted = _shifted(attrs["axis"], n)
    if shifted is None:
        return None
    return batch.below(op, tuple(batch.whole(t) if d is None else t for t, d in zip(wholes, dims)), {**attrs, "axis": shifted})


def _matmul(batch, op, wholes, dims, attrs):
    x, y = ((t._data.ndim if d is None else d) for t, d in zip(wholes, dims))
    if x < 2 or y < 2:
        return None
    return _elementwise(batch, op, wholes, dims, attrs)


def _linear(batch, op, wholes, dims, attrs):
    if not dims[0] or any(d is not None for d in dims[1:]):
        return None
    return batch.below(op, tuple(wholes), attrs)


def _last_two(batch, op, wholes, dims, attrs):
    return batch.below(op, tuple(wholes), attrs) if dims[0] >= 2 else None


def _convolution(batch, op, wholes, dims, attrs):
    """The batch goes into the dimension of examples."""
    x, weight = wholes[:2]
    if dims[0] is None or any(d is not None for d in dims[1:]) or dims[0] != weight._data.ndim:
        return None
    shape = x._data.shape
    flat = batch.below(_RESHAPE, (x,), {"shape": (shape[0] * shape[1], *shape[2:])})
    out = batch.below(op, (flat, *wholes[1:]), attrs)
    return batch.below(_RESHAPE, (out,), {"shape": (*shape[:2], *out._data.shape[1:])})


RULES = {
    **dict.fromkeys(ELEMENTWISE, _elementwise), **dict.fromkeys(REDUCING, _reducing), **dict.fromkeys(ALONG, _along),
    "expand_dims": _expand_dims, "squeeze": _squeeze, "reshape": _reshape, "unsafe_reshape": _reshape, "broadcast_to": _broadcast_to,
    "transpose": _transpose, "swapaxes": _two_axes, "diagonal": _two_axes, "getitem": _getitem, "select": _getitem, "place": _place,
    "concatenate": _joining, "stack": _joining, "matmul": _matmul, "linear": _linear, "tril": _last_two, "triu": _last_two,
    "convolution": _convolution, "conv_transpose": _convolution,
}


# -- operations that become others, on slices still ---------------------------------------------------------------------

def composed(batch, op, inputs, attrs):
    """The result of an operation made of other ones, where those have rules and it has none; None otherwise."""
    if op.name == "linear" and any(batch.holds(t) for t in inputs[1:]):
        x, weight, bias = inputs
        out = _apply("matmul", x, _apply("swapaxes", weight, axis1=-2, axis2=-1)) if weight._data.ndim == 2 else None
        return out if out is None or bias is None else _apply("add", out, bias)
    if op.name == "cross_entropy":
        return _cross_entropy(*inputs, **attrs)
    if op.name == "matmul" and min(t._data.ndim for t in inputs) == 1:
        x, y = inputs
        row, column = x._data.ndim == 1, y._data.ndim == 1
        out = _apply("matmul", _apply("expand_dims", x, axis=0) if row else x, _apply("expand_dims", y, axis=-1) if column else y)
        axes = (*(-2,) * row, *(-1,) * column)
        return _apply("squeeze", out, axis=axes if len(axes) > 1 else axes[0])
    return None


def _cross_entropy(x, target, weight, ignore_index, reduction, label_smoothing):
    """Of class numbers without weights: the logarithm of softmax, picked out by comparison."""
    if weight is not None or label_smoothing or target._data.dtype.kind not in "iu" or x._data.ndim != target._data.ndim + 1:
        return None
    axis = min(x._data.ndim - 1, 1)
    classes = arange(x._data.shape[axis]).reshape(-1, *(1,) * (x._data.ndim - 1 - axis))
    mine = _apply("equal", _apply("expand_dims", target, axis=axis), classes)
    loss = _apply("negative", _apply("sum", _apply("where", mine, _apply("log_softmax", x, axis=axis), 0.0), axis=axis))
    counts = _apply("not_equal", target, ignore_index)
    loss = _apply("where", counts, loss, 0.0)
    if reduction == "none":
        return loss
    total = _apply("sum", loss)
    return total if reduction == "sum" else _apply("divide", total, _apply("sum", _apply("astype", counts, dtype=x._data.dtype)))


def _apply(name, *inputs, **attrs):
    op = REGISTRY[name]
    return op.apply(inputs, {**op.attrs, **attrs})

"""Convolution and its two adjoints on CuPy arrays, by cuDNN; without it by products of matrices, a few images at a time.

Images keep their order: where the input or the weight has its channels last, so has the result, and nothing is converted on the way through a net.
"""
import math
import threading

from .._config import CUDNN, DETERMINISTIC, TF32
from .._libraries import choice
from .._libraries.convolution import Convolution
from ..ops._layout import channels_last, dense, empty, steps
from ..ops._run import run
from ..ops._windows import add_windows, padded, windows
from ..ops.conv import check, conv_transpose, conv_weight, convolution, grouped
from ..ops.reductions import sum_
from .family import CODES
from .gemm import multiply

DIMENSIONS = 3  # spatial dimensions that cuDNN knows; one is told as two
WINDOW_BYTES = 1 << 27  # of copied windows at a time, without cuDNN
_PLANS, _lock = {}, threading.Lock()


# -- by cuDNN ----------------------------------------------------------------------------------------------------------

def _compute(xp, operation, w, x, y, result, geometry, bias=None):
    """Run one operation of cuDNN.  w, x, y: arrays, of which the one named `result` is a shape, and is made here.  None where cuDNN has no way.

    geometry: (stride, padding, dilation);  bias: contiguous, added in the same pass
    """
    arrays = [a for a in (w, x, y) if hasattr(a, "dtype")]
    device = arrays[0].device.id
    planner = choice.graphs(xp, device) if CUDNN["enabled"] else None
    shapes = [a.shape if hasattr(a, "dtype") else tuple(a) for a in (w, x, y)]
    if planner is None or not 3 <= len(shapes[0]) <= DIMENSIONS + 2 or arrays[0].dtype.char not in CODES or not all(map(math.prod, shapes)):
        return None
    last = any(map(channels_last, arrays))
    dtype = arrays[0].dtype
    w, x, y = [dense(xp, a, last) if hasattr(a, "dtype") else empty(xp, a, dtype, last) for a in (w, x, y)]
    bits = w.data.ptr | x.data.ptr | y.data.ptr | 16 | (bias.data.ptr if bias is not None else 0)
    same_bits = CUDNN["deterministic"] or DETERMINISTIC["on"]
    key = (planner, operation, CODES[dtype.char], *shapes, last, geometry, bias is not None, TF32["conv"], same_bits, CUDNN["benchmark"],
           bits & -bits)
    addresses = w.data.ptr, x.data.ptr, y.data.ptr, *(() if bias is None else (bias.data.ptr,))
    plan = _PLANS.get(key)
    if plan is None:
        with _lock:
            plan = _PLANS[key] = _plan(xp, device, key, addresses) or False
    if plan is False:
        return None
    _run(xp, device, plan, addresses)
    return {"w": w, "x": x, "y": y}[result]


def _run(xp, device, plan, addresses):
    room = xp.cuda.alloc(plan.workspace) if plan.workspace else None
    plan.run(addresses, 0 if room is None else room.ptr, xp.cuda.get_current_stream(device).ptr)


def _plan(xp, device, key, addresses):
    """The plan for a key of _PLANS; None where there is none."""
    planner, operation, dtype, w, x, y, last, geometry, bias, tf32, same_bits, benchmark, alignment = key
    told = [(_flat(shape, (1,)), _flat(steps(shape, last), steps(shape, last)[2:3])) for shape in (w, x, y)]
    stride, padding, dilation = [_flat((0, 0, *g), (first,))[2:] for g, first in zip(geometry, (1, 0, 1))]
    measured = benchmark and not xp.cuda.get_current_stream(device).is_capturing()
    limit = (CUDNN["benchmark_limit"] or 100) if measured else 1
    plans = planner.plans(Convolution(operation, dtype, *told, stride, padding, dilation, bias, tf32, same_bits, alignment), limit)
    return min(plans, key=lambda plan: _milliseconds(xp, device, plan, addresses)) if len(plans) > 1 else next(iter(plans), None)


def _flat(values, one):
    """What belongs to (N, C, length) as (N, C, 1, length); else as it is."""
    return (*values[:2], *one, *values[2:]) if len(values) == 3 else tuple(values)


def _milliseconds(xp, device, plan, addresses):
    """How long a plan takes on the current stream."""
    events = xp.cuda.Event(), xp.cuda.Event()
    _run(xp, device, plan, addresses)
    events[0].record()
    _run(xp, device, plan, addresses)
    events[1].record()
    events[1].synchronize()
    return xp.cuda.get_elapsed_time(*events)


# -- the ops -----------------------------------------------------------------------------------------------------------

def forward(xp, x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """The op `convolution`."""
    out = check(x, weight, bias, stride, padding, dilation, groups)
    shape, geometry = (len(x), len(weight), *out), (tuple(stride), tuple(padding), tuple(dilation))
    if bias is not None:
        y = _compute(xp, "forward", weight, x, shape, "y", geometry, xp.ascontiguousarray(bias))
        if y is not None:
            return y
    y = _compute(xp, "forward", weight, x, shape, "y", geometry)
    if y is None:
        y = _forward_by_windows(xp, x, weight, shape, stride, padding, dilation, groups)
    return _with(xp, y, bias)


def transposed(xp, x, weight, bias=None, size=(), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """The op `conv_transpose`."""
    shape = (len(x), weight.shape[1] * groups, *size)
    y = _compute(xp, "data", weight, shape, x, "x", (tuple(stride), tuple(padding), tuple(dilation)))
    if y is None:
        y = _transposed_by_windows(xp, x, weight, shape, stride, padding, dilation, groups)
    return _with(xp, y, bias)


def filter_gradient(xp, x, y, kernel=(), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """The op `conv_weight`: x is the gradient, y the input."""
    shape = (x.shape[1], y.shape[1] // groups, *kernel)
    w = _compute(xp, "filter", shape, y, x, "w", (tuple(stride), tuple(padding), tuple(dilation)))
    return _filter_by_windows(xp, x, y, shape, stride, padding, dilation, groups) if w is None else w


def bias_gradient(xp, g):
    """The gradient of both for their bias: over whole rows of memory where channels come last."""
    if channels_last(g):
        return run(sum_, xp, xp.moveaxis(g, 1, -1).reshape(-1, g.shape[1]), axis=(0,), keepdims=False)
    return run(sum_, xp, g, axis=(0, *range(2, g.ndim)), keepdims=False)


def _with(xp, y, bias):
    if bias is not None:
        y += bias.reshape(-1, *(1,) * (y.ndim - 2))
    return y


# -- without cuDNN -----------------------------------------------------------------------------------------------------

def _chunks(images, channels, kernel, out, itemsize):
    """Slices of the batch whose windows, copied, stay below WINDOW_BYTES."""
    each = max(1, channels * math.prod(kernel) * math.prod(out) * itemsize)
    m = max(1, min(len(images), WINDOW_BYTES // each))
    return [slice(i, i + m) for i in range(0, len(images), m)]


def _columns(xp, x, shape, kernel, out, stride, padding, dilation, groups):
    """(m, groups, C / groups * kernel size, out size): the windows of m images, copied."""
    columns = windows(xp, padded(xp, x, padding), kernel, out, stride, dilation)
    return columns.reshape(len(x), groups, shape[1] * math.prod(kernel), math.prod(out))


def _wide(a):
    """Half precision as float32, to be summed."""
    return a.astype("f4") if a.itemsize == 2 else a


def _forward_by_windows(xp, x, weight, shape, stride, padding, dilation, groups):
    y, w, (kernel, out) = xp.empty(shape, x.dtype), grouped(weight, groups), (weight.shape[2:], shape[2:])
    for s in _chunks(x, x.shape[1], kernel, out, x.itemsize):
        columns = _columns(xp, x[s], weight.shape, kernel, out, stride, padding, dilation, groups)
        y[s] = multiply(xp, w, columns).reshape(-1, *shape[1:])
    return y


def _transposed_by_windows(xp, x, weight, shape, stride, padding, dilation, groups):
    y, w, kernel, out = xp.empty(shape, x.dtype), xp.swapaxes(grouped(weight, groups), 1, 2), weight.shape[2:], x.shape[2:]
    for s in _chunks(x, shape[1], kernel, out, x.itemsize):
        m = len(x[s])
        columns = _wide(multiply(xp, w, xp.ascontiguousarray(x[s]).reshape(m, groups, len(weight) // groups, math.prod(out))))
        y[s] = add_windows(xp, columns.reshape(m, shape[1], *kernel, *out), shape[2:], kernel, out, stride, padding, dilation)
    return y


def _filter_by_windows(xp, x, y, shape, stride, padding, dilation, groups):
    kernel, out, k = shape[2:], x.shape[2:], shape[0] // groups
    total = _wide(xp.zeros((groups, k, shape[1] * math.prod(kernel)), x.dtype))
    for s in _chunks(y, y.shape[1], kernel, out, y.itemsize):
        columns = _columns(xp, y[s], shape, kernel, out, stride, padding, dilation, groups)
        g = xp.ascontiguousarray(x[s]).reshape(-1, groups, k, math.prod(out))
        total += _wide(multiply(xp, g, xp.swapaxes(columns, 2, 3))).sum(axis=0)
    return total.astype(x.dtype, copy=False).reshape(shape)


def register():
    """Put these in the place of the formulas on CuPy arrays."""
    for op in (convolution, conv_transpose):
        op.kernel("cupy", vjp="bias")(bias_gradient)
    convolution.kernel("cupy")(forward)
    conv_transpose.kernel("cupy")(transposed)
    conv_weight.kernel("cupy")(filter_gradient)

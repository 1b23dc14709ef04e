"""Initial values of parameters.  Every function writes into its tensor, outside of autograd, and returns it.

Fans: a weight (out, in, *kernel) has fan_in = in * kernel size and fan_out = out * kernel size.
"""
import contextlib
import functools
import math
import threading
import warnings

from .. import _rng
from .._backends import of_array
from .._backends.meta_ import MetaArray
from .._core.hooks import written

_skipping = threading.local()
_NOTHING_TO_WRITE = contextlib.suppress(RuntimeError)  # a meta tensor: the arguments are checked, and there it ends


@contextlib.contextmanager
def skipped():
    """Within this context, and in this thread, the functions of this module leave their tensors as they are."""
    before = getattr(_skipping, "on", False)
    _skipping.on = True
    try:
        yield
    finally:
        _skipping.on = before


LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def _fills(function):
    """Decorator: run on the device of the tensor, count the write, and return the tensor."""
    @functools.wraps(function)
    def fill(tensor, *args, **kwargs):
        if getattr(_skipping, "on", False):
            return tensor
        data = tensor._data
        with of_array(data).on_device_of(data), _NOTHING_TO_WRITE if type(data) is MetaArray else contextlib.nullcontext():
            function(tensor, *args, **kwargs)
        written(tensor)
        return tensor
    return fill


def _generator(tensor, generator):
    return generator if generator and tensor.is_meta else _rng.generator_beside(tensor._data, generator)


def _uniform(tensor, a, b, generator):
    data = tensor._data
    return _generator(tensor, generator).uniform(data.shape, data.dtype) * (b - a) + a


def _normal(tensor, mean, std, generator):
    data = tensor._data
    return _generator(tensor, generator).normal(data.shape, data.dtype) * std + mean


def calculate_gain(nonlinearity, param=None):
    """The factor by which a nonlinearity's weights are scaled.  param: the negative slope of leaky_relu (default 0.01)."""
    if nonlinearity in LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}; the supported ones are {', '.join(LINEAR)}, sigmoid, tanh, relu, leaky_relu, selu")


@_fills
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Numbers evenly from [a, b)."""
    tensor._data[...] = _uniform(tensor, a, b, generator)


@_fills
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal numbers."""
    tensor._data[...] = _normal(tensor, mean, std, generator)


@_fills
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal numbers, drawn again until they lie in [a, b]."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.", stacklevel=3)
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    values = (_by_normal if inside > 0.3 else _by_uniform)(tensor, mean, std, a, b, generator)
    tensor._data[...] = values


def _normal_cdf(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _by_normal(tensor, mean, std, a, b, generator):
    """Rejection from the normal distribution."""
    values = _normal(tensor, mean, std, generator)
    while True:
        outside = (values < a) | (values > b)
        if not outside.any():
            return values
        values[outside] = _normal(tensor, mean, std, generator)[outside]


def _by_uniform(tensor, mean, std, a, b, generator):
    """Rejection from the uniform distribution on [a, b], for bounds that the normal one rarely meets."""
    xp = of_array(tensor._data).xp
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    values, pending = _uniform(tensor, a, b, generator), None
    while True:
        log_density = -0.5 * ((values - mean) / std) ** 2 - peak
        refused = xp.log(_uniform(tensor, 0.0, 1.0, generator)) > log_density
        pending = refused if pending is None else pending & refused
        if not pending.any():
            return values
        values = xp.where(pending, _uniform(tensor, a, b, generator), values)


@_fills
def constant_(tensor, val):
    """The number `val` everywhere."""
    tensor._data[...] = val


@_fills
def ones_(tensor):
    """1 everywhere."""
    tensor._data[...] = 1


@_fills
def zeros_(tensor):
    """0 everywhere."""
    tensor._data[...] = 0


@_fills
def eye_(tensor):
    """The identity matrix, rectangular where the tensor is."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor._data[...] = of_array(tensor._data).xp.eye(*tensor.shape, dtype=tensor._data.dtype)


@_fills
def dirac_(tensor, groups=1):
    """A convolution weight that keeps the channels of its input: 1 in the middle of the kernel from channel i to channel i (per group)."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    tensor._data[...] = 0
    for g in range(groups):
        for i in range(min(per_group, tensor.shape[1])):
            tensor._data[(g * per_group + i, i, *middle)] = 1


def _calculate_fan_in_and_fan_out(tensor):
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform on +-gain * sqrt(6 / (fan_in + fan_out)).  Glorot & Bengio 2010."""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with deviation gain * sqrt(2 / (fan_in + fan_out)).  Glorot & Bengio 2010."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def _kaiming_std(tensor, a, mode, nonlinearity):
    """gain / sqrt(fan); None, with a warning, for a tensor without elements."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform on +-gain * sqrt(3 / fan).  a: negative slope of leaky_relu;  mode: "fan_in" or "fan_out".  He et al. 2015, arXiv:1502.01852."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with deviation gain / sqrt(fan).  a: negative slope of leaky_relu;  mode: "fan_in" or "fan_out".  He et al. 2015."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


@_fills
def orthogonal_(tensor, gain=1, generator=None):
    """A random (half-)orthogonal matrix, the tensor seen as (first dimension, all others).  Saxe et al. 2013, arXiv:1312.6120."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return
    xp, data = of_array(tensor._data).xp, tensor._data
    wide = data.dtype if data.dtype.itemsize > 2 else xp.dtype("float32")
    matrix = _generator(tensor, generator).normal((len(data), data.size // len(data)), wide)
    tall = matrix.T if matrix.shape[0] < matrix.shape[1] else matrix
    q, r = xp.linalg.qr(tall)
    q = q * xp.sign(xp.diagonal(r))  # makes the distribution uniform: Mezzadri 2006, arXiv:math-ph/0609050
    tensor._data[...] = ((q.T if tall is not matrix else q) * gain).reshape(data.shape)


@_fills
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal with the given deviation, save a share `sparsity` of each column, which is 0.  Martens 2010."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    tensor._data[...] = _normal(tensor, 0.0, std, generator)
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        tensor._data[_generator(tensor, generator).permutation(rows)[:zeros], column] = 0


# -- torch's helpers and older names -----------------------------------------------------------------------------------

_no_grad_uniform_, _no_grad_normal_, _no_grad_trunc_normal_, _no_grad_fill_, _no_grad_zero_ = uniform_, normal_, trunc_normal_, constant_, zeros_


def _make_deprecate(function):
    """The name without underscore, which warns."""
    def deprecated_init(*args, **kwargs):
        warnings.warn(f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)
    name = function.__name__
    deprecated_init.__name__ = deprecated_init.__qualname__ = name[:-1]
    deprecated_init.__doc__ = f"The older name of `{name}`."
    return deprecated_init


uniform, normal, constant, eye, dirac = map(_make_deprecate, (uniform_, normal_, constant_, eye_, dirac_))
xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal, sparse = map(_make_deprecate, (
    xavier_uniform_, xavier_normal_, kaiming_uniform_, kaiming_normal_, orthogonal_, sparse_))

__all__ = ["calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal", "kaiming_normal_", "kaiming_uniform",
           "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal", "orthogonal_", "sparse", "sparse_", "trunc_normal_", "uniform",
           "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros_"]

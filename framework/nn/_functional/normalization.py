"""Normalisation."""
import math

from ... import ops
from ..._backends import of_array
from ..._core.hooks import written
from ..._core.modes import no_grad
from .padding import pad
from .pooling import avg_pool2d, avg_pool3d


def _more_than_one(count, input, what):
    if count == 1:
        raise ValueError(f"Expected more than 1 {what} when training, got input size {input.shape}")


def _per_channel(t, ndim):
    """(C) -> (C, 1, ...), to stand beside an input of `ndim` dimensions, channels second."""
    return None if t is None else ops.reshape(t, (t.shape[0], *(1,) * (ndim - 2)))


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Normalise each channel over batch and space.  input: (N, C, *), the others: (C)

    training: with the batch's own mean and variance, which also move the running ones (by `momentum` towards the new values, in place);
    otherwise with the running ones.
    """
    _one_per_channel(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("Expected running_mean and running_var to be defined when training=False")
        scale = 1 / ops.sqrt(running_var + eps)
        scale = scale if weight is None else scale * weight
        shift = running_mean * -scale if bias is None else bias - running_mean * scale
        return ops.scale_shift(input, _per_channel(scale, input.ndim), _per_channel(shift, input.ndim))
    count = input.numel() // max(1, input.shape[1])
    _more_than_one(count, input, "value per channel")
    axes = (0, *range(2, input.ndim))
    with no_grad():
        mean, rstd = ops.tracked_moments(input, running_mean, running_var, axes, eps, momentum)
        for running in (running_mean, running_var):
            if running is not None:
                written(running)
    return ops.normalize(input, _per_channel(weight, input.ndim), _per_channel(bias, input.ndim), mean, rstd, axes, eps)


def _one_per_channel(input, **values):
    """RuntimeError, in torch's words, unless each of the values has as many elements as `input` has channels."""
    channels = input.shape[1] if input.ndim > 1 else None
    for name, value in values.items():
        if value is not None and channels is not None and value.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {value.numel()}: the input, of shape {list(input.shape)}, has "
                               f"{channels} channels in dimension 1; make the layer with num_features={channels}")


def _move_running(running_mean, running_var, mean, var, count, momentum):
    """running <- (1 - momentum) * running + momentum * new, in place; the variance unbiased."""
    for running, new, factor in ((running_mean, mean, momentum), (running_var, var, momentum * count / (count - 1))):
        if running is not None:
            data = running._data
            with of_array(data).on_device_of(data):
                data *= 1 - momentum
                data += (new._data.reshape(-1) * factor).astype(data.dtype, copy=False)
            written(running)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5):
    """Normalise each channel of each sample over space.  input: (N, C, *), the others: (C).  Ulyanov et al. 2016, arXiv:1607.08022."""
    axes = tuple(range(2, input.ndim))
    count = math.prod(input.shape[2:])
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    _more_than_one(count, input, "spatial element")
    if running_mean is not None:
        with no_grad():
            mean, var = (ops.mean(m, (0,), True) for m in ops.moments(input, axes))
            _move_running(running_mean, running_var, mean, var, count, momentum)
    return ops.normalize(input, _per_channel(weight, input.ndim), _per_channel(bias, input.ndim), axes=axes, eps=eps)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalise groups of channels of each sample, over channels and space.  input: (N, C, *), weight, bias: (C)."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    n, c, *space = input.shape
    if c % num_groups:
        raise RuntimeError("Expected number of channels in input to be divisible by num_groups, but got input of shape "
                           f"{list(input.shape)} and num_groups={num_groups}")
    _more_than_one(n * c // num_groups * math.prod(space), input, "value per channel")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t.shape) != (c,):
            raise RuntimeError(f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape "
                               f"{list(t.shape)} and input of shape {list(input.shape)}")
    return ops.group_normalize(input, _per_channel(weight, input.ndim), _per_channel(bias, input.ndim), num_groups, eps)


def _trailing_axes(input, normalized_shape, named):
    """The axes that `normalized_shape` names.  RuntimeError in torch's words when it is not the input's last dimensions."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape:
        raise RuntimeError("Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
                           "normalized_shape = []")
    for name, t in named:
        if t is not None and tuple(t.shape) != shape:
            raise RuntimeError(f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {list(t.shape)} and "
                               f"normalized_shape = {list(shape)}")
    if tuple(input.shape[max(0, input.ndim - len(shape)):]) != shape:
        wanted = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(f"Given normalized_shape={list(shape)}, expected input with shape [{wanted}], but got input of size"
                           f"{list(input.shape)}")
    return tuple(range(-len(shape), 0))


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalise over the last dimensions, of sizes normalized_shape.  weight, bias: normalized_shape."""
    axes = _trailing_axes(input, normalized_shape, (("weight", weight), ("bias", bias)))
    return ops.normalize(input, weight, bias, None, None, axes, eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide by the root mean square over the last dimensions.  eps: the type's machine epsilon when None."""
    axes = _trailing_axes(input, normalized_shape, (("weight", weight),))
    return ops.normalize(input, weight, None, None, None, axes, _machine_epsilon(input.dtype) if eps is None else eps, False)


def _machine_epsilon(dtype):
    return {"float64": 2.0 ** -52, "float32": 2.0 ** -23, "float16": 2.0 ** -10, "bfloat16": 2.0 ** -7}[dtype.name]


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha * mean square over `size` neighbouring channels)^beta.  Krizhevsky et al. 2012."""
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if not input.numel():
        return input
    n, c, first, *rest = input.shape
    square = ops.reshape(input * input, (n, 1, c, first, -1) if rest else (n, 1, c, first))
    before, after = size // 2, (size - 1) // 2
    if rest:
        mean = avg_pool3d(pad(square, (0, 0, 0, 0, before, after)), (size, 1, 1), 1)
    else:
        mean = avg_pool2d(pad(square, (0, 0, before, after)), (size, 1), 1)
    return input / ops.power(ops.reshape(mean, tuple(input.shape)) * alpha + k, beta)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """input / max(its p-norm along `dim`, eps)."""
    norm = ops.vector_norm(input, p, dim, True)
    result = input / ops.maximum(norm, eps)
    return result if out is None else out.copy_(result)


__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]

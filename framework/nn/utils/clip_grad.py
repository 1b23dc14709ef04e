"""Clipping gradients, in place."""
import math
import types
import warnings

import numpy as np

from ..._backends import device_of, of_array
from ..._core.hooks import written
from ..._core.tensor import Tensor, wrap
from ..._dtypes import get_default_dtype, is_half
from ...kernels import multi_tensor


def _gradients(parameters):
    """The gradients of parameters that have one."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def _norm(a, p):
    """The p-norm of an array, 0-d and on its device; half precision is summed in float32."""
    xp = of_array(a).xp
    flat = (a.astype(np.float32) if is_half(a.dtype) else a).reshape(-1)
    if p == 2 and xp is np:
        return np.sqrt(np.vdot(flat, flat).real)
    size = xp.absolute(flat)
    if p == 2:  # a dot product of CuPy's would go to cuBLAS, which it refuses in captures
        return xp.sqrt((size * size).sum())
    if p in (math.inf, -math.inf):
        return size.max() if p > 0 else size.min()
    return (size ** p).sum() ** (1 / p) if p else (size != 0).sum().astype(size.dtype)


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The p-norm, p = norm_type, of all elements of `tensors`: a 0-d tensor.

    error_if_nonfinite: RuntimeError when it is inf or nan.  foreach: accepted and without meaning here.
    """
    p = float(norm_type)
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return wrap(np.zeros((), get_default_dtype().np))
    home = of_array(tensors[0]._data)
    with home.on_device_of(tensors[0]._data):
        norms = [_norm(t._data, p) for t in tensors]
        norms = [n if of_array(n) is home else home.from_host(of_array(n).to_host(n)) for n in norms]
        total = _norm(home.xp.stack([home.asarray(n) for n in norms]), p).astype(tensors[0]._data.dtype)
    total = wrap(home.asarray(total))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"The total norm of order {p} for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this "
                           "error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`")
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by min(1, max_norm / (total_norm + 1e-6)), in place."""
    for grad in _gradients(parameters):
        data, total = grad._data, total_norm._data
        backend = of_array(data)
        if device_of(data) != device_of(total):
            total = backend.from_host(of_array(total).to_host(total), backend.index_of(data))
        with backend.on_device_of(data), np.errstate(all="ignore"):  # overflowed gradients, which a GradScaler will leave out
            factor = backend.xp.minimum(float(max_norm) / (total + 1e-6), 1)
            data *= factor.astype(data.dtype)
        written(grad)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale the gradients so that their p-norm, all seen as one vector, is at most max_norm.  Returns the norm they had, a 0-d tensor.

    error_if_nonfinite: RuntimeError when that is inf or nan, before anything is scaled.
    """
    if not isinstance(parameters, Tensor):
        generated = isinstance(parameters, types.GeneratorType)
        parameters = list(parameters)
        if generated and not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    gradients = _gradients(parameters)
    if float(norm_type) == 2 and not error_if_nonfinite and in_few_launches(gradients):
        return _clip_on_device(gradients, max_norm)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def in_few_launches(gradients):
    """Whether the kernels over many arrays take these: on one GPU, without gaps, of one float type."""
    if not gradients or type(gradients[0]._data) is np.ndarray:
        return False
    backend, arrays = of_array(gradients[0]._data), [g._data for g in gradients]
    return backend.name == "cupy" and all(type(a) is backend.Array and a.device.id == arrays[0].device.id for a in arrays) and (
        multi_tensor.fits(arrays))


def _clip_on_device(gradients, max_norm):
    """clip_grad_norm_ in three launches, for which the host does not wait."""
    arrays = [g._data for g in gradients]
    backend = of_array(arrays[0])
    with backend.on_device_of(arrays[0]):
        total, table = multi_tensor.norm_and_factor(backend.xp, arrays, max_norm)
        multi_tensor.scale_all(backend.xp, table, total[1:])
        norm = total[:1].reshape(()).astype(arrays[0].dtype, copy=False)
    for g in gradients:
        written(g)
    return wrap(norm)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Hold every element of the gradients between -clip_value and clip_value, in place."""
    bound = float(clip_value)
    for grad in _gradients(parameters):
        data = grad._data
        backend = of_array(data)
        with backend.on_device_of(data):
            data[...] = backend.xp.clip(data, -bound, bound)
        written(grad)


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The older name of `clip_grad_norm_`."""
    warnings.warn("`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


_get_total_norm, _clip_grads_with_norm_ = get_total_norm, clip_grads_with_norm_  # torch's names of before they were public

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

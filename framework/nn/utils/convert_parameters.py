"""Parameters as one vector, and back."""
import math

from ... import ops
from ..._core.tensor import Tensor


def parameters_to_vector(parameters):
    """All elements of `parameters`, one after another: a tensor of one dimension, through which gradients flow."""
    parameters = list(parameters)
    _check_device(parameters)
    return ops.concatenate([ops.reshape(p, (-1,)) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Make parts of the vector `vec`, in order, the data of `parameters`."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected ringgrad.Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    _check_device(parameters)
    start = 0
    for p in parameters:
        n = math.prod(p.shape)
        p.data = vec[start:start + n].view_as(p).data
        start += n


def _check_device(parameters):
    places = list(dict.fromkeys(str(p.device) for p in parameters))
    if len(places) > 1:
        raise TypeError(f"Found two parameters on different devices, {' and '.join(places)}, this is currently not supported.")


__all__ = ["parameters_to_vector", "vector_to_parameters"]

"""Copies between devices."""
from .._backends import for_device, of_array
from .._backends.meta_ import MetaArray
from .._backends.sparse_ import moved
from .._core.op import Op, op
from .._core.tensor import Tensor
from .._device import device


@op(fast=False, grad_name="ToCopy", holomorphic=False)
def to_device(xp, x, place: device, non_blocking: bool = False):
    """A copy of `x` on the device `place`, for which the host need not wait when it is non_blocking.  (*) -> (*)"""
    backend = for_device(place)
    if backend is of_array(x):
        return x.copy() if place.type == "cpu" else backend.move(x, place.index)
    if place.type == "meta":
        return backend.move(x)
    return of_array(x).to_host(x, non_blocking) if place.type == "cpu" or type(x) is MetaArray else backend.from_host(x, place.index, non_blocking)


def _compute(raw, attrs):
    """What any op computes, with the backend of the result in place of the operand's, to which `apply` would bring the result back."""
    _, converted, result = Op.compute(to_device, raw, attrs)
    return of_array(result), converted, result


to_device.compute = _compute


@to_device.kernel("sparse")
def _(xp, x, place, non_blocking):
    return moved(x, lambda part: to_device.forward(None, part, place, non_blocking))


@to_device.vjp("x")
def _(xp, g, x_device):
    place = device(x_device) if isinstance(x_device, str) else device("cuda", x_device.id)
    return to_device(g, place) if isinstance(g, Tensor) else to_device.forward(xp, g, place)

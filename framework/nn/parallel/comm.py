"""Tensors copied, added and cut among the devices of one process, differentiably."""
from ... import ops
from ..._device import device as Device


def _device(spelled):
    return Device("cpu") if spelled == -1 else Device(spelled)


def broadcast(tensor, devices=None, *, out=None):
    """A copy of `tensor` on each of `devices`: a tuple.  out: tensors to write them into instead"""
    if (devices is None) == (out is None):
        raise RuntimeError(f"Exactly one of 'devices' and 'out' must be specified, but got devices={devices} and out={out}")
    if out is not None:
        return tuple(o.copy_(tensor) for o in out)
    return tuple(tensor.to(device=_device(d)) for d in devices)


def broadcast_coalesced(tensors, devices, buffer_size=10485760):
    """For each device, copies of all `tensors`.  buffer_size: bytes to send at a time, of no effect here"""
    return [tuple(t.to(device=_device(d)) for t in tensors) for d in devices]


def reduce_add(inputs, destination=None):
    """The sum of tensors of one shape, on the device `destination` (None: the first one's)."""
    first = inputs[0]
    for i, t in enumerate(inputs):
        if t.shape != first.shape:
            raise ValueError(f"input {i} has invalid size: got {t.shape}, but expected {first.shape}")
    place = first.device if destination is None else _device(destination)
    total = first.to(device=place)
    for t in inputs[1:]:
        total = total + t.to(device=place)
    return total


def reduce_add_coalesced(inputs, destination=None, buffer_size=10485760):
    """`reduce_add` of the first tensor of each list in `inputs`, of the second, ..., as a tuple."""
    return tuple(reduce_add(each, destination) for each in zip(*inputs, strict=True))


def scatter(tensor, devices=None, chunk_sizes=None, dim=0, streams=None, *, out=None):
    """`tensor` cut along `dim` into a part per device, of chunk_sizes or of equal sizes.  out: tensors to write the parts into instead"""
    if out is not None:
        parts = tensor.split([o.shape[dim] for o in out], dim)
        return tuple(o.copy_(part) for o, part in zip(out, parts))
    parts = tensor.chunk(len(devices), dim) if chunk_sizes is None else tensor.split(list(chunk_sizes), dim)
    return tuple(part.to(device=_device(d)) for part, d in zip(parts, devices))


def gather(tensors, dim=0, destination=None, *, out=None):
    """Tensors joined along `dim` on the device `destination` (None: the first one's).  out: a tensor to write into instead"""
    place = tensors[0].device if destination is None else _device(destination)
    joined = ops.concatenate([t.to(device=place) for t in tensors], dim)
    return joined if out is None else out.copy_(joined)


__all__ = ["broadcast", "broadcast_coalesced", "gather", "reduce_add", "reduce_add_coalesced", "scatter"]

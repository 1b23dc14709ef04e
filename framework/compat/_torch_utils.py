"""The parts of torch._utils that programs use: tensors flattened into one for communication, and back."""
from .._core.tensor import Tensor
from .._device import device as Device
from .._functional.joining import cat
from ..cuda import current_device
from ..nn.parameter import Parameter
from ..utils.data._utils import ExceptionWrapper

__all__ = ["ExceptionWrapper"]


def _flatten_dense_tensors(tensors):
    """All elements of `tensors` (of one type) in one 1-D tensor."""
    return cat([t.contiguous().view(-1) for t in tensors])


def _unflatten_dense_tensors(flat, tensors):
    """Views of `flat` with the shapes of `tensors`."""
    parts = flat.split([t.numel() for t in tensors])
    return tuple(part.view(t.shape) for part, t in zip(parts, tensors))


def _take_tensors(tensors, size_limit):
    """Groups of tensors of one type, of at most `size_limit` bytes unless a single one is larger."""
    groups = {}
    for tensor in tensors:
        kind = tensor.dtype, tensor.device
        group, nbytes = groups.get(kind, ([], 0))
        size = tensor.numel() * tensor.element_size()
        if group and nbytes + size > size_limit:
            yield group
            group, nbytes = [], 0
        groups[kind] = ([*group, tensor], nbytes + size)
    yield from (group for group, _ in groups.values() if group)


def _accumulate(iterable, fn=lambda x, y: x + y):
    """Running totals, as itertools.accumulate."""
    total = None
    for i, item in enumerate(iterable):
        total = item if i == 0 else fn(total, item)
        yield total


def _get_device_index(device, optional=False, allow_cpu=False):
    """The index of a CUDA device; with optional=True None means the current one.  -1 for the CPU where that is allowed."""
    if isinstance(device, int):
        return device
    place = None if device is None else device if isinstance(device, Device) else Device(device)
    if place is not None and place.type == "cpu" and allow_cpu:
        return -1
    if place is not None and place.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {place}")
    if place is not None and place.index is not None:
        return place.index
    if not optional:
        raise ValueError(f"Expected a torch.device with a specified index or an integer, but got: {device}")
    return current_device()


def _get_available_device_type():
    return None


def _rebuild_tensor_v2(*args):
    raise RuntimeError("torch._utils._rebuild_tensor_v2 is called by torch.load itself; use torch.load")


def _rebuild_parameter(data, requires_grad, backward_hooks):
    """A Parameter, as torch.load makes it."""
    return Parameter(data, requires_grad)


def _element_size(dtype):
    """Bytes of an element."""
    return dtype.itemsize


def _type(self, dtype=None, non_blocking=False):
    return Tensor.type(self, dtype, non_blocking)

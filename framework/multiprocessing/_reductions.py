"""How a tensor travels to another process: as the descriptor of the shared memory that it lies in."""
from multiprocessing.reduction import DupFd, ForkingPickler

import numpy as np

from .._core.tensor import Tensor, wrap
from .._sharing import SharedMemory, memory_of, refuse_history
from ..nn.parameter import Buffer, Parameter

_STRATEGIES = {"file_descriptor", "file_system"}
_strategy = "file_descriptor"


def init_reductions():
    """Teach Python's queues, pipes and process arguments to share tensors."""
    for cls in (Tensor, Parameter, Buffer):
        ForkingPickler.register(cls, reduce_tensor)


def reduce_tensor(tensor):
    """What is sent in place of `tensor`, which moves to shared memory.  Sparse and CUDA tensors are copied.

    RuntimeError for a tensor that was computed from others that require gradients: its graph stays here.
    """
    refuse_history(tensor)
    if not isinstance(tensor._data, np.ndarray):
        return tensor.__reduce_ex__(4)
    if not isinstance(memory_of(tensor._data), SharedMemory):
        Tensor.share_memory_(tensor)
    array = tensor._data
    memory = memory_of(array)
    offset = array.__array_interface__["data"][0] - np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    return _rebuild, (type(tensor), DupFd(memory.descriptor), memory.nbytes, offset, array.shape, array.strides, tensor.dtype,
                      tensor.requires_grad, dict(tensor.__dict__))


def _rebuild(cls, descriptor, nbytes, offset, shape, strides, dtype, requires_grad, attributes):
    memory = SharedMemory.received(descriptor.detach(), nbytes)
    tensor = wrap(np.ndarray(shape, dtype.np, memory, offset, strides), requires_grad, cls)
    tensor.__dict__.update(attributes)
    return tensor


def get_all_sharing_strategies():
    """{"file_descriptor", "file_system"}."""
    return set(_STRATEGIES)


def get_sharing_strategy():
    """What was set; "file_descriptor" at first."""
    return _strategy


def set_sharing_strategy(new_strategy):
    """Keep the name.  Memory is always shared by its descriptor, which leaves no files behind."""
    global _strategy
    if new_strategy not in _STRATEGIES:
        raise ValueError(f"there is no sharing strategy {new_strategy!r}; known are {', '.join(sorted(_STRATEGIES))}")
    _strategy = new_strategy

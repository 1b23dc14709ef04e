"""The functions of `comm` in the form that torch has them in for autograd: classes with `apply`."""
import warnings

from . import comm


class Broadcast:
    """apply(devices, *tensors): the tensors' copies on the first device, then those on the second, ..., as one tuple."""

    @staticmethod
    def apply(target_gpus, *inputs):
        """The copies."""
        return tuple(t for copies in comm.broadcast_coalesced(inputs, target_gpus) for t in copies)


class ReduceAddCoalesced:
    """apply(destination, n, *tensors): the sums of every n-th of the tensors, starting with the first n."""

    @staticmethod
    def apply(destination, num_inputs, *grads):
        """The sums."""
        return comm.reduce_add_coalesced([grads[i:i + num_inputs] for i in range(0, len(grads), num_inputs)], destination)


class Gather:
    """apply(device, dim, *tensors): the tensors joined along `dim`; tensors of no dimension become a vector."""

    @staticmethod
    def apply(target_device, dim, *inputs):
        """The joined tensor."""
        if dim == 0 and all(t.ndim == 0 for t in inputs):
            warnings.warn("Was asked to gather along dimension 0, but all input tensors were scalars; will instead unsqueeze and return a vector.",
                          stacklevel=2)
            inputs = [t.reshape(1) for t in inputs]
        return comm.gather(inputs, dim, target_device)


class Scatter:
    """apply(devices, chunk_sizes, dim, tensor): the tensor's parts."""

    @staticmethod
    def apply(target_gpus, chunk_sizes, dim, input):
        """The parts."""
        return comm.scatter(input, target_gpus, chunk_sizes, dim)

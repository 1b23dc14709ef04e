"""Sequences of different lengths in one block of rows.  `nn.utils.rnn` makes and unmakes them, and `nn.modules.rnn` runs over them."""
from typing import NamedTuple

from .._core.tensor import Tensor


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences packed step after step, without padding.  Made by `pack_padded_sequence` and `pack_sequence`, not by hand.

    data              (rows, *): the first steps of all sequences, longest first, then the second steps of those that have one, and so on
    batch_sizes       int64 on the CPU: how many sequences have a step t
    sorted_indices    where the sequences stood before they were sorted by falling length; None: they were sorted
    unsorted_indices  the inverse permutation
    """

    __module__ = "ringgrad.nn.utils.rnn"

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError("batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should be "
                             "instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn.")
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with_indices(self, data, move):
        return type(self)(data, self.batch_sizes, *(None if t is None else move(t) for t in self[2:]))

    def pin_memory(self):
        """This sequence in page-locked memory; `batch_sizes` stays."""
        return self._with_indices(self.data.pin_memory(), lambda t: t.pin_memory())

    def to(self, *args, **kwargs):
        """`data` converted and moved as by Tensor.to, the indices moved along; this very sequence where that changes nothing."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return self._with_indices(data, lambda t: t.to(data.device, non_blocking=kwargs.get("non_blocking", False)))

    def cuda(self, *args, **kwargs):
        """`to` a CUDA device, by default the current one."""
        if _names_device(args, kwargs):
            return self.to(*args, **kwargs)
        return self.to(*args, **{**kwargs, "device": "cuda"})

    def cpu(self, *args, **kwargs):
        """`to` the CPU."""
        return self.to(*args, **{**kwargs, "device": "cpu"})

    def double(self):
        """`data` as float64."""
        return self._cast("double")

    def float(self):
        """`data` as float32."""
        return self._cast("float")

    def half(self):
        """`data` as float16."""
        return self._cast("half")

    def long(self):
        """`data` as int64."""
        return self._cast("long")

    def int(self):
        """`data` as int32."""
        return self._cast("int")

    def short(self):
        """`data` as int16."""
        return self._cast("short")

    def char(self):
        """`data` as int8."""
        return self._cast("char")

    def byte(self):
        """`data` as uint8."""
        return self._cast("byte")

    def _cast(self, name):
        data = getattr(self.data, name)()
        return self if data is self.data else self._with_indices(data, lambda t: t)

    @property
    def is_cuda(self):
        """Whether `data` is on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether `data` is in page-locked memory."""
        return self.data.is_pinned()


def _names_device(args, kwargs):
    return "device" in kwargs or any(isinstance(a, (str, int)) and not isinstance(a, bool) or type(a).__name__ == "device" for a in args)


def invert_permutation(permutation):
    """The permutation that undoes this one, a tensor of indexes; None for None."""
    return None if permutation is None else permutation.argsort()

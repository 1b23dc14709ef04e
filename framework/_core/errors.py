"""Errors of the array libraries, retold in torch's words with both sides in the sentence."""
import numpy as np

from .._backends import BACKENDS, device_of
from .._backends.meta_ import MetaArray
from .._backends.out_of_memory import OutOfMemoryError, say_who_asked
from .._backends.sparse_ import Elsewhere, SparseArray
from .broadcasting import mismatch


def _arrays(raw):
    return [a for a in raw if type(a) in BACKENDS and hasattr(a, "dtype") and not isinstance(a, np.generic)]


def mixed_devices(op, raw):
    """The RuntimeError for operands on different devices."""
    return _several(op.name, list(dict.fromkeys(str(device_of(a)) for a in _arrays(raw))))


def _several(name, places):
    return RuntimeError(f"Expected all tensors to be on the same device, but {name} found at least two devices, "
                        f"{' and '.join(places)}! Move one of them with .to('{places[0]}').")


def beside_each_other(name, x, *others):
    """The RuntimeError for tensors on different devices, where `x` is on a GPU.  For functions that compute with arrays before there is an op."""
    if type(x._data) is not np.ndarray and any(type(t._data) is np.ndarray for t in others) and x.is_cuda:
        raise _several(name, [str(x.device), "cpu"])


def mixed_with_meta(arrays):
    """torch's RuntimeError for operands of which some have values and some have not."""
    first, *others = dict.fromkeys(str(device_of(a)) for a in arrays if not (type(a) is np.ndarray and a.ndim == 0))
    return RuntimeError(f"Tensor on device {others[0] if others else first} is not on the expected device {first}!")


def only_numbers_differ(op, raw):
    """Whether operands are on two devices only because 0-d tensors of the CPU, which are numbers to torch, stand beside a GPU's."""
    arrays = _arrays(raw)
    on_cpu = [a for a in arrays if type(a) is np.ndarray]
    if op.promote is None or not 0 < len(on_cpu) < len(arrays):
        return False
    return not any(a.ndim for a in on_cpu)


def refuse_mixture(op, raw):
    """Raise for operands of several array libraries: Elsewhere when one of them is sparse, else the error about their devices."""
    if any(type(a) is SparseArray for a in raw):
        raise Elsewhere(op.name)
    if any(type(a) is MetaArray for a in raw):
        raise mixed_with_meta(_arrays(raw))
    raise mixed_devices(op, raw)


def explain(op, error, raw):
    """Raise torch's error in place of the array library's when the cause is plain.

    Returns whether the general path can do what this one could not: a number on the CPU stands beside arrays on a GPU, or an operand is sparse.
    """
    arrays = _arrays(raw)
    if isinstance(error, OutOfMemoryError):
        say_who_asked(error, op.name)
        return None
    if isinstance(error, MemoryError) and type(error).__module__.startswith("cupy"):  # a program gave CuPy an allocator of its own
        raise OutOfMemoryError(f"CUDA out of memory. {op.name}: {error}") from None
    if any(type(a) is SparseArray for a in arrays):  # which CuPy refuses in words of its own
        return not isinstance(error, Elsewhere)
    if len({device_of(a) for a in arrays}) > 1:
        if only_numbers_differ(op, raw):
            return True
        raise mixed_devices(op, raw) from None
    if isinstance(error, ValueError) and op.broadcasts:
        clash = mismatch([a.shape for a in arrays])
        if clash:
            raise RuntimeError(clash) from None
    return False

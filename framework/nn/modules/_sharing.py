"""Parameters in memory that forked processes share, for lock-free training in the manner of Hogwild (Niu et al. 2011, arXiv:1106.5730)."""
import mmap

import numpy as np

from ..._core.tensor import wrap


def shared_copy(tensor):
    """A copy of a CPU tensor in anonymous shared memory, which children made by fork see and write too; a CUDA tensor as it is."""
    array = tensor._data
    if not isinstance(array, np.ndarray):
        return tensor
    memory = mmap.mmap(-1, max(array.nbytes, 1))
    copy = np.frombuffer(memory, dtype=array.dtype, count=array.size).reshape(array.shape)
    copy[...] = array
    return wrap(copy)

"""Parameters in memory that processes share, for lock-free training in the manner of Hogwild (Niu et al. 2011, arXiv:1106.5730)."""
import numpy as np

from ..._core.tensor import wrap
from ..._sharing import shared_copy as copy_of


def shared_copy(tensor):
    """A copy of a CPU tensor in shared memory, which other processes see and write too; a CUDA tensor as it is."""
    array = tensor._data
    return wrap(copy_of(array)) if isinstance(array, np.ndarray) else tensor

"""torch.backends.mkl: NumPy brings OpenBLAS."""
import contextlib

VERBOSE_OFF, VERBOSE_ON = 0, 1


def is_available():
    """False: matrix products go through the library NumPy was built with."""
    return False


def verbose(enable):
    """A `with` block that changes nothing."""
    return contextlib.nullcontext()

"""The error of a GPU without room, in torch's words."""
from .. import _config


class OutOfMemoryError(RuntimeError):
    """The GPU has no room left for a tensor.  operation: which one asked for it; None when nobody said."""

    __module__ = "ringgrad"
    operation = None


def words(asked, device, free, total, used, held):
    """The message.  Bytes: asked for; free and there in all on the GPU; of this process's pools, in use and held from the driver."""
    return (f"CUDA out of memory. Tried to allocate {size(asked)}. GPU {device} has a total capacity of {size(total)} of which {size(free)} is free. "
            f"Of the memory of this process {size(used)} is allocated by {_config.NAME}, and {size(held - used)} is reserved by {_config.NAME} but "
            "unallocated; the unused blocks of the cache have been given back, and what is left was not enough.")


def size(count):
    """Bytes as torch prints them: "512 bytes", "20.00 KiB", "1.50 GiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:.2f} {name}"
    return f"{count} bytes"


def say_who_asked(error, operation):
    """Put the name of an operation into the error, once."""
    if error.operation is None:
        error.operation = operation
        error.args = (f"{error} It was asked for by {operation}.",)

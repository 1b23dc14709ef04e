"""Where a tensor lives: `device("cpu")`, `device("cuda")`, `device("cuda", 1)`."""
import re

from ._state import state

KINDS = ("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy", "vulkan", "mps", "meta",
         "hpu", "mtia", "privateuseone")  # torch's; tensors live on cpu, cuda and, without values, on meta


class device:  # noqa: N801 - torch spells it in lower case
    """A place for tensors: `type` ("cpu" or "cuda") and `index` (None means the current one).

    device("cuda:1") == device("cuda", 1); device(1) is device("cuda:1").  Tensors on "meta" have a shape, a type and no values.  The other
    kinds that torch knows, such as "mps", can be named and compared; putting a tensor there raises.  RuntimeError for a kind that does not exist.
    """

    __slots__ = ("type", "index")

    def __init__(self, type="cpu", index=None):  # noqa: A002 - torch's name
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        elif isinstance(type, int):
            type, index = "cuda", type
        match = re.fullmatch(r"([a-z]+)(?::(\d+))?", type) if isinstance(type, str) else None
        if not match:
            raise RuntimeError(f"Invalid device string: {type!r}; write 'cpu', 'cuda' or 'cuda:1'")
        if match[1] not in KINDS:
            raise RuntimeError(f"Expected one of {', '.join(KINDS)} device type at start of device string: {match[1]}")
        if match[2] is not None and index is not None:
            raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type}")
        self.type = match[1]
        self.index = int(match[2]) if match[2] is not None else index
        if self.index is not None and self.index < 0:
            raise RuntimeError(f"device index must not be negative, got {self.index}")

    def __eq__(self, other):
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __reduce__(self):
        return device, (self.type, self.index)

    def __enter__(self):
        state.devices = (*state.devices, state.device)
        state.device = self
        return self

    def __exit__(self, *_):
        *rest, state.device = state.devices
        state.devices = tuple(rest)


CPU, META = device("cpu"), device("meta")


def as_device(spelled):
    """A `device` from a device, a string, a CUDA index, or None (the default device of this thread, else the CPU)."""
    if spelled is None:
        return state.device or CPU
    return spelled if isinstance(spelled, device) else device(spelled)

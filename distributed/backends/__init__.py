"""Backends: what moves the bytes. Their names, and which one serves which device.

mpi    CPU tensors, and GPU tensors through MPI; started by mpirun or ringgrad-run
nccl   GPU tensors
local  ranks as threads of one process (spawn_local), and the one rank of plain python

'gloo' and 'ucc', torch's CPU backends, mean mpi here, so that scripts written for torch start unchanged.
"""

from collections.abc import Mapping


class Backend(str):
    """A backend's name, in lower case: Backend("MPI") == "mpi" == Backend.MPI.  ValueError for a name nobody knows."""

    MPI, NCCL, LOCAL, GLOO, UCC = "mpi", "nccl", "local", "gloo", "ucc"
    backend_list = (MPI, NCCL, LOCAL, GLOO, UCC)

    def __new__(cls, name: str) -> "Backend":
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be string-ish, but got {name!r}")
        canonical(name)
        return super().__new__(cls, name.lower())


DEVICES = ("cpu", "cuda")
_ALIASES = {"gloo": "mpi", "ucc": "mpi"}
_SERVES = {"mpi": DEVICES, "nccl": ("cuda",), "local": DEVICES}


def canonical(name: str) -> str:
    """'mpi', 'nccl' or 'local' for a backend's name, in any case.  ValueError for a name nobody knows."""
    lower = name.lower()
    lower = _ALIASES.get(lower, lower)
    if lower not in _SERVES:
        raise ValueError(f"Unknown backend type {name}: known are {', '.join(sorted([*_SERVES, *_ALIASES]))}, or 'cpu:mpi,cuda:nccl'")
    return lower


def parse(backend: str) -> dict[str, str]:
    """Device -> backend for what init_process_group takes: 'gloo' -> {'cpu': 'mpi', 'cuda': 'mpi'}, 'cpu:gloo,cuda:nccl' -> one each.

    TypeError, ValueError: no string, an unknown backend or device, a backend that does not serve the device, or a device named twice.
    """
    if not isinstance(backend, str):
        raise TypeError(f"backend must be a string such as 'mpi' or 'cpu:mpi,cuda:nccl', but got {backend!r}")
    if ":" not in backend:
        name = canonical(backend)
        return dict.fromkeys(_SERVES[name], name)
    chosen: dict[str, str] = {}
    for part in backend.split(","):
        device, _, wish = part.strip().partition(":")
        if device not in DEVICES:
            raise ValueError(f"backend {backend!r}: {part.strip()!r} is not 'cpu:NAME' or 'cuda:NAME'")
        if device in chosen:
            raise ValueError(f"backend {backend!r} names a backend for {device} twice")
        name = canonical(wish)
        if device not in _SERVES[name]:
            raise ValueError(f"backend {backend!r}: {name} does not serve {device} tensors; use mpi")
        chosen[device] = name
    return chosen


def spelled(backends: Mapping[str, str]) -> str:
    """'mpi', or 'cpu:mpi,cuda:nccl' where devices have different backends."""
    names = set(backends.values())
    return names.pop() if len(names) == 1 else ",".join(f"{device}:{name}" for device, name in sorted(backends.items()))

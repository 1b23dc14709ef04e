"""Which library does what on a GPU: asked of the machine once, when something is first computed, and reported by `ringgrad.show_config()`.

A library that is missing, refuses this device or is turned off (RINGGRAD_CUBLASLT=0, RINGGRAD_CUDNN=0) leaves its work to ringgrad's own kernels.
"""
import threading

from .._config import flag
from . import cublaslt, cudnn
from .loading import open_library

_lock = threading.Lock()
_chosen = {}  # (what, array module, device) -> what does it, or None
WHY = {}  # what -> why its library does not do it; empty until asked
_WHY_CLOSED = {}  # library -> why it could not be opened


def matmul(xp, device):
    """The cublaslt.Planner of a device, or None."""
    return _choose("matmul", xp, device, _cublaslt)


def graphs(xp, device):
    """The cudnn.Planner of a device, for convolutions and attention, or None."""
    return _choose("graphs", xp, device, _cudnn)


def cudnn_version():
    """cuDNN's version as one number, such as 91900; None where it cannot be opened or is turned off.  Asks no device."""
    try:
        return cudnn.version(_open("cudnn", "RINGGRAD_CUDNN"))
    except RuntimeError as error:
        _WHY_CLOSED["cuDNN"] = str(error)
        return None


def cublaslt_version():
    """cuBLASLt's version as one number, such as 130100; None as above."""
    try:
        return cublaslt.version(_open("cublasLt", "RINGGRAD_CUBLASLT"))
    except RuntimeError as error:
        _WHY_CLOSED["cuBLASLt"] = str(error)
        return None


def report():
    """[(work, who does it and why)]."""
    lt, dnn = cublaslt_version(), cudnn_version()
    return [
        ("products of matrices", _said("matmul", "cuBLASLt", lt and f"{lt // 10000}.{lt // 100 % 100}.{lt % 100}", "cuBLAS through CuPy")),
        ("convolutions", _said("graphs", "cuDNN", dnn and f"{dnn // 10000}.{dnn // 100 % 100}.{dnn % 100}", "products of copied windows")),
        ("attention in half precision", _said("graphs", "cuDNN", dnn and f"{dnn // 10000}.{dnn // 100 % 100}.{dnn % 100}",
                                              "products and our softmax, large ones in parts")),
    ]


def _said(what, library, version, otherwise):
    why = WHY.get(what) or _WHY_CLOSED.get(library)
    return f"{library} {version}" if version and what not in WHY else f"{otherwise}; {library} is not used: {why}"


def put(what, xp, device, planner):
    """Choose by hand: tests put a double in the place of a library."""
    _chosen[what, xp, device] = planner


def _choose(what, xp, device, find):
    key = what, xp, device
    try:
        return _chosen[key]
    except KeyError:
        with _lock:
            if key not in _chosen:
                _chosen[key] = _found(what, xp, device, find)
            return _chosen[key]


def _found(what, xp, device, find):
    if getattr(xp, "__name__", "") != "cupy":
        return None
    try:
        with xp.cuda.Device(device):
            return find(device)
    except Exception as error:  # whatever the library says against this machine: the work is done without it
        WHY[what] = str(error)
        return None


def _open(name, switch):
    if not flag(switch, True):
        raise RuntimeError(f"turned off by {switch}=0")
    library, why = open_library(name)
    if library is None:
        raise RuntimeError(why)
    return library


def _cublaslt(device):
    return cublaslt.Planner(cublaslt.opened(_open("cublasLt", "RINGGRAD_CUBLASLT")))


def _cudnn(device):
    return cudnn.Planner(cudnn.opened(_open("cudnn", "RINGGRAD_CUDNN")))

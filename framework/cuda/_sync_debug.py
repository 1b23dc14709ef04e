"""`set_sync_debug_mode`: what makes the host wait for the GPU says so, so that a training loop can be rid of it.

Nothing asks for the mode: while it is on, what waits is replaced by a function that says so first.  Those are copies to the host, values read
by Python (`item`, `bool`, ...), the places of masks, and the operations that are declared with syncs=True.  Copies with non_blocking=True do not
wait; `synchronize` waits because it was asked to, and says nothing.
"""
import functools
import warnings

from .._backends import load_cuda
from .._core.op import REGISTRY
from .._core.tensor import Tensor
from .._functional import _index

_NAMES = {"default": 0, "warn": 1, "error": 2}
_READERS = ("item", "__bool__", "__int__", "__float__", "__complex__", "__index__")
_WORDS = "called a synchronizing CUDA operation"
_mode, _undo = 0, []


def get_sync_debug_mode():
    """0 (nothing is said), 1 (a warning) or 2 (an error)."""
    return _mode


def set_sync_debug_mode(debug_mode):
    """Say when the host waits for the GPU.  debug_mode: "default" or 0, "warn" or 1 (UserWarning), "error" or 2 (RuntimeError)

    RuntimeError for another mode, and without a GPU.
    """
    global _mode
    mode = _NAMES.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if type(mode) is not int or mode not in _NAMES.values():
        raise RuntimeError(f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, got {debug_mode!r}")
    backend = load_cuda()
    for put_back in reversed(_undo):
        put_back()
    _undo.clear()
    _mode = mode
    if mode:
        _watch(backend)


def _say(operation):
    words = f"{_WORDS}: {operation}"
    if _mode == 2:
        raise RuntimeError(words)
    warnings.warn(words, UserWarning, stacklevel=3)


def _watch(backend):
    _replace(backend, "to_host", _saying(backend.to_host, "a copy to the host", lambda array, non_blocking=False: not non_blocking))
    for name in _READERS:
        _replace(Tensor, name, _saying(getattr(Tensor, name), name, lambda t: t.is_cuda))
    _replace(_index, "places", _saying(_index.places, "the places of a mask", lambda mask: isinstance(mask, backend.Array)))
    for op in REGISTRY.values():
        if op.syncs:
            op.kernels[backend.Array] = _saying(op.kernels[backend.Array], op.name, lambda *args, **attrs: True)
            _undo.append(functools.partial(op.kernels.pop, backend.Array, None))


def _replace(owner, name, fn):
    _undo.append(functools.partial(setattr, owner, name, getattr(owner, name)))
    setattr(owner, name, fn)


def _saying(fn, operation, waits):
    """`fn`, which says that it waits when waits(its arguments)."""
    @functools.wraps(fn)
    def say_and_do(*args, **kwargs):
        if waits(*args, **kwargs):
            _say(operation)
        return fn(*args, **kwargs)
    return say_and_do

"""Calls of the public functions, seen by modes: while one is on, every public function and method of Tensor asks `stack` first.

The functions are wrapped where they are found (modules of the package, the facade that programs see as torch, the class Tensor) when the first mode
is entered, and put back when the last one is left: a program that enters none pays nothing.
"""
import functools
import sys
import threading
from types import BuiltinFunctionType, FunctionType

from ._core.tensor import Tensor

_ROOT = __name__.rpartition(".")[0]
_MODULES = ("", ".nn.functional", ".linalg", ".fft", ".special", ".nn.init")
_LEFT_ALONE = {"__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__", "__getattribute__", "__getattr__", "__setattr__",
               "__hash__",
               "__delattr__", "__reduce__",
               "__reduce_ex__", "__repr__", "__dir__", "__sizeof__", "__class_getitem__", "manual_seed", "compile",
               "is_grad_enabled", "set_grad_enabled", "get_default_dtype", "is_tensor"}


class _Modes(threading.local):
    """The modes of this thread, the innermost last; empty while one of them looks at a call."""

    def __init__(self):
        self.stack = []


modes = _Modes()
_lock, _originals = threading.RLock(), []  # (owner, name, function) of everything that is wrapped
_entered = [0]  # modes that are on, in all threads


def enter(mode):
    """Put a mode on the stack of this thread."""
    with _lock:
        if _entered[0] == 0:
            _wrap_all()
        _entered[0] += 1
    modes.stack.append(mode)


def leave():
    """Take the innermost mode off."""
    modes.stack.pop()
    with _lock:
        _entered[0] -= 1
        if _entered[0] == 0:
            _put_back()


def _wrap_all():
    made = {}
    for owner in _owners():
        names = vars(owner)
        for name, value in list(names.items()):
            private = name in _LEFT_ALONE or (name[0] == "_" and name[1:2] != "_")
            ours = isinstance(value, (FunctionType, BuiltinFunctionType)) and getattr(value, "__module__", "").startswith(_ROOT)
            if ours and not private:
                _originals.append((owner, name, value))
                setattr(owner, name, made.setdefault(value, _watched(value)))


def _owners():
    found = [sys.modules.get(_ROOT + name) for name in _MODULES]
    facade = sys.modules.get("torch")
    return [Tensor, *(m for m in found if m is not None), *([facade] if hasattr(facade, "__ringgrad__") else [])]


def _put_back():
    while _originals:
        owner, name, function = _originals.pop()
        setattr(owner, name, function)


def _watched(function):
    """`function`, which the innermost mode of the thread sees first, if there is one."""
    @functools.wraps(function)
    def call(*args, **kwargs):
        stack = modes.stack
        if not stack:
            return function(*args, **kwargs)
        mode = stack.pop()
        try:
            kinds = dict.fromkeys(type(a) for a in (*args, *kwargs.values()) if type(a) is not Tensor and hasattr(type(a), "__torch_function__"))
            return mode.__torch_function__(call, tuple(kinds), args, kwargs)
        finally:
            stack.append(mode)
    return call

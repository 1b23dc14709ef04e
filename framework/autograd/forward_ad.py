"""Dual numbers: a tensor with a tangent, which everything computed from it carries along (torch.autograd.forward_ad).

    with dual_level():
        y = f(make_dual(x, t))
        value, jvp = unpack_dual(y)

A tangent is made when it is unpacked, by two backward passes (see `_forward.py`).  Inside a level operations are therefore recorded, dual tensors
require grad, and what runs under `no_grad` inside the level has no tangent.
"""
import threading
from typing import NamedTuple

from .._core.tensor import Tensor
from .._functional.shape import view_as
from .._state import state
from ._forward import Pushforward

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A dual tensor's value and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


class _Level(threading.local):
    duals = None  # [(dual, tangent), ...] of the level this thread is in; None outside of one


_level = _Level()


def enter_dual_level():
    """Begin a level; prefer `with dual_level():`.  RuntimeError inside another one."""
    if _level.duals is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _level.duals, _level.was_grad, state.grad = [], state.grad, True
    return 0


def exit_dual_level(*, level=None):
    """End the level: its dual tensors lose their tangents."""
    if _level.duals is None:
        raise RuntimeError("Dual level must be a positive number.")
    _level.duals, state.grad = None, _level.was_grad


class dual_level:  # noqa: N801 - torch's name
    """The level inside of which tangents live."""

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, *_):
        exit_dual_level()


def make_dual(tensor, tangent, *, level=None):
    """`tensor` with a tangent of its shape: the direction in which derivatives are taken."""
    if _level.duals is None:
        raise RuntimeError("Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.")
    for t, what in ((tensor, "primal"), (tangent, "tangent")):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError("Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                           f"Tensor is of size {list(tensor.shape)} while the given forward gradient is of size {list(tangent.shape)}.")
    dual = view_as(tensor, tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    _level.duals.append((dual, tangent))
    return dual


def unpack_dual(tensor, *, level=None):
    """(value, tangent) of a tensor computed from dual ones.  The value keeps its history; the tangent has one where its parts had."""
    if not _level.duals or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    duals, tangents = zip(*_level.duals)
    linked = any(t.requires_grad for t in tangents) or any(not d.is_leaf for d in duals)
    (found,) = Pushforward([tensor], duals)(tangents, linked, True)
    return UnpackedDualTensor(tensor if linked else tensor.detach(), found)

"""Activation checkpointing as a module around a module: `checkpoint_wrapper`, and `apply_activation_checkpointing` for the parts of a model.

A wrapped module keeps the names of its parameters and the keys of its state dict.
"""
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any

from ringgrad import nn
from ringgrad.autograd.graph import save_on_cpu
from ringgrad.utils.checkpoint import checkpoint

__all__ = ["ActivationWrapper", "CheckpointImpl", "CheckpointWrapper", "OffloadWrapper", "apply_activation_checkpointing", "checkpoint_wrapper",
           "offload_wrapper"]
_INNER = "_checkpoint_wrapped_module"
_PREFIX = _INNER + "."


class CheckpointImpl(Enum):
    """Which of the two ways of utils.checkpoint."""

    REENTRANT = auto()
    NO_REENTRANT = auto()


class ActivationWrapper(nn.Module):
    """A module that shows the attributes, items, parameters and state of the one in it."""

    def __init__(self, mod: nn.Module) -> None:
        super().__init__()
        self._checkpoint_wrapped_module: Any = mod
        self._register_state_dict_hook(_without_prefix)
        self.register_load_state_dict_pre_hook(_with_prefix)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("Subclasses should implement forward().")

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__(_INNER), name)

    def __getitem__(self, key: Any) -> Any:
        return self._checkpoint_wrapped_module[key]

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters under the names that they have without this wrapper."""
        for name, parameter in super().named_parameters(*args, **kwargs):
            yield name.replace(_PREFIX, ""), parameter


def _without_prefix(module: nn.Module, state: dict, prefix: str, *_: Any) -> dict:
    for key in [k for k in state if k.startswith(prefix + _PREFIX)]:
        state[prefix + key[len(prefix) + len(_PREFIX):]] = state.pop(key)
    return state


def _with_prefix(module: nn.Module, state: dict, prefix: str, *_: Any) -> None:
    for key in [k for k in state if k.startswith(prefix) and not k.startswith(prefix + _PREFIX)]:
        state[prefix + _PREFIX + key[len(prefix):]] = state.pop(key)


class CheckpointWrapper(ActivationWrapper):
    """The module, whose inner results are computed again in the backward pass instead of kept.

    checkpoint_fn(module, *args, **checkpoint_fn_kwargs) does it; utils.checkpoint.checkpoint when None.
    """

    def __init__(self, mod: nn.Module, checkpoint_impl: CheckpointImpl = CheckpointImpl.NO_REENTRANT, checkpoint_fn: Any = None,
                 **checkpoint_fn_kwargs: Any) -> None:
        super().__init__(mod)
        self.checkpoint_impl = checkpoint_impl
        if checkpoint_fn is None:
            checkpoint_fn_kwargs["use_reentrant"] = checkpoint_impl == CheckpointImpl.REENTRANT
        self.checkpoint_fn, self._options = checkpoint_fn or checkpoint, checkpoint_fn_kwargs

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        inner = self._checkpoint_wrapped_module
        if kwargs and self._options.get("use_reentrant"):  # that way takes no keywords
            return self.checkpoint_fn(lambda *values: inner(*values[:len(args)], **dict(zip(kwargs, values[len(args):]))),
                                      *args, *kwargs.values(), **self._options)
        return self.checkpoint_fn(inner, *args, **kwargs, **self._options)


class OffloadWrapper(ActivationWrapper):
    """The module, whose saved tensors wait for the backward pass in host memory."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        with save_on_cpu(pin_memory=True):
            return self._checkpoint_wrapped_module(*args, **kwargs)


def checkpoint_wrapper(module: nn.Module, checkpoint_impl: CheckpointImpl = CheckpointImpl.NO_REENTRANT, checkpoint_fn: Any = None,
                       **checkpoint_fn_kwargs: Any) -> nn.Module:
    """`module` in a CheckpointWrapper."""
    return CheckpointWrapper(module, checkpoint_impl, checkpoint_fn, **checkpoint_fn_kwargs)


def offload_wrapper(module: nn.Module) -> nn.Module:
    """`module` in an OffloadWrapper."""
    return OffloadWrapper(module)


def apply_activation_checkpointing(model: nn.Module, checkpoint_wrapper_fn: Callable = checkpoint_wrapper,
                                   check_fn: Callable = lambda _: True, auto_wrap_policy: Any = None) -> None:
    """Put checkpoint_wrapper_fn(part) in the place of every part of `model` for which check_fn(part) holds, inner parts first.

    auto_wrap_policy belongs to FSDP, which is not built: NotImplementedError.
    """
    if auto_wrap_policy is not None:
        raise NotImplementedError("auto_wrap_policy is a rule of FSDP's, which ringgrad does not build; say which parts by check_fn")
    for name, part in list(model.named_children()):
        apply_activation_checkpointing(part, checkpoint_wrapper_fn, check_fn)
        if check_fn(part):
            setattr(model, name, checkpoint_wrapper_fn(part))

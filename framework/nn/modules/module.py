"""Module, the base class of everything with parameters.

Its parts: `_members.py` (parameters, buffers, submodules), `_hooks.py` (hooks and the call), `_state_dict.py` (saving and loading); here are
conversion, modes and printing.
"""
import warnings
from collections import OrderedDict

from ..._core.modes import no_grad
from ..._core.tensor import Tensor
from ..._device import device as Device
from ..._dtypes import dtype as DType
from ..parameter import Buffer, Parameter, is_lazy  # noqa: F401 - old programs import them from here
from ._backward_hook import BackwardHook  # noqa: F401
from ._hooks import (  # noqa: F401 - torch keeps the global hooks in this module
    GLOBAL_KIND,
    Hooked,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from ._members import Members
from ._sharing import shared_copy
from ._state_dict import IncompatibleKeys, Stateful


class Module(Members, Hooked, Stateful):
    """Base class of layers and models.  A subclass calls `super().__init__()`, assigns parameters and submodules as attributes, and defines
    `forward`; calling the module runs `forward` between its hooks.

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(784, 10)

            def forward(self, x):
                return self.fc(x)
    """

    dump_patches = False
    _said_that_nothing_compiles = False
    call_super_init = False  # pass __init__'s arguments on to the next class, for multiple inheritance

    def __init__(self, *args, **kwargs):
        if not self.call_super_init and (args or kwargs):
            raise TypeError(f"{type(self).__name__}.__init__() " + (
                f"got an unexpected keyword argument '{next(iter(kwargs))}'" if kwargs
                else f"takes 1 positional argument but {len(args) + 1} were given"))
        object.__setattr__(self, "training", True)
        self._init_members()
        self._init_hooks()
        self._init_state()
        object.__setattr__(self, "_modules", {})
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *inputs):
        """What the module computes; every subclass defines its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__dict__.setdefault("_is_full_backward_hook", None)
        for name in ("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_backward_pre_hooks"):
            self.__dict__.setdefault(name, OrderedDict())

    # -- conversion ----------------------------------------------------------------------------------------------------

    def _apply(self, fn, recurse=True):
        """Replace the memory of every parameter, gradient and buffer by fn(tensor); the Parameter objects stay the same."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if parameter is None:
                continue
            with no_grad():
                grad = None if parameter.grad is None else fn(parameter.grad)
                moved = fn(parameter)
            if not is_lazy(parameter) and moved.is_meta != parameter.is_meta:  # as in torch, which makes another one
                self._parameters[name] = Parameter(moved.detach(), parameter.requires_grad)
                self._parameters[name].grad = grad
                continue
            parameter.data = moved
            if grad is not None:
                parameter.grad.data = grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        """Move and convert in place: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`; only floats change type.  Returns self.

        memory_format: channels_last for the weights of convolutions on a GPU, whose results then have their channels last too.
        """
        device, dtype, non_blocking = _parse_to(*args, **kwargs)
        order = kwargs.get("memory_format")
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        if dtype is not None and dtype.is_complex:
            warnings.warn("Complex modules are a new feature; some modules may not work as expected with complex parameters or buffers.",
                          stacklevel=2)

        def convert(t):
            wanted = dtype if t.is_floating_point() or t.is_complex() else None
            if t.is_meta and device is not None and device.type != "meta":
                raise NotImplementedError("Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of "
                                          "torch.nn.Module.to() when moving module from meta to a different device.")
            t = t.to(device=device or t.device, dtype=wanted or t.dtype, non_blocking=non_blocking)
            return t.to(memory_format=order) if order is not None and t.ndim in (4, 5) else t
        return self._apply(convert)

    def to_empty(self, *, device, recurse=True):
        """Move to `device` without copying: the values there are whatever the memory holds."""
        return self._apply(lambda t: t.new_empty(t.shape, device=device), recurse=recurse)

    def cuda(self, device=None):
        """Move to a CUDA device (None: the current one).  Returns self."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self):
        """Move to the CPU.  Returns self."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type):
        """Convert all parameters and buffers, integers too, to `dst_type`.  Returns self."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """Floats to float32.  Returns self."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self):
        """Floats to float64.  Returns self."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self):
        """Floats to float16.  Returns self."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self):
        """Floats to bfloat16.  Returns self."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def share_memory(self):
        """Move CPU parameters and buffers to memory that processes forked later share.  Returns self."""
        return self._apply(shared_copy)

    def compile(self, *args, **kwargs):
        """Accepted for programs that call it, and nothing more: modules run as they are written.  Says so, once."""
        if not Module._said_that_nothing_compiles:
            Module._said_that_nothing_compiles = True
            warnings.warn("Module.compile(): there is no compiler for modules here; the module runs as it is written", stacklevel=2)

    # -- modes ---------------------------------------------------------------------------------------------------------

    def apply(self, fn):
        """Call `fn(module)` on every module below and then on this one, for initialisation.  Returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode=True):
        """Switch this module and all below to training (dropout on, batch statistics) or, False, evaluation.  Returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Switch to evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Freeze (False) or unfreeze all parameters.  Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters; set_to_none=False writes zeros into them instead."""
        for parameter in self.parameters():
            grad = parameter.grad
            if grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                if grad.requires_grad:
                    grad = parameter.grad = grad.detach()
                grad.zero_()

    # -- printing ------------------------------------------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses when the module is printed; subclasses override it."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {indent(repr(module), 2)}" for name, module in self._modules.items()]
        if len(extra_lines) == 1 and not child_lines:
            return f"{self._get_name()}({extra})"
        lines = extra_lines + child_lines
        body = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({body})"


_IncompatibleKeys = IncompatibleKeys


def indent(text, spaces):
    """`text` with all lines but the first (and empty ones) moved right."""
    first, *rest = text.split("\n")
    return "\n".join([first, *((" " * spaces + line if line.strip() else "") for line in rest)])


_addindent = indent  # torch's name


def _parse_to(*args, **kwargs):
    """(device or None, dtype or None, non_blocking) of the arguments of `Module.to`."""
    device, dtype, non_blocking = kwargs.get("device"), kwargs.get("dtype"), kwargs.get("non_blocking", False)
    other = kwargs.get("tensor", kwargs.get("other"))
    unknown = set(kwargs) - {"device", "dtype", "non_blocking", "copy", "memory_format", "tensor", "other"}
    if unknown:
        raise TypeError(f"to() received an invalid keyword argument: {sorted(unknown)[0]!r}; it takes device, dtype, non_blocking")
    for argument in args:
        if isinstance(argument, Tensor):
            other = argument
        elif isinstance(argument, DType):
            dtype = argument
        elif isinstance(argument, bool):
            non_blocking = argument
        elif isinstance(argument, (Device, str, int)):
            device = argument
        elif argument is not None:
            raise TypeError(f"to() received an invalid argument of type {type(argument).__name__}; it takes a device, a dtype or a tensor")
    if other is not None:
        device, dtype = other.device, other.dtype
    return (Device(device) if device is not None else None), dtype, non_blocking

"""Hooks round a module's forward and backward: registration, the global ones, and the call that runs them.

Order of a call: global hooks before the module's own; forward pre-hooks, forward, forward hooks.  In the backward pass: backward pre-hooks
when the gradients of all outputs are there, backward hooks when those of the inputs are.
"""
import warnings
from collections import OrderedDict

from ..._core.hooks import RemovableHandle
from ._backward_hook import BackwardHook, watch_last_node

GLOBAL_FORWARD_PRE, GLOBAL_FORWARD = OrderedDict(), OrderedDict()
GLOBAL_FORWARD_WITH_KWARGS, GLOBAL_FORWARD_ALWAYS = {}, {}
GLOBAL_BACKWARD_PRE, GLOBAL_BACKWARD = OrderedDict(), OrderedDict()
GLOBAL_BUFFER_REGISTRATION, GLOBAL_MODULE_REGISTRATION, GLOBAL_PARAMETER_REGISTRATION = OrderedDict(), OrderedDict(), OrderedDict()


MIXED = "Cannot use both regular backward hooks and full backward hooks {}. Please use only one of them."


class _GlobalKind:
    """Whether the global backward hooks are full ones: None before there is any."""

    full = None

    def hold_to(self, full):
        """RuntimeError where global backward hooks of the other kind are there already."""
        if self.full is not None and self.full is not full:
            raise RuntimeError(MIXED.format("as a global Module hook"))
        self.full = full


GLOBAL_KIND = _GlobalKind()


class HookHandle(RemovableHandle):
    """A RemovableHandle that also clears the hook's flags (with_kwargs, always_call)."""

    def __init__(self, hooks, hook, prepend=False, **flags):
        super().__init__(hooks, hook, first=prepend)
        self.flags = [table for table, is_set in flags.values() if is_set]
        for table in self.flags:
            table[self.id] = True

    def remove(self):
        """Take the hook away.  Doing so twice is harmless."""
        super().remove()
        for table in self.flags:
            table.pop(self.id, None)


class Hooked:
    """The part of Module that keeps hooks and runs forward between them."""

    def _init_hooks(self):
        for name in ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
                     "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"):
            object.__setattr__(self, name, OrderedDict())
        object.__setattr__(self, "_is_full_backward_hook", None)

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before forward; what it returns (a tuple, or one value) replaces the positional arguments.

        with_kwargs: `hook(module, args, kwargs)`, which returns None or (args, kwargs).  prepend: run before the hooks already there.
        """
        return HookHandle(self._forward_pre_hooks, hook, prepend, kwargs=(self._forward_pre_hooks_with_kwargs, with_kwargs))

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after forward; what it returns, unless None, replaces the output.

        with_kwargs: `hook(module, args, kwargs, output)`.  always_call: call it, with the output so far, also when forward raises.
        """
        return HookHandle(self._forward_hooks, hook, prepend, kwargs=(self._forward_hooks_with_kwargs, with_kwargs),
                          always=(self._forward_hooks_always_called, always_call))

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` before the module's backward; a tuple it returns replaces the gradients of the outputs."""
        return HookHandle(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are there; a tuple it returns replaces them."""
        self._hold_to(full=True)
        return HookHandle(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook):
        """Call `hook(module, grad_input, grad_output)` with the gradients of the operation that made the output: deprecated as in torch, since
        these are the module's own only where it is one operation.  Prefer `register_full_backward_hook`."""
        self._hold_to(full=False)
        return HookHandle(self._backward_hooks, hook)

    def _hold_to(self, full):
        """RuntimeError where backward hooks of the other kind are there already."""
        if self._is_full_backward_hook is not None and self._is_full_backward_hook is not full:
            raise RuntimeError(MIXED.format("on a single Module"))
        self._is_full_backward_hook = full

    def __call__(self, *args, **kwargs):
        if not (self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks
                or GLOBAL_FORWARD or GLOBAL_FORWARD_PRE or GLOBAL_BACKWARD or GLOBAL_BACKWARD_PRE):
            return self.forward(*args, **kwargs)
        called = set()
        result = []
        try:
            return self._call_with_hooks(args, kwargs, called, result)
        except Exception:
            self._call_the_rest(args, kwargs, called, result[-1] if result else None)
            raise

    def _call_with_hooks(self, args, kwargs, called, results):
        args, kwargs = self._run_forward_pre_hooks(args, kwargs)
        before = [*GLOBAL_BACKWARD_PRE.values(), *self._backward_pre_hooks.values()]
        after, of_last_node = self._backward_hooks_by_kind()
        backward = BackwardHook(self, after, before) if before or after else None
        if backward:
            args = backward.watch_inputs(args)
        result = self.forward(*args, **kwargs)
        results.append(result)
        for key, hook, with_kwargs, _ in self._all_forward_hooks():
            called.add(key)
            answer = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if answer is not None:
                result = answer
                results.append(result)
        if of_last_node:
            watch_last_node(self, of_last_node, args, result)
        return backward.watch_outputs(result) if backward else result

    def _backward_hooks_by_kind(self):
        """(full backward hooks, those of the older kind), the global ones first."""
        full, older = [], []
        for hooks, is_full in ((GLOBAL_BACKWARD, GLOBAL_KIND.full), (self._backward_hooks, self._is_full_backward_hook)):
            (older if is_full is False else full).extend(hooks.values())
        return full, older

    def _run_forward_pre_hooks(self, args, kwargs):
        for key, hook in (*GLOBAL_FORWARD_PRE.items(), *self._forward_pre_hooks.items()):
            if key in self._forward_pre_hooks_with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is None:
                    continue
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {answer}.")
                args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _all_forward_hooks(self):
        """(key, hook, takes kwargs, is always called), the global ones first."""
        for hooks, kwargs, always in ((GLOBAL_FORWARD, GLOBAL_FORWARD_WITH_KWARGS, GLOBAL_FORWARD_ALWAYS),
                                      (self._forward_hooks, self._forward_hooks_with_kwargs, self._forward_hooks_always_called)):
            for key, hook in tuple(hooks.items()):
                yield key, hook, key in kwargs, key in always

    def _call_the_rest(self, args, kwargs, called, result):
        """After an error: the hooks with always_call that did not run yet.  Their own errors become warnings."""
        for key, hook, with_kwargs, always in self._all_forward_hooks():
            if not always or key in called:
                continue
            try:
                answer = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
                result = result if answer is None else answer
            except Exception as error:  # noqa: BLE001 - the first error is the one to raise
                warnings.warn("module forward hook with ``always_call=True`` raised an exception that was silenced as another error was "
                              f"raised in forward: {error}", stacklevel=3)


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module."""
    return HookHandle(GLOBAL_FORWARD_PRE, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)`, or with kwargs between the two, after the forward of every module."""
    return HookHandle(GLOBAL_FORWARD, hook, kwargs=(GLOBAL_FORWARD_WITH_KWARGS, with_kwargs), always=(GLOBAL_FORWARD_ALWAYS, always_call))


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` before the backward of every module."""
    return HookHandle(GLOBAL_BACKWARD_PRE, hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` after the backward of every module."""
    GLOBAL_KIND.hold_to(full=True)
    return HookHandle(GLOBAL_BACKWARD, hook)


def register_module_backward_hook(hook):
    """`Module.register_backward_hook` for every module: deprecated in favour of `register_module_full_backward_hook`."""
    GLOBAL_KIND.hold_to(full=False)
    return HookHandle(GLOBAL_BACKWARD, hook)


def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` whenever a buffer is registered; what it returns, unless None, takes its place."""
    return HookHandle(GLOBAL_BUFFER_REGISTRATION, hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` whenever a submodule is registered; what it returns, unless None, takes its place."""
    return HookHandle(GLOBAL_MODULE_REGISTRATION, hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, parameter)` whenever a parameter is registered; what it returns, unless None, takes its place."""
    return HookHandle(GLOBAL_PARAMETER_REGISTRATION, hook)


def through_registration_hooks(hooks, module, name, value):
    """`value`, or what the last registration hook that had an answer put in its place."""
    for hook in hooks.values():
        answer = hook(module, name, value)
        if answer is not None:
            value = answer
    return value

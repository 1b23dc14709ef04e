"""state_dict and load_state_dict: a module's parameters and persistent buffers by dotted name."""
import warnings
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from ..._core.hooks import RemovableHandle
from ..._core.modes import no_grad
from ..._core.tensor import Tensor
from ..parameter import Parameter, is_lazy

EXTRA = "_extra_state"
_WRAPPED = "module."  # what DistributedDataParallel and DataParallel put before the keys


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: names the module has and the dict lacks, and the other way round."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class _OfModule:
    """A hook that takes its module first, held weakly so that a module does not keep itself alive."""

    def __init__(self, hook, module):
        self.hook, self.module = hook, weakref.ref(module)

    def __call__(self, *args):
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args)

    def __reduce__(self):
        return _OfModule, (self.hook, self.module())


class Stateful:
    """The part of Module that writes and reads state dicts."""

    _version = 1  # written into the metadata of a state dict; raised by a class whose keys change

    def _init_state(self):
        for name in ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"):
            object.__setattr__(self, name, OrderedDict())

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before this module's part of a state dict is written."""
        return RemovableHandle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after; it may change the dict in place and must return None."""
        hook._from_public_api = True
        return RemovableHandle(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook):
        """The older form: what the hook of the root module returns takes the place of the state dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError("Cannot register the same function as the state dict post hook that was previously registered via "
                               "register_state_dict_post_hook")
        return RemovableHandle(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` before loading."""
        return RemovableHandle(self._load_state_dict_pre_hooks, _OfModule(hook, self))

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return RemovableHandle(self._load_state_dict_pre_hooks, _OfModule(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` after loading; it may change the two lists in place and must return None."""
        return RemovableHandle(self._load_state_dict_post_hooks, hook)

    # -- writing -------------------------------------------------------------------------------------------------------

    def get_extra_state(self):
        """Override this and `set_extra_state` to put something besides tensors into the state dict."""
        raise RuntimeError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state):
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(f"{type(self).__name__} does not define set_extra_state()")

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Write this module's own entries, not its children's."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def _own_state(self):
        """Parameters and persistent buffers of this module itself, by name."""
        members = [*self._parameters.items(), *((k, b) for k, b in self._buffers.items() if k not in self._non_persistent_buffers_set)]
        return {name: tensor for name, tensor in members if tensor is not None}

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers by dotted name, in an OrderedDict whose `_metadata` holds each module's version.

        The tensors share memory with the module.  keep_vars: hand out the parameters themselves instead of detached tensors.
        """
        given = dict(zip(("destination", "prefix", "keep_vars"), args))
        destination, prefix = given.get("destination", destination), given.get("prefix", prefix)
        keep_vars = given.get("keep_vars", keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            answer = hook(self, destination, prefix, local_metadata)
            if answer is not None:
                if getattr(hook, "_from_public_api", False):
                    raise RuntimeError("state_dict post-hook must return None")
                destination = answer
        return destination

    # -- reading -------------------------------------------------------------------------------------------------------

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy a state dict into this module and its children.  Returns (missing_keys, unexpected_keys).

        strict: RuntimeError, naming them, when keys are missing or unexpected (a wrong size is always an error).
        assign: put the dict's tensors in the place of the module's, keeping each parameter's requires_grad, rather than copying.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing, unexpected, errors = [], [], []
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        self._load_tree(state_dict, "", metadata, assign, missing, unexpected, errors)
        if strict:
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    errors.insert(0, f"{kind} key(s) in state_dict: " + ", ".join(f'"{k}"' for k in keys) + ". ")
        if errors:
            error = RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
            error.add_note(_way_out(missing, unexpected))  # a note, because the message is torch's to the letter
            raise error
        return IncompatibleKeys(missing, unexpected)

    def _load_tree(self, state_dict, prefix, metadata, assign, missing, unexpected, errors):
        local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            local_metadata = {**local_metadata, "assign_to_params_buffers": True}
        self._load_from_state_dict(state_dict, prefix, local_metadata, True, missing, unexpected, errors)
        for name, child in self._modules.items():
            if child is not None:
                start = f"{prefix}{name}."
                part = {k: v for k, v in state_dict.items() if k.startswith(start)}
                child._load_tree(part, start, metadata, assign, missing, unexpected, errors)
        for hook in self._load_state_dict_post_hooks.values():
            if hook(self, IncompatibleKeys(missing, unexpected)) is not None:
                raise AssertionError("Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if "
                                     "incompatible_keys need to be modified, it should be done inplace.")

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        """Read this module's own entries, not its children's; add to the three lists what goes wrong."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_one(name, key, tensor, state_dict[key], assign)
                if error:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(state_dict, prefix + EXTRA, strict, missing_keys, unexpected_keys)
        if strict:
            unexpected_keys.extend(k for k in state_dict if k.startswith(prefix) and k != prefix + EXTRA and not self._knows(k[len(prefix):], own))

    def _knows(self, key, own):
        first, dot, _ = key.partition(".")
        return first in (self._modules if dot else own)

    def _load_one(self, name, key, tensor, value, assign):
        """Copy `value` into the parameter or buffer `name`.  Returns a sentence when that cannot be done."""
        if not isinstance(value, Tensor):
            return (f'While copying the parameter named "{key}", expected ringgrad.Tensor or Tensor-like object from checkpoint but received '
                    f"{type(value)}")
        if is_lazy(tensor):  # where the value has a shape, the module's hook has given it to the tensor before
            if assign:
                setattr(self, name, value)
            return None
        if tensor.ndim == 0 and tuple(value.shape) == (1,):
            value = value[0]
        if value.shape != tensor.shape:
            return (f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in current model is "
                    f"{tensor.shape}.")
        try:
            with no_grad():
                if not assign:
                    if tensor.is_meta and not value.is_meta:
                        warnings.warn(f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, "
                                      "which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary to their "
                                      "corresponding key in the module instead of copying them in place?)", stacklevel=2)
                    tensor.copy_(value)
                    return None
                if isinstance(tensor, Parameter):
                    value = value.requires_grad_(tensor.requires_grad) if isinstance(value, Parameter) else Parameter(value, tensor.requires_grad)
                setattr(self, name, value)
        except Exception as error:  # noqa: BLE001 - collected with the others
            return (f'While copying the parameter named "{key}", whose dimensions in the model are {tensor.shape} and whose dimensions in the '
                    f"checkpoint are {value.shape}, an exception occurred : {error.args}.")
        return None

    def _load_extra_state(self, state_dict, key, strict, missing_keys, unexpected_keys):
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)


def _way_out(missing, unexpected):
    """What to do about a state dict that does not fit."""
    if unexpected and all(k.startswith(_WRAPPED) for k in unexpected):
        return (f"The state dict is that of a wrapped model (DistributedDataParallel): take {{k.removeprefix('{_WRAPPED}'): v for k, v in "
                "state_dict.items()}, or save model.module.state_dict().")
    if missing and all(k.startswith(_WRAPPED) for k in missing):
        return "The model is wrapped (DistributedDataParallel) and the state dict is not: load it into model.module."
    if missing or unexpected:
        return "With strict=False only the keys that both have are loaded, and the others are returned."
    return "Build the model with the checkpoint's sizes, or take these keys out of the state dict and load it with strict=False."

"""What a module owns: parameters, buffers and submodules, how they get there, and the walks over them."""
from ..._core.tensor import Tensor
from ..parameter import Buffer, Parameter, UninitializedBuffer, typename
from . import _hooks


class Members:
    """The part of Module that keeps parameters, buffers and submodules by name."""

    def _init_members(self):
        for name in ("_parameters", "_buffers"):
            object.__setattr__(self, name, {})
        object.__setattr__(self, "_non_persistent_buffers_set", set())

    # -- registration --------------------------------------------------------------------------------------------------

    def register_parameter(self, name, param):
        """Add a parameter, which `self.name` then reaches.  None reserves the name and stays out of the state dict."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(f"cannot assign '{typename(param)}' object to parameter '{name}' (ringgrad.nn.Parameter or None required)")
            if param.grad_fn is not None:
                raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                                 f"express '{name}' as a function of another Tensor, compute the value in the forward() method.")
            param = _hooks.through_registration_hooks(_hooks.GLOBAL_PARAMETER_REGISTRATION, self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that is state but not a parameter, such as a running mean.  persistent: part of the state dict."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{typename(tensor)}' object to buffer '{name}' (ringgrad Tensor or None required)")
        self._buffers[name] = _hooks.through_registration_hooks(_hooks.GLOBAL_BUFFER_REGISTRATION, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name, module):
        """Add a child module, which `self.name` then reaches.  None reserves the name."""
        if not isinstance(module, Members) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = _hooks.through_registration_hooks(_hooks.GLOBAL_MODULE_REGISTRATION, self, name, module)

    def register_module(self, name, module):
        """Another name for `add_module`."""
        self.add_module(name, module)

    def _check_name(self, name, kind, table):
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f"{kind} name can't contain \".\"" + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f"{kind} name can't be empty string \"\"")
        if hasattr(self, name) and name not in self.__dict__[table]:
            raise KeyError(f"attribute '{name}' already exists")

    # -- attribute access ----------------------------------------------------------------------------------------------

    def __getattr__(self, name):
        members = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            if table in members and name in members[table]:
                return members[table][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name, value):
        members = self.__dict__
        for kind, cls, table in MEMBERS:
            if isinstance(value, cls):
                if table not in members:
                    raise AttributeError(f"cannot assign {kind}{'s' if kind == 'parameter' else ''} before Module.__init__() call")
                persistent = getattr(value, "persistent", True)
                self._forget(name, but=table)
                break
            if table in members and name in members[table]:
                persistent = name not in self._non_persistent_buffers_set
                _check_replacement(kind, name, value)
                break
        else:
            object.__setattr__(self, name, value)
            return
        if kind == "parameter":
            self.register_parameter(name, value)
        elif kind == "buffer":
            self.register_buffer(name, value, persistent)
        else:
            members["_modules"][name] = _hooks.through_registration_hooks(_hooks.GLOBAL_MODULE_REGISTRATION, self, name, value)

    def _forget(self, name, but):
        """Take the name away from every other kind of member."""
        members = self.__dict__
        members.pop(name, None)
        for table in ("_parameters", "_buffers", "_modules"):
            if table != but:
                members[table].pop(name, None)
        if but != "_buffers":
            self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        names = [*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers]
        return sorted(name for name in names if not name[0].isdigit())

    # -- walks ---------------------------------------------------------------------------------------------------------

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) of this module and all below, parents first, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate=True):
        """This module and all below, parents first, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self):
        """(name, module) of the direct children, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        """The direct children, each once."""
        for _, module in self.named_children():
            yield module

    def _named_members(self, table, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in getattr(module, table).items():
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield f"{path}.{name}" if path else name, member

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Parameter), each parameter once unless remove_duplicate is False.  recurse: of the modules below too."""
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters of this module and those below, each once: what an optimizer takes."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, buffer), each buffer once unless remove_duplicate is False.  recurse: of the modules below too."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers of this module and those below, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # -- by dotted name ------------------------------------------------------------------------------------------------

    def get_submodule(self, target):
        """The module at a dotted name; "" is this one.  AttributeError when there is none."""
        module = self
        for name in target.split(".") if target else ():
            module = _attribute(module, name)
            if not isinstance(module, Members):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Put `module` at a dotted name.  strict: AttributeError unless there is one already."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Members):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_attribute(parent, name), Members):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The parameter at a dotted name.  AttributeError when there is none."""
        path, _, name = target.rpartition(".")
        parameter = _attribute(self.get_submodule(path), name)
        if not isinstance(parameter, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return parameter

    def get_buffer(self, target):
        """The buffer at a dotted name.  AttributeError when there is none."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        buffer = _attribute(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer


MEMBERS = (("parameter", Parameter, "_parameters"), ("module", Members, "_modules"), ("buffer", (Buffer, UninitializedBuffer), "_buffers"))


def _attribute(module, name):
    if not hasattr(module, name):
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    return getattr(module, name)


def _check_replacement(kind, name, value):
    """TypeError unless `value` may take the place of a registered member."""
    if value is None or (kind == "buffer" and isinstance(value, Tensor)):
        return
    wanted = {"parameter": "as parameter '{}' (ringgrad.nn.Parameter or None expected)",
              "module": "as child module '{}' (ringgrad.nn.Module or None expected)",
              "buffer": "as buffer '{}' (ringgrad.nn.Buffer, ringgrad.Tensor or None expected)"}[kind]
    raise TypeError(f"cannot assign '{typename(value)}' {wanted.format(name)}")

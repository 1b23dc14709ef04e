"""Parameters as functions of other tensors: `module.weight` computed, at each look, by a module from what it is made of.

    register_parametrization(layer, "weight", Symmetric())     # layer.weight is now Symmetric()(layer.parametrizations.weight.original)

The module gets a class of its own, below the one it had, with a property of the parameter's name; what the parameter is made of lies in
`module.parametrizations.<name>`, a ParametrizationList.
"""
import contextlib
import copy
from collections.abc import Sequence

from ..._core.modes import no_grad
from ..._core.tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter


class _Cache:
    """Values of parametrized tensors while `cached` is active: by (id of the module, name)."""

    depth = 0
    values: dict = {}


@contextlib.contextmanager
def cached():
    """Within this context each parametrized tensor is computed once: for models that look at theirs several times in one forward pass."""
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


def _register_parameter_or_buffer(module, name, tensor):
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check_kept(what, flag, before, after, names):
    """ValueError, in torch's words, where a parametrization changes the type or shape of a tensor.  names: what to call the two."""
    for kind, old, new in (("dtype", before.dtype, after.dtype), ("shape", before.shape, after.shape)):
        if old != new:
            raise ValueError(f"{what.format(kind)}{flag}\n{names[0].format(kind)}: {old}\n{names[1].format(kind)}: {new}")


_REGISTERING = "Registering a parametrization may not change the {} of the tensor, unless "


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order, and what the first of them starts from: `original`, or, where its `right_inverse`
    gives several tensors, `original0`, `original1`, ...

    unsafe: the type and the shape of the result are not checked.
    """

    def __init__(self, modules, original, unsafe=False):
        modules = list(modules)
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape_and_type = _Look(original)
        with no_grad():
            new = original
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):  # it stands for the identity then
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {type(new).__name__}")
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._keep_one(original, new)
        else:
            self._keep_several(original, new)
        if not unsafe:
            result = self()
            if not isinstance(result, Tensor):
                raise ValueError(f"A parametrization must return a tensor. Got {type(result).__name__}.")
            _check_kept(_REGISTERING, "`unsafe` flag is enabled.", shape_and_type, result, ("unparametrized {}", "parametrized {}"))

    def _keep_one(self, original, new):
        """The same Parameter object, with the new values: an optimizer that has it keeps it."""
        for what in ("dtype", "device"):
            if getattr(original, what) != getattr(new, what):
                raise ValueError(f"When `right_inverse` outputs one tensor, it may not change the {what}.\noriginal.{what}: "
                                 f"{getattr(original, what)}\nright_inverse(original).{what}: {getattr(new, what)}")
        _set(original, new)
        _register_parameter_or_buffer(self, "original", original)

    def _keep_several(self, original, new):
        for i, tensor in enumerate(new):
            if not isinstance(tensor, Tensor):
                raise ValueError("'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                                 f"Got element {i} of the sequence with type {type(tensor).__name__}.")
            if isinstance(original, Parameter):
                tensor = Parameter(tensor, original.requires_grad)
            tensor.requires_grad_(original.requires_grad)
            _register_parameter_or_buffer(self, f"original{i}", tensor)

    def right_inverse(self, value):
        """Change what the tensor is made of so that it becomes `value`: what an assignment to the parametrized tensor does."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                value = module.right_inverse(value)
            if self.is_tensor:
                if not isinstance(value, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
                if value.dtype != self.original.dtype:
                    raise ValueError(f"The tensor returned by `right_inverse` has dtype {value.dtype} while `original` has dtype "
                                     f"{self.original.dtype}")
                _set(self.original, value)
                return
            if not isinstance(value, Sequence):
                raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}.")
            if len(value) != self.ntensors:
                raise ValueError(f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length "
                                 f"{len(value)}.")
            for i, tensor in enumerate(value):
                original = getattr(self, f"original{i}")
                if not isinstance(tensor, Tensor):
                    raise ValueError(f"'right_inverse' must return a sequence of tensors. Got element {i} of type {type(tensor).__name__}.")
                if original.dtype != tensor.dtype:
                    raise ValueError(f"Tensor {i} returned by `right_inverse` has dtype {tensor.dtype} while `original{i}` has dtype "
                                     f"{original.dtype}")
                _set(original, tensor)

    def forward(self):
        """The parametrized tensor."""
        first, *others = self
        x = first(self.original) if self.is_tensor else first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in others:
            x = module(x)
        return x


class _Look:
    """The type and shape that a tensor has now."""

    def __init__(self, tensor):
        self.dtype, self.shape = tensor.dtype, tensor.shape


def _set(tensor, value):
    """Let `tensor` share the memory of `value`, whatever its shape."""
    if tensor is not value:
        tensor.data = value.detach()


# -- the class below ---------------------------------------------------------------------------------------------------

def _deepcopy(self, memo):
    if id(self) not in memo:
        memo[id(self)] = replica = type(self).__new__(type(self))
        replica.__dict__ = copy.deepcopy(self.__dict__, memo)
    return memo[id(self)]


def _getstate(self):
    raise RuntimeError("Serialization of parametrized modules is only supported through state_dict(). See:\n"
                       "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
                       "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training")


def _inject_new_class(module):
    """Give `module` a class of its own, which properties can be put into."""
    cls = type(module)
    members = {"__getstate__": _getstate}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _inject_property(module, name):
    """The property that computes the tensor, and whose assignment inverts that."""
    def get(self):
        compute = self.parametrizations[name]
        if not _Cache.depth:
            return compute()
        key = id(self), name
        if key not in _Cache.values:
            _Cache.values[key] = compute()
        return _Cache.values[key]

    def set_(self, value):
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, set_))


# -- the public functions ----------------------------------------------------------------------------------------------

def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Make `module.<tensor_name>`, a parameter or buffer (or one that is parametrized already), the result of `parametrization` of what it was.

    parametrization   a Module; with a method `right_inverse(tensor)`, which gives what it should start from (a tensor, or several), the
                      values of now are kept and the tensor can be assigned to
    unsafe            the type and the shape may change
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_another(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made_of = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = made_of
    else:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'")
    return module


def _check_another(module, name, parametrization):
    """ValueError unless a further parametrization, and its inverse, keep the type and shape of the tensor."""
    before = getattr(module, name)
    after = parametrization(before)
    if not isinstance(after, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(after).__name__}.")
    _check_kept(_REGISTERING, "the `unsafe` flag is enabled.", before, after, (f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}"))
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    _check_kept(f"The tensor returned by parametrization.right_inverse must have the same {{}} as module.{name}, unless ",
                "the `unsafe` flag is enabled.", before, back, (f"module.{name}.{{}}", "returned {}"))


def is_parametrized(module, tensor_name=None):
    """Whether this tensor of the module (None: any) is parametrized."""
    made_of = getattr(module, "parametrizations", None)
    if not isinstance(made_of, ModuleDict):
        return False
    return len(made_of) > 0 if tensor_name is None else tensor_name in made_of


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make the tensor an ordinary parameter or buffer again: with the values it has (leave_parametrized), or those of `original`."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    made_of = module.parametrizations[tensor_name]
    if made_of.is_tensor:
        tensor = made_of.original
        if leave_parametrized:
            with no_grad():
                _set(tensor, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        tensor = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of "
                         "tensors.")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register_parameter_or_buffer(module, tensor_name, tensor)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module):
    """The class that the module has, or had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Give `to_module` the parametrizations of `from_module` (of one tensor, or of all) and what they start from."""
    if not is_parametrized(from_module):
        return to_module
    for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        source = from_module.parametrizations[name]
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        for part in ["original"] if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]:
            setattr(target, part, getattr(source, part))
    return to_module


__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
           "transfer_parametrizations_and_params", "type_before_parametrizations"]

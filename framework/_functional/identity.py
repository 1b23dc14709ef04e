"""What a thing is: names of types, questions that only other devices and layouts of torch answer with yes, and numbers that torch may trace."""
import math
import warnings

import numpy as np

from .. import ops
from .._core.tensor import Tensor

# -- questions ---------------------------------------------------------------------------------------------------------


def typename(obj):
    """The name of an object's type with its module: typename(ones(2)) is "ringgrad.FloatTensor"."""
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") or hasattr(obj, "__name__") else type(obj)
    name = getattr(named, "__qualname__", None) or named.__name__
    module = getattr(named, "__module__", None)
    return name if module in (None, "", "builtins") else f"{module}.{name}"


def _always(answer, name, doc):
    def function(input):
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return input if answer is None else answer
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


is_conj = _always(False, "is_conj", "Whether the tensor is conjugated lazily: never, `conj` computes at once.")
is_neg = _always(False, "is_neg", "Whether the tensor is negated lazily: never, `neg` computes at once.")
is_distributed = _always(False, "is_distributed", "Whether this is a tensor of torch's first distributed package: never.")
resolve_neg = _always(None, "resolve_neg", "The tensor itself: nothing is negated lazily.")


def is_set_to(self, tensor):
    """Whether both tensors are the same elements of the same memory, in the same shape."""
    a, b = self._data, tensor._data
    return a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype and self.data_ptr() == tensor.data_ptr()


def dim_order(self, ambiguity_check=False):
    """The dimensions in the order in which they lie in memory, the outermost first."""
    steps = self.stride()
    return tuple(sorted(range(len(steps)), key=lambda d: (-steps[d], d)))


def as_subclass(self, cls):
    """This tensor, in the same memory and with the same history, as an instance of the Tensor subclass `cls`."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"cls must be a type that is a subclass of Tensor, not {cls!r}")
    view = ops.reshape(self, self._data.shape)
    made = object.__new__(cls)  # the constructor of a subclass may want arguments
    for slot in ("_data", "_requires_grad", "_node", "_cell", "_view", "_grad", "_hooks"):
        setattr(made, slot, getattr(view, slot))
    return made


def _volatile(self):
    warnings.warn("volatile was removed (Variable.volatile is always False)", UserWarning, stacklevel=2)
    return False


# -- functions of Python numbers on every element ----------------------------------------------------------------------

def _on_the_host(name, *tensors):
    for t in tensors:
        if t.requires_grad:
            raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
        if t.is_cuda:
            raise TypeError(f"{name} is only implemented on CPU tensors")


def apply_(self, callable):  # noqa: A002 - torch's name
    """In place: each element becomes callable(element), with Python numbers; slow, for experiments.  CPU only.  Returns self."""
    return _mapped("apply_", self, (), callable)


def map_(self, tensor, callable):  # noqa: A002
    """In place: each element becomes callable(element, that of `tensor`, broadcast).  CPU only.  Returns self."""
    return _mapped("map_", self, (tensor,), callable)


def map2_(self, tensor1, tensor2, callable):  # noqa: A002
    """In place: each element becomes callable(element, that of `tensor1`, that of `tensor2`).  CPU only.  Returns self."""
    return _mapped("map2_", self, (tensor1, tensor2), callable)


def _mapped(name, self, others, function):
    _on_the_host(name, self, *others)
    operands = [self._data.reshape(-1).tolist(), *(np.broadcast_to(t._data, self._data.shape).reshape(-1).tolist() for t in others)]
    values = np.array([function(*values) for values in zip(*operands)], self._data.dtype).reshape(self._data.shape)
    return self.copy_(self.new_tensor(values))


# -- what does not exist here ------------------------------------------------------------------------------------------

def int_repr(self):
    """Raises NotImplementedError: there are no quantized tensors here."""
    raise NotImplementedError("int_repr: this tensor is not quantized, and ringgrad has no quantized tensors; its elements are in .numpy()")


def reinforce(self, reward):
    """Raises RuntimeError, as in torch: weight the logarithm of the probability with the reward instead."""
    raise RuntimeError("reinforce() was removed. Use the log-probability of the action drawn instead: loss = -log(probs[action]) * reward; "
                       "loss.backward()")


def to_padded_tensor(self, padding, output_size=None):
    """Raises NotImplementedError: there are no nested tensors here."""
    raise NotImplementedError("to_padded_tensor: this tensor is not nested, and ringgrad has no nested tensors")


# -- numbers that torch may trace: here always plain ones -----------------------------------------------------------------

def sym_int(a):
    """int(a)"""
    return int(a)


def sym_float(a):
    """float(a)"""
    return float(a)


def sym_not(a):
    """not a"""
    return not a


def sym_max(a, b):
    """The larger of two numbers; a float when one of them is."""
    return _widest(max(a, b), a, b)


def sym_min(a, b):
    """The smaller of two numbers; a float when one of them is."""
    return _widest(min(a, b), a, b)


def _widest(value, a, b):
    return float(value) if isinstance(a, float) or isinstance(b, float) else value


def sym_sqrt(a):
    """The square root of a number."""
    return math.sqrt(a)


def sym_sum(args):
    """The sum of numbers."""
    return sum(args)


def sym_ite(b, t, f):
    """t if b else f"""
    return t if b else f


_NEVER = {name: property(lambda self: False, doc=f"Always False: {what}.") for name, what in {
    "is_ipu": "there are CPU and CUDA tensors", "is_maia": "there are CPU and CUDA tensors", "is_mtia": "there are CPU and CUDA tensors",
    "is_xla": "there are CPU and CUDA tensors", "is_nested": "there are no nested tensors"}.items()}
FUNCTIONS = {"typename": typename, "is_conj": is_conj, "is_neg": is_neg, "is_distributed": is_distributed, "resolve_neg": resolve_neg,
             "int_repr": int_repr, "sym_int": sym_int, "sym_float": sym_float, "sym_not": sym_not, "sym_max": sym_max, "sym_min": sym_min,
             "sym_sqrt": sym_sqrt, "sym_sum": sym_sum, "sym_ite": sym_ite}
METHODS = {**_NEVER, "is_conj": is_conj, "is_neg": is_neg, "is_distributed": is_distributed, "resolve_neg": resolve_neg, "is_set_to": is_set_to,
           "dim_order": dim_order, "as_subclass": as_subclass, "apply_": apply_, "map_": map_, "map2_": map2_, "int_repr": int_repr,
           "reinforce": reinforce, "to_padded_tensor": to_padded_tensor,
           "name": property(lambda self: None, doc="Always None: tensors have no names."),
           "volatile": property(_volatile, doc="Always False; torch removed it."),
           "const_data_ptr": lambda self: self.data_ptr()}
METHODS["const_data_ptr"].__doc__ = "The address of the first element, for reading."
INPLACE = {}

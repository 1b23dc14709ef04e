"""The autocast settings of a thread, and the tracer that acts on them."""
import sys
import threading
import weakref

import numpy as np

from .. import _dtypes
from .._backends import of_array
from .._core.inplace import apply_inplace
from .._core.tensor import Tensor
from .._state import state
from . import _policies

PACKAGE = __name__.partition(".")[0]
DEFAULT_DTYPES = {"cpu": "bfloat16", "cuda": "float16", "xpu": "float16", "mps": "float16", "hpu": "bfloat16", "mtia": "float16",
                  "xla": "bfloat16", "ipu": "float16", "maia": "bfloat16", "privateuseone": "float16"}  # all that torch knows
class _Settings(threading.local):
    """Per thread, since the `local` process group runs ranks as threads."""

    def __init__(self):
        self.enabled = dict.fromkeys(DEFAULT_DTYPES, False)
        self.dtypes = {device: getattr(_dtypes, name) for device, name in DEFAULT_DTYPES.items()}
        self.cache_enabled, self.nesting, self.cache = True, 0, {}
        self.outer = []  # what each region entered goes back to
        self.traces = False  # the tracer below is somewhere in this thread's chain of tracers


settings = _Settings()


def install():
    """Put the tracer before the one there is, unless it is there already or no device type is enabled."""
    if not settings.traces and any(settings.enabled.values()):
        state.tracer, settings.traces = _tracer(state.tracer), True


def _tracer(outer):
    """A tracer that casts the inputs of operations as `_lists.py` says, and leaves the rest to the tracer `outer`."""
    def tracer(op, inputs, attrs, inplace=False):
        inner, state.tracer = state.tracer, outer
        try:
            if inplace:  # the target decides the type
                return apply_inplace(op, inputs[0], inputs[1:], attrs)
            return _run(op, inputs, attrs)
        finally:
            state.tracer = inner
    tracer.is_autocast, tracer.outer = True, outer
    return tracer


def _run(op, inputs, attrs):
    device_type = _device_type(inputs)
    if not settings.enabled.get(device_type):
        return op.pass_on(inputs, attrs)
    policies = _policies.for_device(device_type)
    policy = _policy_of_callers(policies, sys._getframe(2)) or policies.ops.get(op.name)
    if policy is None or policy == "as_is":
        return op.pass_on(inputs, attrs)
    if policy == "refused":
        raise RuntimeError("torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\nMany models use a sigmoid "
                           "layer right before the binary cross entropy layer.\nIn this case, combine the two layers using "
                           "torch.nn.functional.binary_cross_entropy_with_logits\nor torch.nn.BCEWithLogitsLoss.  "
                           "binary_cross_entropy_with_logits and BCEWithLogits are\nsafe to autocast.")
    if policy == "follow":
        return _following(inputs[0], op.pass_on(inputs, attrs))
    if policy == "float32_unless_typed" and attrs.get("dtype") is not None:
        return op.pass_on(inputs, attrs)
    recurrent = op.name in ("lstm_layer", "gru_layer")
    if policy == "gates" and not recurrent:
        return op.pass_on(inputs, attrs)
    target = _target(policy, inputs, device_type)
    if op.in_float32 is not None and device_type == "cuda" and target is _dtypes.float32 and _dtypes.is_half(inputs[0]._data.dtype):
        return op.in_float32.pass_on((inputs[0], *[_cast(t, target, device_type) for t in inputs[1:]]), attrs)
    result = op.pass_on(tuple([_cast(t, target, device_type) for t in inputs]), attrs)
    return _recurrent_types(op, inputs, attrs, result, target, policy) if recurrent and device_type == "cpu" else result


def _recurrent_types(op, inputs, attrs, result, target, policy):
    """The results of a recurrent layer in the types that torch gives on the CPU: promoted with the state that the gates are added to.

    An LSTM in bfloat16 has a kernel of its own there, whose results are bfloat16; a projected output is the product itself.
    """
    x, state = inputs[0], inputs[2 if op.name == "lstm_layer" else 1]
    projected = op.name == "lstm_layer" and inputs[-1] is not None
    even = len(set(attrs["batch_sizes"])) <= 1
    if policy == "lower" and target is _dtypes.bfloat16 and even and not projected and _dtypes.float16 not in (x.dtype, state.dtype):
        return result
    wide = _dtypes.promote_types(target, state.dtype)
    first, last = 2 if projected else 0, 3 if op.name == "lstm_layer" else 2  # what follows is kept for the backward pass only
    return (*result[:first], *[t.to(wide) for t in result[first:last]], *result[last:])


def _device_type(inputs):
    for t in inputs:
        if isinstance(t, Tensor):
            return "cpu" if type(t._data) is np.ndarray or of_array(t._data).name == "numpy" else "cuda"
    return None


def _policy_of_callers(policies, frame):
    """The policy of the outermost listed function that this operation is a part of: of the frames up to the user's code.

    Functions that are not one operation are not known to the tracer; the call stack says so, and only under autocast somebody looks.
    """
    found = None
    while frame is not None:
        name = frame.f_globals.get("__name__")  # quick paths of ops have none
        if name is not None and not name.startswith(PACKAGE):
            break
        found = policies.of_frame(frame) or found
        frame = frame.f_back
    return found


def _target(policy, inputs, device_type):
    """The type that a policy casts to."""
    if policy in ("lower", "gates"):
        return settings.dtypes[device_type]
    if policy == "widest" and not any(_eligible(t, device_type) and t.dtype is _dtypes.float32 for t in inputs):
        return settings.dtypes[device_type]
    return _dtypes.float32


def _eligible(t, device_type):
    """A floating-point tensor on the device type, but no float64."""
    return isinstance(t, Tensor) and t.is_floating_point() and t.dtype is not _dtypes.float64 and _device_type((t,)) == device_type


def _cast(t, dtype, device_type):
    """`t` in `dtype` where autocast may cast it; parameters from the cache, so that they are cast once in a region."""
    if not _eligible(t, device_type) or t.dtype is dtype:
        return t
    leaf = t._requires_grad and t._node is None and t._view is None and t.dtype is _dtypes.float32
    if not (leaf and settings.cache_enabled and settings.nesting and dtype is settings.dtypes[device_type]):
        return t.to(dtype)
    key = id(t), dtype, state.grad
    known = settings.cache.get(key)
    if known is not None and known[0]() is t and known[1] is t._data and known[2] == t._cell[0]:
        return known[3]
    cast = t.to(dtype)
    settings.cache[key] = weakref.ref(t), t._data, t._cell[0], cast
    return cast


def _following(x, result):
    """`result` (of several outputs, the first) in the type of `x`, if that is a half-precision one."""
    if not isinstance(x, Tensor) or not _dtypes.is_half(x._data.dtype):
        return result
    if isinstance(result, tuple):
        return (result[0].to(x.dtype), *result[1:])
    return result.to(x.dtype)

"""Checkpointing: memory for time.  A checkpointed function keeps nothing for its backward pass but its inputs, and runs a second time then.

Two ways, as in torch: `use_reentrant=False` opens saved tensors when they are asked for (see `_recompute.py`) and works with everything autograd
offers; `use_reentrant=True` runs a backward pass inside the backward pass.  Chen et al. 2016, arXiv:1604.06174.
"""
import contextlib
import warnings

from .. import cuda
from .._core.modes import enable_grad, is_grad_enabled
from .._core.tensor import Tensor
from .._functional._random_state import RandomState
from .._state import state
from ..autograd import Function, backward
from ..nn import Sequential
from ._recompute import DETERMINISM_CHECKS, AutocastState, CheckpointError, Frame

__all__ = ["CheckpointError", "CheckpointFunction", "check_backward_validity", "checkpoint", "checkpoint_sequential", "detach_variable",
           "get_device_states", "noop_context_fn", "set_checkpoint_debug_enabled", "set_checkpoint_early_stop", "set_device_states"]


class _Setting:
    """A default that a context manager puts in the place of every call's own argument; None: the argument holds."""

    value = None


class set_checkpoint_early_stop:  # noqa: N801 - torch's name
    """Inside, `early_stop` of all calls of checkpoint is `enable`."""

    setting = _Setting()

    def __init__(self, enable):
        self.enable = enable

    def __enter__(self):
        self.was, self.setting.value = self.setting.value, self.enable

    def __exit__(self, *_):
        self.setting.value = self.was


class set_checkpoint_debug_enabled(set_checkpoint_early_stop):  # noqa: N801
    """Inside, `debug` of all calls of checkpoint is `enabled`; None leaves it to them."""

    setting = _Setting()

    def __init__(self, enabled):
        self.enable = enabled


def noop_context_fn():
    """The default `context_fn`: two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(function, *args, use_reentrant=None, context_fn=noop_context_fn, determinism_check="default", debug=False, early_stop=True, **kwargs):
    """`function(*args, **kwargs)`, without keeping what its backward pass needs: that is computed again from the arguments.

    use_reentrant       False is recommended; True runs a backward pass of its own, and takes no keyword arguments.  Left out: a warning, and True
    preserve_rng_state  (default True) the second run draws the random numbers of the first
    context_fn          returns two context managers, for the first run and for the second
    determinism_check   "default" compares shape, dtype and device of what both runs save, "none" does not
    debug               list the operations of both runs in the error when they differ
    early_stop          end the second run as soon as it has saved all that is needed

    CheckpointError when the second run saves other tensors than the first.
    """
    use_reentrant = _decided(use_reentrant, "checkpoint")
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    debug = debug if set_checkpoint_debug_enabled.setting.value is None else set_checkpoint_debug_enabled.setting.value
    early_stop = early_stop if set_checkpoint_early_stop.setting.value is None else set_checkpoint_early_stop.setting.value
    if debug and context_fn is not noop_context_fn:
        raise ValueError("debug=True is incompatible with non-default context_fn")
    if determinism_check not in DETERMINISM_CHECKS:
        raise ValueError(f"determinism_check should be one of {list(DETERMINISM_CHECKS)} but got {determinism_check}")
    first, second = context_fn()
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    frame = Frame(function, args, kwargs, preserve, second, determinism_check, early_stop, debug)
    with frame.forward(), first, frame.logs[0] if frame.logs else contextlib.nullcontext():
        result = function(*args, **kwargs)
    frame.complete = True
    return result


def _decided(use_reentrant, name):
    if use_reentrant is not None:
        return use_reentrant
    warnings.warn(f"{name}: the use_reentrant parameter should be passed explicitly. use_reentrant=False is recommended; without it, "
                  "use_reentrant=True holds.", stacklevel=3)
    return True


class CheckpointFunction(Function):
    """`checkpoint` with use_reentrant=True: CheckpointFunction.apply(function, preserve_rng_state, *args)."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        """Run the function without recording."""
        check_backward_validity(args)
        ctx.run_function, ctx.autocast = run_function, AutocastState()
        ctx.random = RandomState() if preserve_rng_state else None
        ctx.arguments = [None if isinstance(a, Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        """Run the function again, recording, and a backward pass through that."""
        if state.backward is not None and state.backward.needed is not None:
            raise RuntimeError("When use_reentrant=True, checkpoint is incompatible with .grad() or passing an `inputs` parameter to .backward(). To "
                               "resolve this error, you can either set use_reentrant=False, or call .backward() without passing the `inputs` "
                               "argument.")
        args = list(ctx.arguments)
        for i, t in zip(ctx.places, ctx.saved_tensors):
            args[i] = t
        args = detach_variable(tuple(args))
        with ctx.autocast.again(), ctx.random.again() if ctx.random else contextlib.nullcontext(), enable_grad():
            outputs = ctx.run_function(*args)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = [(o, g) for o, g in zip(outputs, grads) if isinstance(o, Tensor) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward(*map(list, zip(*pairs)))
        return (None, None, *[a.grad if isinstance(a, Tensor) else None for a in args])


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):  # noqa: A002 - torch's name
    """A Sequential, or a list of functions, cut into `segments` of equal length of which all but the last are checkpointed.

    input: the one tensor that goes in.  preserve_rng_state, use_reentrant: as in `checkpoint`
    """
    use_reentrant = _decided(use_reentrant, "checkpoint_sequential")
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if isinstance(functions, Sequential) else functions
    length, at = len(functions) // segments, 0
    for at in range(length, length * segments, length) if length else ():
        input = checkpoint(_chain(functions[at - length:at]), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return _chain(functions[at:])(input)


def _chain(functions):
    def run(x):
        for function in functions:
            x = function(x)
        return x
    return run


def get_device_states(*args):
    """(indexes, generator states) of the CUDA devices that the tensors among `args`, and in their dicts, lists and tuples, are on."""
    devices = sorted({t.get_device() for t in _tensors_in(args) if t.is_cuda})
    return devices, [cuda.get_rng_state(d) for d in devices]


def set_device_states(devices, states, *, device_type=None):
    """Put the generators of the CUDA devices back into the states that `get_device_states` returned."""
    for device, generator_state in zip(devices, states):
        cuda.set_rng_state(generator_state, device)


def _tensors_in(x):
    if isinstance(x, Tensor):
        yield x
    for part in x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ():
        yield from _tensors_in(part)


def detach_variable(inputs):
    """The tensors of a tuple without their history, each asking for gradients as before; everything else as it is."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(t.detach().requires_grad_(t.requires_grad) if isinstance(t, Tensor) else t for t in inputs)


def check_backward_validity(inputs):
    """Warn when none of the tensors requires grad: the reentrant way then gives no gradients."""
    if not any(isinstance(t, Tensor) and t.requires_grad for t in inputs):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)

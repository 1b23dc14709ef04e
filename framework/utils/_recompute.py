"""Checkpointing without a second engine run: what an operation would save is not kept, and is computed again when the backward pass asks for it.

During the forward pass every saved tensor is replaced by a Holder, which only knows its number.  The first time one is opened, the function runs
again; the n-th tensor saved then is the value of the n-th Holder.  A value is given out once and let go, so a second backward pass computes anew.
"""
import contextlib
import weakref

from .._core.modes import enable_grad, tracer_below
from .._core.saved import unpack
from .._core.tensor import Tensor
from .._functional._random_state import RandomState
from .._functional.creation import empty
from .._state import state
from ..amp import autocast, get_autocast_dtype, is_autocast_cache_enabled, is_autocast_enabled
from ..autograd import Function
from ..autograd.graph import saved_tensors_hooks


class CheckpointError(RuntimeError):
    """The function did something else when it was run again."""


class _Stop(Exception):  # noqa: N818 - nothing went wrong
    """Ends a recomputation that has made all that is needed."""


class Holder:
    """Stands in the graph for the saved tensor number `index` of a Frame.  value: the tensor, between its recomputation and its use."""

    __slots__ = ("frame", "index", "value", "__weakref__")

    def __init__(self, frame, index):
        self.frame, self.index, self.value = frame, index, None


class _Inputs(Function):
    """A node that saves the inputs of a checkpointed call, under the hooks of an outer checkpoint and guarded against in-place writes."""

    @staticmethod
    def forward(ctx, dummy, *tensors):
        ctx.save_for_backward(*tensors)
        return empty(0)

    @staticmethod
    def backward(ctx, *_):
        raise AssertionError("nothing depends on this node's output")


class AutocastState:
    """The autocast settings of this thread as they were when this was made."""

    def __init__(self):
        self.settings = {kind: (is_autocast_enabled(kind), get_autocast_dtype(kind)) for kind in ("cpu", "cuda")}
        self.cache = is_autocast_cache_enabled()

    @contextlib.contextmanager
    def again(self):
        """Inside, they hold again."""
        with contextlib.ExitStack() as stack:
            for kind, (enabled, dtype) in self.settings.items():
                if enabled or is_autocast_enabled(kind):
                    stack.enter_context(autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=self.cache))
            yield


class OpLog:
    """The names of the operations that ran inside, for the messages of debug mode."""

    def __init__(self):
        self.names = []

    def __enter__(self):
        self.outer = state.tracer
        below = tracer_below(_nothing, self.outer)

        def tracer(op, inputs, attrs, inplace=False):
            operands = ", ".join(f"{t.dtype}{list(t.shape)}" if isinstance(t, Tensor) else repr(t) for t in inputs)
            self.names.append(f"{op.name}{'_' if inplace else ''}({operands})")
            return below(op, inputs, attrs, inplace)
        state.tracer = tracer

    def __exit__(self, *_):
        state.tracer = self.outer


def _nothing(result, inplace):
    """After an operation, there is nothing to do."""


class Frame:
    """One checkpointed call.

    holders     weak references to the Holders of its forward pass, in the order of saving
    described   what each saved tensor looked like
    """

    def __init__(self, function, args, kwargs, preserve_rng_state, recompute_context, determinism_check, early_stop, debug):
        self.function, self.kwargs, self.recompute_context = function, kwargs, recompute_context
        self.random = RandomState() if preserve_rng_state else None
        self.describe, self.early_stop = DETERMINISM_CHECKS[determinism_check], early_stop
        self.logs = (OpLog(), OpLog()) if debug else None
        self.autocast, self.complete, self.partial = AutocastState(), False, False
        self.holders, self.described = [], []
        self._keep(args)

    def _keep(self, args):
        self.args = [None if isinstance(a, Tensor) else a for a in args]
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        self.node = _Inputs.apply(empty(0, requires_grad=True), *[args[i] for i in self.places]).grad_fn

    def inputs(self):
        """The arguments of the call; RuntimeError when one was overwritten since."""
        args = list(self.args)
        for i, entry in zip(self.places, self.node.saved[0]):
            args[i] = unpack(entry, self.node, True)
        return args

    def forward(self):
        """The context in which the function runs first."""
        return saved_tensors_hooks(self.pack, open_holder)

    def pack(self, t):
        """Keep nothing of a saved tensor but its number and what it looks like."""
        holder = Holder(self, len(self.holders))
        self.holders.append(weakref.ref(holder))
        self.described.append(self.describe(t))
        return holder

    def recompute(self):
        """Run the function again and give the Holders that still live their values."""
        count, found = 0, {}

        def pack(t):
            nonlocal count
            if count < len(self.holders):
                holder = self.holders[count]()
                if holder is not None:
                    holder.value, found[count] = t.detach(), self.describe(t)
            count += 1
            if self.early_stop and count == len(self.holders):
                raise _Stop
            return t.detach()

        self.partial = self.partial or not self.complete
        args = self.inputs()
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(self.autocast.again())
                stack.enter_context(self.random.again() if self.random else contextlib.nullcontext())
                stack.enter_context(self.recompute_context)
                stack.enter_context(self.logs[1] if self.logs else contextlib.nullcontext())
                stack.enter_context(saved_tensors_hooks(pack, lambda t: t))
                stack.enter_context(enable_grad())
                self.function(*args, **self.kwargs)
        except _Stop:
            if count != len(self.holders) or not self.early_stop:
                raise  # an outer recomputation ends here
        self._check(count, found)

    def _check(self, count, found):
        if self.partial:
            return
        if count != len(self.holders):
            self._refuse("A different number of tensors was saved during the original forward and recomputation.\n"
                         f"Number of tensors saved during forward: {len(self.holders)}\nNumber of tensors saved during recomputation: {count}.")
        wrong = [f"tensor at position {i}:\nsaved metadata: {self.described[i]}\nrecomputed metadata: {seen}" for i, seen in found.items()
                 if seen != self.described[i]]
        if wrong:
            self._refuse("Recomputed values for the following tensors have different metadata than during the forward pass.\n" + "\n".join(wrong))

    def _refuse(self, said):
        for holder in self.holders:
            if holder() is not None:
                holder().value = None
        if self.logs:
            said += "\n\n" + "\n\n".join(f"Operations executed during {when}:\n" + "\n".join(log.names)
                                         for when, log in zip(("the original forward", "recomputation"), self.logs))
        else:
            said += "\nPass `debug=True` to checkpoint() to see the operations of both runs."
        raise CheckpointError(f"checkpoint: {said}")


def open_holder(holder):
    """The unpack hook: the saved tensor a Holder stands for."""
    if holder.value is None:
        holder.frame.recompute()
    if holder.value is None:
        raise CheckpointError("checkpoint: the recomputation did not save a tensor that the original forward pass saved.")
    value, holder.value = holder.value, None
    return value


def _metadata(t):
    return {"shape": t.shape, "dtype": t.dtype, "device": t.device}


DETERMINISM_CHECKS = {"default": _metadata, "none": lambda t: None}

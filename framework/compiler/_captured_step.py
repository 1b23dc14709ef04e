"""`compile_step`: a whole training step as one CUDA graph."""
import functools
import warnings
from collections import OrderedDict

import numpy as np

from .. import cuda
from .._backends import load_cuda, of_array
from .._core.tensor import Tensor, count_write, wrap
from .._state import state
from ..amp import clear_autocast_cache, get_autocast_dtype, is_autocast_enabled
from ..cuda._capture import CaptureError, explained
from ..cuda._graph import prepare
from ..func._tree import flatten, unflatten
from ..optim._captured import Record

TOO_OFTEN = 4  # captures of one kind of call, after which it is not worth the trouble


def compile_step(fn=None, *, warmup=3, max_graphs=8, fallback=False):
    """`fn`, a training step, run as one CUDA graph once it has run a few times: the host then launches one thing per step in place of hundreds.

        @ringgrad.compile_step
        def step(x, y):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            return loss

    warmup: so many calls (at least 1) of each kind run as they are, before one is captured;  max_graphs: so many kinds are kept, the one unused
    longest goes first;  fallback: what cannot be captured runs as it is, with a warning, in place of raising

    Calls are of one kind when their arguments agree: tensors in shape, type and requires_grad, everything else in value; and when gradients, autocast
    and inference mode are switched alike.  Tensors are copied into the graph's inputs.  A number that changes from call to call is best passed as a
    tensor, since each value of it is captured anew.

    Results are those of the capture: tensors, without a history, that the next call overwrites (`.clone()` what is to stay), and whatever else `fn`
    returned when it was captured.  `.grad` of the parameters holds the gradients, where `fn` leaves them, for optimizers outside of it too; the
    arguments get none.

    Optimizers, schedules and GradScalers need not be listed: they announce themselves while `fn` runs.  Learning rates and step counts live on the
    device (and, save for Adafactor and Muon, momenta, betas, eps and weight decay), and what a schedule has changed reaches the next replay.  A
    schedule's `step` in `fn` is called after each replay, or before it where it stands before the optimizer's.  Random numbers go on as they would.
    When parameters or optimizer state have moved (`load_state_dict`) or another option has changed, the step is captured anew.

    Of `fn` itself nothing runs in a replay: what it does in Python (counters, prints, `model.eval()`) stays as it was at the capture.  Where every
    fourth call steps, say, that is an argument, `step(x, y, last=n % 4 == 3)`, and no counter within: each value is captured on its own.  `fn` must
    not show the host a value: `.item()`, `bool(t)`, `.cpu()`, `print(t)`, `nonzero()` raise a CaptureError that names the operation and its line.
    Nothing has happened to the parameters then, and `fn` can be called as it is.

    Where there is no GPU, and where neither arguments nor parameters are on one, `fn` runs as it is.
    """
    if fn is None:
        return functools.partial(compile_step, warmup=warmup, max_graphs=max_graphs, fallback=fallback)
    if not callable(fn):
        raise TypeError(f"compile_step takes a function, but got {type(fn).__name__}")
    if warmup < 1 or max_graphs < 1:
        raise ValueError(f"compile_step: warmup and max_graphs must be at least 1, but are {warmup} and {max_graphs}")
    step = _Step(fn, warmup, max_graphs, fallback)

    @functools.wraps(fn)
    def compiled(*args, **kwargs):
        return step(args, kwargs)
    compiled.graphs = step.kinds
    return compiled


class _Step:
    """The kinds of calls of one function, the memory that their graphs share, and what they touch."""

    def __init__(self, fn, warmup, max_graphs, fallback):
        self.fn, self.warmup, self.max_graphs, self.fallback = fn, warmup, max_graphs, fallback
        self.kinds, self.record, self.pool, self.stream, self.last = OrderedDict(), Record(), None, None, None

    def __call__(self, args, kwargs):
        if state.capture is not None or state.stepper is not None or not cuda.is_available():
            return self.fn(*args, **kwargs)
        leaves, tree = flatten((args, kwargs))
        key = self.kind_of(leaves, tree)
        kind = self.kinds.get(key)
        if kind is None:
            warm = max((k.calls for other, k in self.kinds.items() if other[:-1] == key[:-1]), default=0)
            kind = self.kinds[key] = _Kind(self, leaves, tree, warm)
            if len(self.kinds) > self.max_graphs:
                self.kinds.popitem(last=False)
        self.kinds.move_to_end(key)
        return kind.run(leaves, args, kwargs)

    def kind_of(self, leaves, tree):
        """What two calls must have in common to be the same graph."""
        modes = (state.grad, state.inference, is_autocast_enabled("cuda"), get_autocast_dtype("cuda"))
        held = any(p._grad is not None for p in self.record.parameters())  # to add to them and to begin anew are two graphs
        return _form(tree), tuple([_sort(leaf) for leaf in leaves]), modes, held

    def place(self):
        """(pool, stream) of the graphs, made at the first use."""
        if self.pool is None:
            self.pool, self.stream = cuda.graph_pool_handle(), cuda.Stream()
        return self.pool, self.stream


class _Kind:
    """One kind of call: runs as it is while it warms up, then captured, then replayed.

    inputs     the graph's own tensors, None for arguments that are no tensors
    results    (leaves, form) of what is returned;  gradients: [(parameter, its gradient after the step, the one before)]
    """

    def __init__(self, step, leaves, tree, calls):
        self.step, self.tree, self.calls, self.captures = step, tree, calls, 0
        self.graph, self.plain = None, False
        self.kept = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]  # objects that the key names by their id

    def run(self, leaves, args, kwargs):
        if self.graph is not None and not self.still_holds():
            self.graph, self.calls = None, self.step.warmup - 1  # once as it is: new state is made, and moved to the device
        if self.plain:
            return self.step.fn(*args, **kwargs)
        if self.graph is None and self.calls < self.step.warmup:
            return self.warm_up(leaves, args, kwargs)
        if self.graph is None and not self.capture(leaves):
            return self.step.fn(*args, **kwargs) if self.plain else self.warm_up(leaves, args, kwargs)
        return self.replay(leaves)

    # -- running it as it is -----------------------------------------------------------------------------------------------

    def warm_up(self, leaves, args, kwargs):
        """On the stream of the graphs, so that libraries and kernels are ready for it; not in their memory, which replays overwrite."""
        record, (_, stream) = self.step.record, self.step.place()
        record.begin_run(leaves)
        before, here = state.stepper, cuda.current_stream()
        stream.wait_stream(here)
        state.stepper = record
        try:
            with cuda.stream(stream):
                result = self.step.fn(*args, **kwargs)
        finally:
            state.stepper = before
            here.wait_stream(stream)
        self.calls += 1
        on_gpu = [leaf for leaf in leaves if isinstance(leaf, Tensor)] + record.parameters()
        self.plain = not any(t.is_cuda for t in on_gpu)
        return result

    # -- capturing it ------------------------------------------------------------------------------------------------------

    def capture(self, leaves):
        """Make the graph.  False, with nothing changed, where it has to run as it is once more; CaptureError where it can never be captured."""
        record, self.captures = self.step.record, self.captures + 1
        if self.captures > TOO_OFTEN:
            return self.give_up("options of its optimizers change from call to call, or their state is replaced; it was captured "
                                f"{TOO_OFTEN} times")
        known, parameters = record.state_keys(), record.parameters()
        before = [p._grad for p in parameters]
        try:
            self.record(leaves, parameters)
        except BaseException as error:
            self.graph = None
            self.undo(known, parameters, before)
            told = explained(error)
            if told is None:
                raise
            if self.step.fallback:
                return self.give_up(str(told))
            if told is error:
                raise
            raise told from error
        if record.forget_new_state(known):
            self.graph, self.captures = None, self.captures - 1
            self.undo(known, parameters, before)
            return False
        self.gradients = list(zip(parameters, [p._grad for p in parameters], before, strict=True))
        self.fixed = self.runs.fixed()
        return True

    def record(self, leaves, parameters):
        """Run the function under a capture, on tensors of the graph's own."""
        record, (pool, stream) = self.step.record, self.step.place()
        own = {id(p) for p in parameters}
        self.inputs = [_static(leaf, own, i) for i, leaf in enumerate(leaves)]
        args, kwargs = unflatten([leaf if static is None else static for leaf, static in zip(leaves, self.inputs)], self.tree)
        prepare(load_cuda())
        clear_autocast_cache()  # of a region around the call: the graph makes its own casts, at every replay
        record.begin_run(self.inputs)
        self.graph, state.stepper = cuda.CUDAGraph(), record
        try:
            with cuda.graph(self.graph, pool=pool, stream=stream):
                result = self.step.fn(*args, **kwargs)
        finally:
            state.stepper = None
            clear_autocast_cache()
        self.runs = record.taken()
        found, form = flatten(result)
        self.results = [wrap(r._data) if isinstance(r, Tensor) else r for r in found], form

    def undo(self, known, parameters, before):
        """After a capture that came to nothing: what Python has done in it, since the device has done nothing."""
        self.step.record.forget_new_state(known)
        for p, gradient in zip(parameters, before):
            p._grad = gradient
        for scaler in self.step.record.scalers:
            scaler._begin_iteration()

    def give_up(self, why):
        """Run as it is from now on."""
        self.plain, self.graph = True, None
        warnings.warn(f"compile_step runs {getattr(self.step.fn, '__name__', 'the step')} as it is: {why}", stacklevel=6)
        return False

    # -- replaying it ------------------------------------------------------------------------------------------------------

    def still_holds(self):
        """Whether parameters, optimizer state and options are those that were captured."""
        objects, values = self.runs.fixed()
        return (len(objects) == len(self.fixed[0]) and all(a is b for a, b in zip(objects, self.fixed[0])) and values == self.fixed[1])

    def replay(self, leaves):
        """Inputs, device scalars, the graph, schedules."""
        self.runs.step_schedules(before=True)
        self.runs.refresh()
        for static, given in zip(self.inputs, leaves):
            if static is not None and static is not given:
                _copy(static, given)
        for p, after, at_start in self.gradients:
            if after is at_start and after is not None and p._grad is not after:
                _accumulate_from(p, after)
        self.graph.replay()
        for p, after, _ in self.gradients:
            p._grad = after
            count_write(p)
        found, form = self.results
        for t in found:
            if isinstance(t, Tensor):
                count_write(t)
        self.runs.step_schedules(before=False)
        return unflatten(found, form)


def _form(tree):
    """A tree as something that can be looked up."""
    if tree.kind is None:
        return None
    context = tuple(tree.context) if isinstance(tree.context, list) else repr(tree.context)
    return tree.kind, context, tuple([_form(child) for child in tree.children])


def _sort(leaf):
    """What an argument contributes to the kind of a call."""
    if isinstance(leaf, Tensor):
        a = leaf._data
        return (a.shape, a.dtype.str, leaf.dtype, str(leaf.device), leaf._requires_grad)
    try:
        hash(leaf)
    except TypeError:
        return type(leaf), id(leaf)
    return type(leaf), leaf


def _static(leaf, parameters, number):
    """The graph's own tensor for an argument: a copy on the device; the argument itself where it is a parameter; None for what is no tensor."""
    if not isinstance(leaf, Tensor):
        return None
    if type(leaf._data) is np.ndarray:
        raise CaptureError(f"compile_step: argument {number} is a tensor on the CPU, from which a CUDA graph cannot copy; move it to the GPU before "
                           "the call: x.to('cuda', non_blocking=True)")
    if id(leaf) in parameters:
        return leaf
    backend = of_array(leaf._data)
    with backend.on_device_of(leaf._data):
        return wrap(leaf._data.copy(), leaf._requires_grad)


def _copy(static, given):
    with of_array(static._data).on_device_of(static._data):
        static._data[...] = given._data


def _accumulate_from(p, held):
    """The graph adds to the gradient `held`, but the parameter has another (or none) now: begin from that."""
    with of_array(held._data).on_device_of(held._data):
        held._data[...] = 0 if p._grad is None else p._grad._data

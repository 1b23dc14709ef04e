"""User-defined differentiable functions: `autograd.Function`, in torch's two forms (forward(ctx, ...) and forward + setup_context)."""
import functools

from .._backends import of_array
from .._core.graph import Node, Pick, next_sequence, refresh_view, source_of
from .._core.inplace import check_writable, rebase
from .._core.modes import no_grad
from .._core.op import Rule
from .._core.recording import add_picks
from .._core.saved import ALREADY_FREED, FREED, OWN, pack_saved, public
from .._core.tensor import Tensor, _new, count_write, wrap
from .._state import state


class FunctionCtx:
    """What forward leaves for backward.  Attributes of your own are kept as they are; tensors belong into save_for_backward."""

    _to_save = ()
    _dirty = ()
    _constants = ()
    _unpacked = None
    materialize_grads = True
    needs_input_grad = ()

    def save_for_backward(self, *tensors):
        """Keep inputs or outputs for `saved_tensors` in backward, guarded against in-place writes.  None is allowed."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"save_for_backward can only save variables, but argument is of type {type(t).__name__}; "
                                "put other values on ctx as attributes")
        self._to_save = tensors

    @property
    def saved_tensors(self):
        """The tensors saved by forward, in order."""
        if self._unpacked is None:
            return tuple(self._to_save)
        return self._unpacked

    def mark_dirty(self, *tensors):
        """Say which inputs forward wrote to in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Say which outputs carry no gradient."""
        self._constants = tensors

    def set_materialize_grads(self, value):
        """False: backward gets None, not zeros, for outputs that no gradient reached."""
        self.materialize_grads = bool(value)


class FunctionNode(Node):
    """The node of a Function: it shows what forward left on its context, and `saved_tensors`."""

    __slots__ = ()

    @property
    def saved_tensors(self):
        """The tensors saved by forward.  RuntimeError when a backward pass has freed them."""
        if self.saved is FREED:
            raise RuntimeError(ALREADY_FREED)
        return tuple([public(e, self) for e in self.saved[0]])

    def __getattr__(self, name):
        return getattr(self.attrs["ctx"], name)


class _FunctionOp:
    """What the engine needs to know of a Function subclass: one rule for all inputs, which calls its backward."""

    unrolls, variadic, holomorphic, promote, overrides, rules_on, view, fast = False, True, False, None, {}, {}, False, False
    rules_take_tensors, inputs, slots, lists, backward_name = True, (), (), False, None

    def __init__(self, cls, frees):
        self.cls, self.name, self.grad_name, self.frees = cls, cls.__name__, f"{cls.__name__}Backward", frees
        rule = Rule(self.call_backward, (0, 1), (0,), ("ctx", "outputs"), True)
        self.rules = [rule]
        self.node_class = type(self.grad_name, (FunctionNode,), {"__slots__": (), "__module__": cls.__module__})

    def rule_for(self, rule, backend):
        """The same function everywhere: it is the user's."""
        return rule.fn

    def call_backward(self, xp, g, saved, ctx, outputs, needs):
        """Run the user's backward on Tensors; returns arrays (or Tensors when the pass is recorded), one per tensor input."""
        grads = g if type(g) is list else [g]
        recorded = any(isinstance(x, Tensor) for x in grads)
        backend = of_array(next(x._data if isinstance(x, Tensor) else x for x in grads if x is not None))
        filled = []
        for x, form in zip(grads, outputs):
            if x is None and form is not None and ctx.materialize_grads:
                with backend.on_device_of(next(x for x in grads if x is not None)):
                    x = backend.xp.zeros(*form)
            filled.append(x if x is None or isinstance(x, Tensor) else wrap(x))
        ctx._unpacked = tuple(saved)
        try:
            answer = self.cls.backward(ctx, *filled)
        finally:
            ctx._unpacked = None
        return self.check_answer(answer, ctx, needs, recorded)

    def check_answer(self, answer, ctx, needs, recorded):
        """torch's checks on what backward returned: one gradient per input of forward, None where none is wanted."""
        answer = answer if isinstance(answer, (tuple, list)) else (answer,)
        expected = len(ctx._positions)
        if len(answer) < expected or any(a is not None for a in answer[expected:]):
            raise RuntimeError(f"function {self.grad_name} returned an incorrect number of gradients (expected {expected}, got {len(answer)})")
        out = []
        for position, needed in zip([i for i, shape in enumerate(ctx._positions) if shape is not None], needs):
            pg = answer[position]
            if pg is not None and not isinstance(pg, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(pg).__name__}) as gradient {position} of {self.grad_name}")
            if pg is not None and not _expands_to(ctx._positions[position], pg._data.shape):
                raise RuntimeError(f"Function {self.grad_name} returned an invalid gradient at index {position} - got {list(pg._data.shape)} "
                                   f"but expected shape compatible with {list(ctx._positions[position])}")
            out.append(None if pg is None or not needed else pg if recorded else pg._data)
        return out


class Function:
    """Base class of differentiable functions written by hand.

    Define static methods `forward(ctx, *inputs)` and `backward(ctx, *grad_outputs)` (or `forward(*inputs)` and
    `setup_context(ctx, inputs, output)`), and call `MyFunction.apply(*inputs)`.
    """

    _op = None

    def __init__(self, *_, **__):
        raise RuntimeError("Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
                           "with static forward method, and call it as MyFunction.apply(...).")

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._op, cls._op_saving_nothing = _FunctionOp(cls, frees=True), _FunctionOp(cls, frees=False)

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the outputs.  To be written by the subclass."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Compute one gradient per input of forward.  To be written by the subclass."""
        raise NotImplementedError("You must implement either the backward or vjp method for your custom autograd.Function to use it with "
                                  "backward mode AD.")

    setup_context = None

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward and, when an input requires grad, record a node whose backward is the subclass's."""
        ctx = FunctionCtx()
        tensors = [a for a in args if isinstance(a, Tensor)]
        for t in tensors:
            if t._view is not None:
                refresh_view(t)
        ctx._positions = [a._data.shape if isinstance(a, Tensor) else None for a in args]
        ctx.needs_input_grad = tuple([isinstance(a, Tensor) and a._requires_grad for a in args])
        records = state.grad and any(ctx.needs_input_grad)
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(ctx, *args, **kwargs)
            else:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        outputs = cls._finish(ctx, tensors, outputs, records)
        return outputs if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _finish(cls, ctx, tensors, outputs, records):
        """Tie the outputs to a node (and dirty inputs to their new history)."""
        dirty = {id(t) for t in ctx._dirty}
        for t in ctx._dirty:
            check_writable(t, records)
            count_write(t)
        outputs = tuple([wrap(o._data) if isinstance(o, Tensor) and id(o) not in dirty and any(o is t for t in tensors) else o
                         for o in outputs])
        if not records:
            ctx._to_save = ()
            return outputs
        constants = {id(t) for t in ctx._constants}
        live = [(i, o) for i, o in enumerate(outputs)
                if isinstance(o, Tensor) and id(o) not in constants and o._data.dtype.kind in "fcV"]
        op = cls._op if ctx._to_save else cls._op_saving_nothing
        node = _new(op.node_class)
        node.op, node.hooks, node.trace, node.dtypes = op, None, None, None
        node.edges = tuple([source_of(t) for t in tensors])
        node.attrs = {"ctx": ctx, "outputs": tuple([(o._data.shape, o._data.dtype) if isinstance(o, Tensor) else None for o in outputs])}
        node.seq = next_sequence()
        node.shapes = (*(t._data.shape for t in tensors), node.attrs["outputs"])
        if len(outputs) == 1:
            made = [(o, node) for _, o in live]
        else:
            stand_ins = [(i, wrap(o._data)) for i, o in live]
            add_picks(node, stand_ins)
            made = [(o, s._node) for (_, o), (_, s) in zip(live, stand_ins)]
        for output, own in made:
            if id(output) in dirty:
                rebase(output, own)
            else:
                output._node, output._requires_grad = own, True
        node.saved = ([_entry(t, node) for t in ctx._to_save],)
        if state.saved_hooks:
            pack_saved(node, ctx._to_save)
        ctx._to_save = ()
        return outputs


def _entry(t, node):
    if t is None:
        return None
    source = OWN if t._node is node else t._node.index if type(t._node) is Pick and t._node.edges[0] is node else source_of(t)
    return t._data, t._cell, t._cell[0], source


def _expands_to(shape, larger):
    """Whether `shape` broadcasts to `larger`, so that a gradient of that shape can be summed down to it."""
    return len(shape) <= len(larger) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(larger)))


def once_differentiable(backward):
    """Decorator for a `backward` that cannot be differentiated itself: doing so raises RuntimeError."""
    @functools.wraps(backward)
    def wrapper(ctx, *grads):
        with no_grad():
            answer = backward(ctx, *grads)
        if not state.grad or not any(isinstance(g, Tensor) and g._requires_grad for g in grads):
            return answer
        answers = answer if isinstance(answer, tuple) else (answer,)
        refused = tuple([None if a is None else _Refuse.apply(a, *[g for g in grads if g is not None]) for a in answers])
        return refused if isinstance(answer, tuple) else refused[0]
    return wrapper


class _Refuse(Function):
    """Passes its first input through and refuses to be differentiated."""

    @staticmethod
    def forward(ctx, value, *_):
        return wrap(value._data)

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")



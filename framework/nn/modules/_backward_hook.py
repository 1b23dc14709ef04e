"""Full backward hooks: the module's inputs and outputs pass through an identity whose backward shows the gradients to the hooks."""
import warnings

from ..._backends import of_array
from ..._core.op import op
from ..._core.recording import tie_view
from ..._core.tensor import Tensor, wrap
from ..._state import state


@op(variadic=True, grad_name="BackwardHookFunction")
def watched(xp, *xs, show: object = None):
    """The tensors `xs`, unchanged, as views.  In the backward pass `show(gradients)` sees what arrived and says what goes on."""
    return tuple(x[...] for x in xs)


@watched.vjp("xs")
def _(xp, g, show, needs):
    recorded = any(isinstance(p, Tensor) for p in g)
    answers = show([p if p is None or recorded else wrap(p) for p in g])
    return [None if p is None or not need else p if recorded else p._data for p, need in zip(answers, needs)]


def watch(tensors, show):
    """The tensors, behind an identity that passes their gradients through `show`.  Those that take no gradient still take none."""
    outputs = watched.apply(tuple(tensors), {"show": show})
    for i, (x, y) in enumerate(zip(tensors, outputs)):
        tie_view(watched, x, y, {"show": show}, i)
        y._requires_grad = x._requires_grad
        if not x._requires_grad:
            y._node = None
    return outputs


class BackwardHook:
    """The hooks of one call of one module."""

    def __init__(self, module, after, before):
        self.module, self.after, self.before = module, after, before
        self.grad_outputs = self.n_inputs = self.input_places = None

    def watch_inputs(self, args):
        """The positional arguments, those that are tensors watched; as they are when no gradient will reach them."""
        self.n_inputs = len(args)
        self.input_places, args = self._watch_some(args, self._show_inputs)
        self.input_kinds = [(args[i].shape, args[i]._data.dtype) for i in self.input_places or ()]
        return args

    def watch_outputs(self, result):
        """The module's output, watched.  UserWarning when it is neither a tensor nor a tuple of them."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn("For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                          f"{type(result)}", stacklevel=4)
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outputs)
        self.output_places, outputs = self._watch_some(outputs, self._show_outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _watch_some(self, values, show):
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
        if not state.grad or not any(values[i].requires_grad for i in places):
            return None, values
        replaced = list(values)
        for i, t in zip(places, watch([values[i] for i in places], show)):
            replaced[i] = t
        return places, tuple(replaced) if type(values) is tuple else type(values)(*replaced)

    def _show_outputs(self, grads):
        grad_outputs = self._spread(self.output_places, grads, self.n_outputs)
        for hook in self.before:
            grad_outputs = _checked(hook(self.module, grad_outputs), grad_outputs, "Backward pre hook", "grad_output")
        self.grad_outputs = grad_outputs
        if self.input_places is None:
            self._show_without_inputs()
        return [grad_outputs[i] for i in self.output_places]

    def _show_without_inputs(self):
        """No input takes a gradient: the backward hooks run now, with nothing they could change."""
        warnings.warn("Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
                      "gradients.", stacklevel=2)
        for hook in self.after:
            answer = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if answer is not None and not (isinstance(answer, tuple) and all(a is None for a in answer)):
                raise RuntimeError("Backward hook for Modules where no input requires gradient should always return None or None for all "
                                   "gradients.")
        self.grad_outputs = None

    def _show_inputs(self, grads):
        if self.grad_outputs is None:
            return grads  # the gradient came round the module, as in a double backward
        grad_inputs = self._spread(self.input_places, self._with_zeros(grads), self.n_inputs)
        for hook in self.after:
            grad_inputs = _checked(hook(self.module, grad_inputs, self.grad_outputs), grad_inputs, "Backward hook", "grad_input")
        self.grad_outputs = None
        return [grad_inputs[i] for i in self.input_places]

    def _with_zeros(self, grads):
        """`grads`, with zeros for the tensors that none came for."""
        xp = of_array(next(g for g in grads if g is not None)._data).xp
        return [wrap(xp.zeros(shape, dtype)) if g is None else g for g, (shape, dtype) in zip(grads, self.input_kinds)]

    @staticmethod
    def _spread(places, values, n):
        spread = [None] * n
        for i, value in zip(places, values):
            spread[i] = value
        return tuple(spread)


def _checked(answer, present, who, what):
    """The gradients after one hook.  RuntimeError when it returned another number of them."""
    if answer is None:
        return present
    if isinstance(answer, Tensor):
        answer = (answer,)
    if len(answer) != len(present):
        raise RuntimeError(f"{who} returned an invalid number of {what}, got {len(answer)}, but expected {len(present)}")
    return answer


# -- hooks of the older kind -------------------------------------------------------------------------------------------

def watch_last_node(module, hooks, args, result):
    """Register `hooks` on the operation that made the (first) output.  FutureWarning where its inputs and outputs are not the module's."""
    outputs = list(result.values()) if isinstance(result, dict) else result
    outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    nodes = {id(t.grad_fn): t.grad_fn for t in outputs if isinstance(t, Tensor) and t.grad_fn is not None}
    if not nodes:
        return
    first, *others = nodes.values()
    _warn_of_what_is_missing(outputs, args, first, others)
    for hook in hooks:
        first.register_hook(lambda grad_inputs, grad_outputs, hook=hook: hook(module, grad_inputs, grad_outputs))


def _warn_of_what_is_missing(outputs, args, node, other_nodes):
    if not all(isinstance(t, Tensor) for t in outputs):
        what, missing = "on a Module that does not return a single Tensor or a tuple of Tensors", "some of the grad_output"
    elif not all(isinstance(t, Tensor) for t in args):
        what, missing = "on a Module that does not take as input a single Tensor or a tuple of Tensors", "some of the grad_input"
    elif other_nodes:
        what, missing = "when outputs are generated by different autograd Nodes", "some grad_output"
    elif {id(t.grad_fn) for t in args if t.grad_fn is not None} != {id(n) for n, _ in node.next_functions if n is not None}:
        what, missing = "when the forward contains multiple autograd Nodes", "some grad_input"
    else:
        return
    warnings.warn(f"Using a non-full backward hook {what} is deprecated and will be removed in future versions. This hook will be missing "
                  f"{missing}. Please use register_full_backward_hook to get the documented behavior.", FutureWarning, stacklevel=5)

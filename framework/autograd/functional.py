"""Jacobians, Hessians and their products with vectors, in torch's words.

`func` takes tensors and returns a tensor or a tuple of tensors; what comes back has the same structure, tuples where tuples were given or returned.
`inputs` and `v` are a Tensor or a tuple of Tensors.  Shared arguments:

create_graph  the results can be differentiated again
strict        RuntimeError where an output does not depend on an input, instead of zeros
vectorize     accepted; the rows are computed one after the other, and are the same
"""
from .._core.modes import enable_grad, is_grad_enabled, set_grad_enabled
from .._core.tensor import Tensor
from .._functional.creation import zeros_like
from .._functional.joining import stack
from .._functional.shape import view_as
from ._derivatives import grad
from ._forward import Pushforward, basis, split_columns

__all__ = ["vjp", "jvp", "jacobian", "hessian", "hvp", "vhp"]
_STRATEGIES = ("forward-mode", "reverse-mode")


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v^T J): the product of a vector with the Jacobian, of the inputs' shapes.  v: of the outputs' shapes; None for one element."""
    with enable_grad():
        inputs, outputs = run = _Run("vjp", func, inputs, create_graph, strict)
        if v is None:
            if len(outputs) != 1 or outputs[0].numel() != 1:
                raise RuntimeError("The vector v can only be None if the user-provided function returns a single Tensor with a single element.")
        else:
            v = _vector(v, "vjp", outputs, run.outputs_tuple, create_graph)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grad(outputs, inputs, v, create_graph)
        found = _zeros_for_none(found, inputs, strict, create_graph, "The output of the user-provided function is independent of input {}.",
                                "jacobian")
    return _pack(_finished(outputs, create_graph), run.outputs_tuple), _pack(_finished(found, create_graph), run.inputs_tuple)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), J v): the product of the Jacobian with a vector, of the outputs' shapes.  v: of the inputs' shapes; None for one element."""
    with enable_grad():
        inputs, was_tuple = _inputs(inputs, "jvp", create_graph)
        v = _vector_for_inputs(v, "jvp", inputs, was_tuple, create_graph)
        outputs, outputs_tuple = _call(func, inputs, "jvp", strict)
        push = Pushforward(outputs, inputs)
        if strict:
            _require_dependence(push.gradients, "The gradient with respect to input {} is independent of the inputs of the user-provided function. "
                                "This is not allowed in strict mode.")
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = push(v or [zeros_like(t) + 1 for t in inputs], create_graph)
        found = _zeros_for_none(found, outputs, strict, create_graph, "The gradient with respect to the input is independent of entry {} in the "
                                "grad_outputs when using the double backward trick to compute forward mode gradients.", "jacobian")
    return _pack(_finished(outputs, create_graph), outputs_tuple), _pack(_finished(found, create_graph), outputs_tuple)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The derivatives of every output by every input: J[output][input] of shape (*output, *input), nested like outputs and inputs.

    strategy: "reverse-mode", one backward pass per element of the outputs, or "forward-mode" (with vectorize=True), one per element of the inputs.
    """
    if strategy not in _STRATEGIES:
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than inputs, '
                             '"forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".')
    if strategy == "forward-mode":
        return _jacobian_forward(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        inputs, outputs = run = _Run("jacobian", func, inputs, create_graph, strict)
        if vectorize and strict:
            raise RuntimeError("jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set `strict=False` or "
                               "`vectorize=False`.")
        if not vectorize:
            _refuse_complex(outputs)
        rows = tuple(_rows(i, o, inputs, create_graph, strict) for i, o in enumerate(outputs))
    rows = tuple(_finished(row, create_graph) for row in rows)
    return _pack(tuple(_pack(row, run.inputs_tuple) for row in rows), run.outputs_tuple)


def _refuse_complex(outputs):
    for o in outputs:
        if o.is_complex():
            raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {o.dtype}")


def _rows(i, output, inputs, create_graph, strict):
    """Per input, the Jacobian of output number i: one backward pass per element of it."""
    columns = [[] for _ in inputs]
    for (unit,) in basis([output]):
        found = _grad((output,), inputs, (unit,), create_graph, retain_graph=True)
        for k, (column, g, x) in enumerate(zip(columns, found, inputs)):
            if g is None and strict:
                raise RuntimeError(f"Output {i} of the user-provided function is independent of input {k}. This is not allowed in strict mode.")
            if strict and create_graph and not g.requires_grad:
                raise RuntimeError(f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode "
                                   "when create_graph=True.")
            column.append(zeros_like(x) if g is None else g)
    return tuple(stack(c).reshape(*output.shape, *x.shape) if c else x.new_zeros((*output.shape, *x.shape)) for c, x in zip(columns, inputs))


def _jacobian_forward(func, inputs, create_graph, strict, vectorize):
    """The columns of the Jacobian, one pass per element of the inputs.  The results have a history when the inputs have one."""
    if create_graph:
        raise NotImplementedError('jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported together. Please either set '
                                  '`create_graph=False` or `strategy="reverse-mode"`.')
    if strict:
        raise RuntimeError('jacobian: `strict=True` and `strategy="forward-mode"` are not supported together. Please either set `strict=False` or '
                           '`strategy="reverse-mode"`.')
    given, was_tuple = _tensors(inputs, "inputs", "jacobian")
    if not vectorize:
        raise NotImplementedError("Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for `vectorize=True`.")
    linked = is_grad_enabled() and any(t.requires_grad for t in given)
    with enable_grad():
        inputs = _stand_ins(given, linked, True)
        outputs, outputs_tuple = _call(func, inputs, "jacobian", False)
        push = Pushforward(outputs, inputs)
        columns = [_zeros_for_none(push(unit, linked, True), outputs, False, False) for unit in basis(inputs)]
        found = tuple(_pack(split_columns([c[i] for c in columns], o, inputs), was_tuple) for i, o in enumerate(outputs))
    return _pack(found if linked else tuple(_finished(f, False) for f in found), outputs_tuple)


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The second derivatives of a function with one element: H[i][j] of shape (*input i, *input j), nested like the inputs.

    outer_jacobian_strategy: how the Jacobian of the gradient is computed; see `jacobian`.
    """
    given, was_tuple = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in _STRATEGIES:
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def single(*xs):
        outputs, outputs_tuple = _tensors(func(*xs), "outputs of the user-provided function", "hessian")
        if strict:
            _require_dependence(outputs, _NO_GRADIENT)
        return _one_element(outputs, outputs_tuple, "hessian").reshape(())

    def gradient(*xs):
        found = jacobian(single, xs, create_graph=True)
        if strict:
            _require_dependence(found, _LINEAR)
        return found

    found = jacobian(gradient, given, create_graph, strict, vectorize, outer_jacobian_strategy)
    return _pack(tuple(_pack(row, was_tuple) for row in found), was_tuple)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), v^T H) for a function with one element; v and the product are of the inputs' shapes.  One backward pass through another."""
    with enable_grad():
        inputs, was_tuple, outputs, gradient, v = _gradient_and_vector("vhp", func, inputs, v, create_graph, strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grad(gradient, inputs, v, create_graph)
        found = _zeros_for_none(found, inputs, strict, create_graph, "The jacobian of the user-provided function is independent of input {}.",
                                "hessian")
    return _finished(outputs, create_graph)[0], _pack(_finished(found, create_graph), was_tuple)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(*inputs), H v) for a function with one element; v and the product are of the inputs' shapes.

    Slower than `vhp`, and equal to it where the second derivatives are continuous.
    """
    with enable_grad():
        inputs, was_tuple, outputs, gradient, v = _gradient_and_vector("hvp", func, inputs, v, create_graph, strict)
        seeds = [zeros_like(t).requires_grad_() for t in inputs]
        twice = _grad(gradient, inputs, seeds, True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grad(twice, seeds, v, create_graph)
        found = _zeros_for_none(found, inputs, strict, create_graph, "The hessian of the user-provided function is independent of entry {} in the "
                                "grad_jacobian.", "hessian")
    return _finished(outputs, create_graph)[0], _pack(_finished(found, create_graph), was_tuple)


def _gradient_and_vector(name, func, inputs, v, create_graph, strict):
    """(inputs, whether they were a tuple, outputs, gradient, v), of `vhp` and `hvp`."""
    inputs, was_tuple = _inputs(inputs, name, create_graph)
    v = _vector_for_inputs(v, name, inputs, was_tuple, create_graph)
    outputs, outputs_tuple = _call(func, inputs, name, strict)
    _one_element(outputs, outputs_tuple, name)
    gradient = _grad(outputs, inputs, None, True)
    if strict:
        _require_dependence(gradient, _LINEAR)
    return inputs, was_tuple, outputs, gradient, v


# -- arguments ---------------------------------------------------------------------------------------------------------

def _tensors(x, what, name):
    """(tuple of tensors, whether x was a tuple).  TypeError for anything else."""
    was_tuple = isinstance(x, tuple)
    found = x if was_tuple else (x,)
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            where = f"value at index {i}" if was_tuple else f"given {what}"
            raise TypeError(f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {where} has type {type(t)}.")
    return found, was_tuple


def _stand_ins(tensors, linked, need_grad):
    """Tensors to differentiate by: with a history of their own, one step behind each of `tensors` where `linked` and it has a history."""
    return tuple(view_as(t, t) if linked and t.requires_grad else t.detach().requires_grad_(need_grad) for t in tensors)


def _inputs(inputs, name, create_graph):
    found, was_tuple = _tensors(inputs, "inputs", name)
    return _stand_ins(found, create_graph, True), was_tuple


def _call(func, inputs, name, strict):
    """(outputs, whether they are a tuple)."""
    outputs, was_tuple = _tensors(func(*inputs), "outputs of the user-provided function", name)
    if strict:
        _require_dependence(outputs, _NO_GRADIENT)
    return outputs, was_tuple


class _Run:
    """`func` called on stand-ins for `inputs`; unpacks to (inputs, outputs)."""

    def __init__(self, name, func, inputs, create_graph, strict):
        self.inputs, self.inputs_tuple = _inputs(inputs, name, create_graph)
        self.outputs, self.outputs_tuple = _call(func, self.inputs, name, strict)

    def __iter__(self):
        return iter((self.inputs, self.outputs))


def _vector(v, name, like, like_tuple, create_graph):
    """`v` as a tuple, each of the shape of its entry in `like`."""
    found, _ = _tensors(v, "v", name)
    found = _stand_ins(found, create_graph, False)
    if len(found) != len(like):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(found)}." if like_tuple else
                           "The given v should contain a single Tensor.")
    for i, (t, other) in enumerate(zip(found, like)):
        if t.shape != other.shape:
            raise RuntimeError(f"{f'Entry {i} in ' if like_tuple else ''}v has invalid size: should be {other.shape} but got {t.shape}.")
    return found


def _vector_for_inputs(v, name, inputs, was_tuple, create_graph):
    if v is not None:
        return _vector(v, name, inputs, was_tuple, create_graph)
    if len(inputs) != 1 or inputs[0].numel() != 1:
        raise RuntimeError("The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.")
    return None


def _one_element(outputs, outputs_tuple, name):
    if outputs_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
    return outputs[0]


# -- results -----------------------------------------------------------------------------------------------------------

_NO_GRADIENT = ("Output {} of the user-provided function does not require gradients. The outputs must be computed in a differentiable manner "
                "from the input when running in strict mode.")
_LINEAR = ("While computing the hessian, found that the jacobian of the user-provided function with respect to input {} is independent of the input. "
           "This is not allowed in strict mode. You should ensure that your function is twice differentiable and that the jacobian depends on the "
           "inputs (this would be violated by a linear function for example).")


def _require_dependence(tensors, sentence):
    for i, t in enumerate((tensors,) if isinstance(tensors, Tensor) else tensors):
        if t is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {i}. This is not allowed in strict mode.")
        if not t.requires_grad:
            raise RuntimeError(sentence.format(i))


def _grad(outputs, inputs, seeds, create_graph, retain_graph=None):
    """autograd.grad of those outputs that have a gradient; None where there is nothing to come."""
    pairs = [(o, s) for o, s in zip(outputs, seeds or (None,) * len(outputs)) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    live, seeds = zip(*pairs)
    return grad(live, inputs, seeds, retain_graph, create_graph, allow_unused=True)


def _zeros_for_none(found, like, strict, create_graph, sentence="", order=""):
    """Zeros where a derivative is None; in strict mode an error instead, which also wants a history where create_graph asks for one."""
    for i, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(f"{sentence.format(i)} This is not allowed in strict mode.")
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(f"The {order} of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
                               "create_graph=True.")
    return tuple(zeros_like(x) if g is None else g for g, x in zip(found, like))


def _finished(tensors, create_graph):
    """Without histories, unless create_graph."""
    if isinstance(tensors, Tensor):
        return tensors if create_graph else tensors.detach()
    return tuple(_finished(t, create_graph) for t in tensors)


def _pack(found, is_tuple):
    return found if is_tuple else found[0]

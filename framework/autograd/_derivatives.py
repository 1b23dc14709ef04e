"""`backward` and `grad`, the two ways to ask for derivatives."""
import warnings

from .. import ops
from .._backends import BACKENDS, of_array
from .._core.graph import GradientEdge
from .._core.tensor import Tensor, wrap
from .._tensor.gradients import at_edge, run_backward


def _tuple(x):
    return (x,) if isinstance(x, (Tensor, GradientEdge)) or x is None else tuple(x)


def _match(gradients, tensors):
    if gradients is None:
        return (None,) * len(tensors)
    if len(gradients) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    return gradients


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Add the gradients of `tensors`, weighted with `grad_tensors`, into the `.grad` of the leaves (or of `inputs`).

    grad_variables: the old name of grad_tensors, which warns.
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError("'grad_tensors' and 'grad_variables' (deprecated) arguments both passed to backward(). Please only use "
                               "'grad_tensors'.")
        warnings.warn("'grad_variables' is deprecated. Use 'grad_tensors' instead.", FutureWarning, stacklevel=2)
        grad_tensors = grad_variables
    tensors = _tuple(tensors)
    given = None if grad_tensors is None else _tuple(grad_tensors)
    run_backward(tensors, _match(given, tensors), retain_graph, create_graph, None if inputs is None else _tuple(inputs))


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None,
         is_grads_batched=False, materialize_grads=False):
    """The gradients of `outputs` with respect to `inputs`, as a tuple; no `.grad` changes.

    grad_outputs       one gradient per output (None: ones, for single elements)
    allow_unused       None in place of the gradient of an input that the outputs do not depend on (default: RuntimeError)
    materialize_grads  zeros in place of those None
    is_grads_batched   grad_outputs carry a leading batch dimension; the gradients then do too
    only_inputs        True; the other value is gone from torch too, and warns
    """
    if not only_inputs:
        warnings.warn("only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other parts of the "
                      "graph, please use torch.autograd.backward.", FutureWarning, stacklevel=2)
    outputs, inputs = _tuple(outputs), tuple(map(at_edge, _tuple(inputs)))
    given = None if grad_outputs is None else _tuple(grad_outputs)
    if allow_unused is None:
        allow_unused = materialize_grads
    if materialize_grads and not allow_unused:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    if is_grads_batched:
        return _batched(outputs, inputs, given, retain_graph, create_graph, allow_unused, materialize_grads)
    found = run_backward(outputs, _match(given, outputs), retain_graph, create_graph, list(inputs), accumulate=False)
    return tuple(_as_tensor(t, i, found.get(id(t)), allow_unused, materialize_grads) for i, t in enumerate(inputs))


def _as_tensor(t, i, g, allow_unused, materialize):
    if g is None:
        if materialize:
            return wrap(t._data * 0)
        if not allow_unused:
            raise RuntimeError(f"One of the differentiated Tensors appears to not have been used in the graph (input {i}, of shape "
                               f"{list(t._data.shape)}). Set allow_unused=True if this is the desired behavior.")
        return None
    if isinstance(g, Tensor):
        return g
    backend = BACKENDS.get(type(g)) or of_array(t._data)
    with backend.on_device_of(g):
        g = backend.asarray(g)
        return wrap(g.copy() if g.base is not None else g)


def _batched(outputs, inputs, given, retain_graph, create_graph, allow_unused, materialize):
    """One backward pass per entry of the leading dimension, stacked."""
    count = given[0]._data.shape[0]
    rows = [grad(outputs, inputs, [g[k] for g in given], True if k + 1 < count else retain_graph, create_graph,
                 allow_unused=allow_unused, materialize_grads=materialize) for k in range(count)]
    return tuple(None if column[0] is None else ops.stack(list(column)) for column in zip(*rows))

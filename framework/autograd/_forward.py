"""Forward-mode derivatives out of two backward passes.

A backward pass computes g = J^H v, which is linear in v.  Its own derivative with respect to v, in the direction t, is J t: what forward mode
gives (Townsend 2017, "A new trick for calculating Jacobian vector products").  No op needs a forward rule for it; it costs about two backward passes.
"""
from .. import ops
from .._backends import of_array
from .._core.modes import enable_grad
from .._core.tensor import wrap
from .._functional.joining import stack
from ._derivatives import grad


class Pushforward:
    """The linear map J of recorded `outputs` with respect to `inputs`; calling it with tangents runs it.

    gradients  J^H v per input, None where the outputs do not depend on it
    seeds      v, per output; None for an output without gradient
    """

    def __init__(self, outputs, inputs):
        self.outputs = outputs
        live = [o for o in outputs if o.requires_grad]
        with enable_grad():
            seeds = [(o != o).to(o.dtype).requires_grad_() for o in live]  # any numbers do; under vmap these are mapped if the output is
            self.gradients = grad(live, inputs, seeds, create_graph=True, allow_unused=True) if live else (None,) * len(inputs)
        waiting = iter(seeds)
        self.seeds = [next(waiting) if o.requires_grad else None for o in outputs]

    def __call__(self, tangents, create_graph=False, retain_graph=None):
        """J t, one tensor per output; None where it does not depend on the inputs.  tangents: one per input, None for zeros."""
        pairs = [(g, t) for g, t in zip(self.gradients, tangents) if g is not None and g.requires_grad and t is not None]
        seeds = [v for v in self.seeds if v is not None]
        if not pairs or not seeds:
            return (None,) * len(self.outputs)
        rows, directions = zip(*pairs)
        found = iter(grad(rows, seeds, directions, retain_graph, create_graph, allow_unused=True))
        return tuple(None if v is None else next(found) for v in self.seeds)


def basis(tensors):
    """Unit vectors of the flattened `tensors`, one after the other: each is a tuple with one tensor per tensor, all zeros but for a single 1."""
    empty = [ops.zeros_like(t) for t in tensors]
    for i, t in enumerate(tensors):
        for k in range(t._data.size):
            yield tuple(_unit(t, k) if j == i else e for j, e in enumerate(empty))


def _unit(t, k):
    backend = of_array(t._data)
    with backend.on_device_of(t._data):
        unit = backend.xp.zeros(t._data.size, t._data.dtype)
        unit[k] = 1
    return wrap(unit.reshape(t._data.shape))


def split_columns(columns, output, inputs):
    """Derivatives of one output by each element of the inputs, each (*output) -> one (*output, *input) tensor per input."""
    parts, at = [], 0
    for x in inputs:
        own, at = columns[at:at + x.numel()], at + x.numel()
        shape = (*output.shape, *x.shape)
        parts.append(stack(own, -1).reshape(shape) if own else output.new_zeros(shape))
    return tuple(parts)

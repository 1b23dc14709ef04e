"""Clipping of gradients as a part of the optimizer's step, where the gradients are read in any case."""
import math
import weakref

import numpy as np

from .._backends import of_array
from .._backends.sparse_ import SparseArray
from .._core.tensor import count_write, wrap
from ..kernels import multi_tensor
from ..nn.utils.clip_grad import get_total_norm, in_few_launches
from ._on_device import takes_scale

MOST, ORDER = "max_grad_norm", "grad_norm_type"  # options of every group


def clip_in_step(optimizer, max_norm, norm_type=2.0):
    """Let `optimizer.step()` clip the gradients of all its groups, seen as one vector, to the norm `max_norm`; None: no longer.

    What the step does then is what it does behind `nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)`, but the gradients themselves stay
    as they are: the update multiplies them by the factor while it reads them, which on a GPU saves a pass over all of them.  The host waits for
    nothing, and the step can be captured.  With a GradScaler there is no need for `unscale_`: what is clipped are unscaled gradients.

        optimizer = ringgrad.optim.clip_in_step(ringgrad.optim.AdamW(model.parameters(), lr=3e-4, fused=True), 1.0)
        ...
        optimizer.step()
        print(optimizer.total_norm.item())      # the norm before clipping, of the last step

    `total_norm` is a 0-d tensor, float32 or float64, on the device of the first gradient, overwritten by each step; None before the first.  The two
    numbers are options of the groups, so they are part of `state_dict()`.  Gradients that other ranks hold are not counted: a sharded model has its
    own `clip_grad_norm_`.  torch has no such function.  For every optimizer but LBFGS.
    TypeError for an optimizer that does not update one parameter after the other, ValueError for a norm that is not positive; the step raises a
    RuntimeError for sparse gradients.
    """
    if not hasattr(optimizer, "update_one"):
        raise TypeError(f"clip_in_step needs an optimizer that updates one parameter after the other, such as SGD or AdamW, not "
                        f"{type(optimizer).__name__}; call nn.utils.clip_grad_norm_ before the step instead")
    try:
        most, order = None if max_norm is None else float(max_norm), float(norm_type)
    except (TypeError, ValueError) as error:
        raise type(error)(f"clip_in_step: max_norm must be a number or None and norm_type a number, such as 1.0 and 2.0, but are {max_norm!r} and "
                          f"{norm_type!r}") from None
    if most is not None and not most > 0 or math.isnan(order):
        raise ValueError(f"clip_in_step: max_norm must be positive and norm_type a number, but are {max_norm} and {norm_type}")
    for options in (optimizer.defaults, *optimizer.param_groups):  # the defaults, for groups that are added or loaded later
        options[MOST], options[ORDER] = most, order
    return optimizer


def factor_of(optimizer):
    """The number that the step multiplies all gradients by, a 0-d tensor: min(1, max_norm / (norm + 1e-6)).  None where that changes nothing."""
    first = optimizer.param_groups[0]
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if first[MOST] is None or not gradients:
        return None
    if any(type(g._data) is SparseArray for g in gradients):
        raise RuntimeError("clip_in_step does not take sparse gradients: clip the others with nn.utils.clip_grad_norm_ before the step")
    scale = getattr(optimizer, "grad_scale", None) if optimizer._step_supports_amp_scaling and takes_scale(optimizer) else None
    a = gradients[0]._data
    backend = of_array(a)
    with backend.on_device_of(a), np.errstate(all="ignore"):  # overflowed gradients, which a GradScaler will leave out
        xp, held = backend.xp, _place(optimizer, backend, a)
        if scale is not None:
            scale = xp.asarray(scale._data).reshape(-1).astype(held.dtype, copy=False)
        if first[ORDER] == 2 and in_few_launches(gradients):
            multi_tensor.norm_and_factor(xp, [g._data for g in gradients], first[MOST], scale, held)
        else:
            norm = get_total_norm(gradients, first[ORDER])._data.reshape((1,)).astype(held.dtype)
            held[:1] = norm if scale is None else norm / scale
            held[1:] = xp.minimum(first[MOST] / (held[:1] + 1e-6), 1)
        count_write(optimizer.total_norm)
        if xp is np and held[1] == 1:  # which the host knows here
            return None
        return wrap(held[1:].reshape(()))


_PLACES = weakref.WeakKeyDictionary()  # optimizer: (norm, factor), an array of two that stays where it is, for graphs and their readers


def _place(optimizer, backend, like):
    held, kind = _PLACES.get(optimizer), multi_tensor.computing(like)
    if held is None or type(held) is not type(like) or held.dtype != kind or backend.index_of(held) != backend.index_of(like):
        held = _PLACES[optimizer] = backend.xp.zeros((2,), kind)
        optimizer.total_norm = wrap(held[:1].reshape(()))
    return held

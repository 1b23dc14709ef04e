"""The gradient side of a tensor: requires_grad, .grad, detach, backward, hooks."""
import weakref

import numpy as np

from .._backends import of_array
from .._backends.sparse_ import SparseArray
from .._core import engine
from .._core.gradients import accumulate
from .._core.graph import GradientEdge, leaf_hooks, node_hooks, public_edge, refresh_view
from .._core.hooks import RemovableHandle
from .._core.placing import device_to_enter
from .._core.tensor import InferenceVersion, Tensor, _new, wrap
from .._dtypes import of_numpy


def _get_requires_grad(self):
    """Whether gradients flow to or through this tensor."""
    if self._view is not None:
        refresh_view(self)
    return self._requires_grad


def _set_requires_grad(self, value):
    requires_grad_(self, value)


def requires_grad_(self, requires_grad=True):
    """Ask for gradients of this leaf (or no longer).  Returns self.

    RuntimeError for integer tensors, and when switched off on a tensor that was computed: use detach().
    """
    if requires_grad and self._data.dtype.kind not in "fcV":
        raise RuntimeError("only Tensors of floating point and complex dtype can require gradients, and this one is "
                           f"{of_numpy(self._data.dtype).name}")
    if not requires_grad and self._node is not None:
        raise RuntimeError("you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph "
                           "that doesn't require differentiation use var_no_grad = var.detach().")
    if requires_grad and type(self._cell) is InferenceVersion:
        raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
    self._requires_grad = bool(requires_grad)
    return self


def _is_leaf(self):
    """True for tensors that no recorded operation made; only these accumulate `.grad` by themselves."""
    return not _get_requires_grad(self) or self._node is None


def _grad_fn(self):
    """The graph node that made this tensor, or None for a leaf."""
    if self._view is not None:
        refresh_view(self)
    node = self._node
    return node if node is None else public_edge(node)[0]


def _get_grad(self):
    """The accumulated gradient, or None."""
    return self._grad


def _set_grad(self, value):
    if value is not None:
        if not isinstance(value, Tensor):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
        if value._data.shape != self._data.shape:
            raise RuntimeError(f"assigned grad has data of a different size: {list(value._data.shape)} for a tensor of {list(self._data.shape)}")
        if value._data.dtype != self._data.dtype:
            raise RuntimeError(f"assigned grad has data of a different type: {value.dtype} for a tensor of {self.dtype}")
        if type(value._data) not in (type(self._data), SparseArray):
            raise RuntimeError(f"assigned grad has data located on a different device: {value.device} for a tensor on {self.device}")
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
    self._grad = value


def _get_data(self):
    """The same memory as a tensor that autograd does not watch: writes through it are not noticed.  Prefer detach()."""
    return wrap(self._data, cls=Tensor)


def _set_data(self, value):
    if not isinstance(value, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    if self._requires_grad and value._data.dtype.kind not in "fcV":
        raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
    self._data = value._data


def detach(self):
    """The same memory, outside the graph; in-place writes through either are noticed by both."""
    t = _new(Tensor)
    t._data, t._requires_grad, t._node, t._cell, t._view, t._grad, t._hooks = self._data, False, None, self._cell, None, None, None
    return t


def detach_(self):
    """Cut this tensor off the graph that made it.  Returns self.  RuntimeError for a view, which cannot be cut from its base."""
    if self._view is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    self._node, self._requires_grad = None, False
    return self


def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of this tensor into the `.grad` of the leaves it was computed from.

    gradient      gradient with respect to this tensor, of its shape; may be left out for a single element
    retain_graph  keep saved values for another pass (default: as create_graph)
    create_graph  record the backward pass, for derivatives of higher order
    inputs        accumulate into these tensors only
    """
    run_backward([self], [gradient], retain_graph, create_graph, inputs)


def at_edge(t, like=None):
    """A tensor that stands at a GradientEdge, of the form of `like`; a tensor stands for itself."""
    if not isinstance(t, GradientEdge):
        return t
    edge = t.ownership_token if t.ownership_token is not None else getattr(t.node, "variable", t.node)
    if isinstance(edge, Tensor):
        return edge
    stand_in = wrap(np.empty(0) if like is None else like._data, True)
    stand_in._node = edge
    return stand_in


def run_backward(tensors, gradients, retain_graph=None, create_graph=False, inputs=None, accumulate=True):
    """Check arguments as torch does, then run the engine."""
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, (Tensor, GradientEdge)) else list(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        inputs = [at_edge(t) for t in inputs]
        for i, t in enumerate(inputs):
            if not _get_requires_grad(t):
                raise RuntimeError(f"One of the differentiated Tensors does not require grad: input {i}, of shape {list(t._data.shape)}")
    roots, seeds = [], []
    for i, (t, g) in enumerate(zip(tensors, gradients)):
        t = at_edge(t, g)
        if not _get_requires_grad(t):
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        g = _seed(t, g)
        roots.append(t)
        seeds.append(g if create_graph else g._data)
    keep = create_graph if retain_graph is None else retain_graph
    device = device_to_enter((roots[0]._data,)) if roots else None
    if device is None:
        return engine.backward(roots, seeds, keep, create_graph, inputs, accumulate)
    with device:
        return engine.backward(roots, seeds, keep, create_graph, inputs, accumulate)


def _seed(t, g):
    if g is None:
        if t._data.size != 1:
            raise RuntimeError(f"grad can be implicitly created only for scalar outputs, not for shape {list(t._data.shape)}: reduce it first, "
                               "or pass backward(gradient=...)")
        if t._data.dtype.kind == "c":
            raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {t.dtype}")
        backend = of_array(t._data)
        with backend.on_device_of(t._data):
            return wrap(backend.xp.ones_like(t._data))
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if g._data.shape != t._data.shape:
        raise RuntimeError(f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has a shape of {t.shape}.")
    return g if g._data.dtype == t._data.dtype else wrap(g._data.astype(t._data.dtype))


def register_hook(self, hook):
    """Call `hook(gradient)` when this tensor's gradient is computed; what it returns, if anything, takes the gradient's place.

    Returns a handle with `remove()`.  RuntimeError when the tensor does not require grad.
    """
    if not _get_requires_grad(self):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    hooks = _gradient_hooks(self)
    handle = RemovableHandle(hooks, hook)
    for key in [k for k, h in hooks.items() if isinstance(h, _RetainGrad)]:
        hooks.move_to_end(key)  # .grad keeps what the hooks make of the gradient
    return handle


def _gradient_hooks(t):
    return leaf_hooks(t).on_grad if t._node is None else node_hooks(t._node)


def register_post_accumulate_grad_hook(self, hook):
    """Call `hook(leaf)` when the last gradient of a backward pass has been added into `leaf.grad`.  Returns a handle with `remove()`."""
    if not _get_requires_grad(self):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._node is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return RemovableHandle(leaf_hooks(self).post_accumulate, hook)


def retain_grad(self):
    """Keep the gradient of this computed tensor in its `.grad`.  Harmless on a leaf.  RuntimeError when it requires none."""
    if not _get_requires_grad(self):
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._node is None or _retains_grad(self):
        return
    hooks = _gradient_hooks(self)
    reference = _RetainGrad(self)
    hooks[f"retain_grad {id(reference)}"] = reference


class _RetainGrad:
    """A gradient hook that adds what it sees into a tensor's .grad, without keeping the tensor alive."""

    def __init__(self, t):
        self.follows = weakref.ref(t)  # set_history moves the hook along with this tensor

    def __call__(self, g):
        t = self.follows()
        if t is not None:
            accumulate(t, g if g._requires_grad else g._data)


def _retains_grad(self):
    """Whether retain_grad() was called on this computed tensor."""
    return _get_requires_grad(self) and self._node is not None and self._node.hooks is not None and any(
        isinstance(h, _RetainGrad) and h.follows() is self for h in self._node.hooks.values())


ATTRIBUTES = {
    "requires_grad": property(_get_requires_grad, _set_requires_grad), "requires_grad_": requires_grad_, "is_leaf": property(_is_leaf),
    "grad_fn": property(_grad_fn), "grad": property(_get_grad, _set_grad), "data": property(_get_data, _set_data), "detach": detach,
    "detach_": detach_, "backward": backward, "register_hook": register_hook, "retain_grad": retain_grad,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook, "retains_grad": property(_retains_grad),
    "_is_view": lambda self: self._view is not None, "_base": property(lambda self: self._view.base if self._view is not None else None),
    "output_nr": property(lambda self: getattr(self._node, "index", 0)),
}

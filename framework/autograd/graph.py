"""The graph behind a tensor: its nodes, the edges between them, and what nodes save (torch.autograd.graph)."""
import weakref

from .._core.graph import GradientEdge, Node, public_edge, refresh_view
from .._core.modes import tracer_below
from .._core.tensor import Tensor, count_write
from .._state import state

__all__ = ["GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]


class saved_tensors_hooks:  # noqa: N801 - torch's name
    """Inside, `pack_hook(tensor)` is called for every tensor that an operation saves for its backward pass, and the graph keeps what it returns.

    unpack_hook(packed) must return a tensor of the same value when that is needed.  Of nested pairs only the innermost is in force.
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        if state.saved_hooks_refused is not None:
            raise RuntimeError(state.saved_hooks_refused)
        self.outer = state.tracer, state.saved_hooks
        state.saved_hooks = (*state.saved_hooks, (self.pack_hook, self.unpack_hook))
        state.tracer = tracer_below(_nothing, state.tracer)  # no quick path: only the general one packs what it saves

    def __exit__(self, *_):
        state.tracer, state.saved_hooks = self.outer


def _nothing(result, inplace):
    """After an operation, there is nothing to do."""


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """Inside, tensors saved for the backward pass are kept in host memory and copied back to their device when needed.

    pin_memory, device_type: taken for torch's sake; the copies are synchronous.
    """

    def __init__(self, pin_memory=False, device_type="cuda"):
        super().__init__(lambda t: (t.device, t.detach().cpu()), lambda packed: packed[1].to(packed[0]))


class disable_saved_tensors_hooks:  # noqa: N801
    """Inside, entering `saved_tensors_hooks` is a RuntimeError with `error_message`; so is entering this below such hooks."""

    def __init__(self, error_message):
        self.error_message = error_message

    def __enter__(self):
        if state.saved_hooks:
            raise RuntimeError(self.error_message)
        self.was, state.saved_hooks_refused = state.saved_hooks_refused, self.error_message

    def __exit__(self, *_):
        state.saved_hooks_refused = self.was

    def __call__(self, function):
        def inside(*args, **kwargs):
            with disable_saved_tensors_hooks(self.error_message):
                return function(*args, **kwargs)
        return inside


class allow_mutation_on_saved_tensors(saved_tensors_hooks):  # noqa: N801
    """Inside, saved tensors may be written in place: the graph keeps copies of them.

    `with ... as context`; the backward pass must run inside too.  Unlike torch, which copies at the first write, a copy is made of everything saved.
    """

    def __init__(self):
        super().__init__(self._copy, self._give_back)
        self.inside = False

    def _copy(self, t):
        return t.detach().clone()

    def _give_back(self, t):
        if not self.inside:
            raise AssertionError("Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was originally "
                                 "recorded.")
        return t

    def __enter__(self):
        if self.inside or any(getattr(pack, "__func__", None) is allow_mutation_on_saved_tensors._copy for pack, _ in state.saved_hooks):
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        super().__enter__()
        self.inside = True
        return self

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.inside = False

    def clear(self):
        """Nothing to free: the copies live and die with the graph."""


def get_gradient_edge(tensor):
    """The GradientEdge of a tensor.  RuntimeError when it requires no gradient."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    if tensor._view is not None:
        refresh_view(tensor)
    return GradientEdge(*public_edge(tensor._node or tensor), tensor._node or tensor)


def increment_version(tensor):
    """Note that the memory of a tensor (or of each of several) was overwritten by code that autograd does not see."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        count_write(t)


class _Handles:
    """The handle of several hooks at once."""

    def __init__(self, handles):
        self.handles = handles

    def remove(self):
        """Take all of them away.  Doing so twice is harmless."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Call `fn` when the gradients of several tensors have been computed, once in each backward pass.  Returns a handle with `remove()`.

    mode  "all": fn(gradients), when the last of them is there; None for a tensor that this pass does not reach
          "any": fn(gradient), with the first
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    tensors = tuple(tensors)
    passes = weakref.WeakKeyDictionary()  # backward pass -> {position: gradient}

    def seen(i, g):
        so_far = passes.setdefault(state.backward, {})
        so_far[i] = g
        if mode == "any" and len(so_far) == 1:
            fn(g)
        elif mode == "all" and len(so_far) == sum(map(state.backward.will_reach, tensors)):
            fn([so_far.get(k) for k in range(len(tensors))])

    return _Handles([t.register_hook(lambda g, i=i: seen(i, g)) for i, t in enumerate(tensors)])

"""What the gradient transforms share: tensors to differentiate by, and the end of their reach.

A transform gives the function stand-ins for its arguments: leaves of its own, or, where an argument has a history that somebody outside may
want to follow (an outer transform, or a tensor that requires grad), tensors one recorded step behind it.  Levels therefore nest on one tape:
an inner derivative taken with create_graph is a recorded computation of the outer stand-ins.
"""
from .._core.graph import refresh_view
from .._core.tensor import Tensor
from .._functional.creation import ones_like, zeros_like
from .._state import state
from ..autograd import grad
from ..ops import reshape
from ._lanes import running
from ._tree import tree_map


class Level:
    """One run of a gradient transform; its function runs inside `with level:`, recording.

    outside  whether whoever called the transform records
    active   the function is running; what transforms inside it return is followed back to this level's leaves
    """

    def __init__(self):
        self.outside, self.active = state.grad, False

    def __enter__(self):
        self.active, self.was, state.grad = True, state.grad, True
        return self

    def __exit__(self, *_):
        self.active, state.grad = False, self.was

    def watch(self, tree):
        """Stand-ins for the tensors of `tree`.  ValueError for other leaves."""
        return tree_map(self._watch_one, tree)

    def _watch_one(self, x):
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if x._data.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if self.outside and x.requires_grad:
            return reshape(x, x._data.shape)
        batch = running()
        leaf = (x if batch is None else batch.spread(x)).detach().requires_grad_()
        leaf._level = self
        return leaf

    def followed(self, *tensors):
        """Whether somebody outside can follow the history of one of `tensors`: it begins at the user's leaf, or at that of a level still running."""
        if not self.outside:
            return False
        seen, stack = set(), []
        for t in tensors:
            if t._view is not None:
                refresh_view(t)
            if t._requires_grad:
                stack.append(t._node or t)
        while stack:
            for edge in self._edges(stack.pop()):
                if isinstance(edge, Tensor):
                    level = getattr(edge, "_level", None)
                    if level is None or level.active and level is not self:
                        return True
                elif edge is not None and edge not in seen:
                    seen.add(edge)
                    stack.append(edge)
        return False

    @staticmethod
    def _edges(node):
        return (node,) if isinstance(node, Tensor) else node.edges

    def release(self, tree):
        """The results as the caller gets them: those whose history nobody outside can follow come without one."""
        def one(x):
            return x.detach() if isinstance(x, Tensor) and x.requires_grad and not self.followed(x) else x
        return tree_map(one, tree)


def gradients(outputs, inputs, seeds, create_graph, retain_graph=None):
    """autograd.grad of the outputs that have a gradient, with zeros for inputs that they do not depend on."""
    pairs = [(o, s) for o, s in zip(outputs, seeds or (None,) * len(outputs)) if o.requires_grad]
    if not pairs:
        return tuple(zeros_like(x) for x in inputs)
    live, given = zip(*pairs)
    batched = running() is not None
    if batched:
        given = [ones_like(o) if s is None else s for o, s in pairs]
    found = grad(live, inputs, given, retain_graph, create_graph or batched, allow_unused=True)  # recorded, the rules are operations: vmap sees them
    found = tuple(zeros_like(x) if g is None else g for g, x in zip(found, inputs))
    return tuple(g.detach() for g in found) if batched and not create_graph else found


def check_tensors(outputs, name):
    """RuntimeError unless `outputs` are tensors, at least one."""
    if not outputs or outputs == [None]:
        raise RuntimeError(f"{name}: Expected f to be a function that has non-empty output (got output = {outputs})")
    for o in outputs:
        if not isinstance(o, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(o)}")


def split_aux(result, has_aux, name):
    """(output, aux) of what the function returned; aux is None without has_aux."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result


def positions(argnums, count):
    """argnums as a tuple of positions from 0.  RuntimeError when it names no argument, or one twice."""
    if not isinstance(argnums, (int, tuple)):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    found = []
    for n in (argnums,) if isinstance(argnums, int) else argnums:
        if not isinstance(n, int):
            raise RuntimeError(f"argnum must be int, got: {type(n)}")
        if not -count <= n < count:
            raise RuntimeError(f"Got argnum={n}, but only {count} positional inputs")
        found.append(n % count)
    if not found:
        raise RuntimeError("argnums must be non-empty")
    if len(set(found)) != len(found):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(found)

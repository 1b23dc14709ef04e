"""Parts of a network as CUDA graphs: `ringgrad.cuda.make_graphed_callables`."""
from .. import autograd, cuda
from .._core.tensor import Tensor, wrap
from .._functional.creation import empty_like
from .._state import state
from ..amp import is_autocast_cache_enabled, is_autocast_enabled
from ..func._tree import flatten, unflatten


def make_graphed_callables(callables, sample_args, num_warmup_iters=3, allow_unused_input=False, pool=None):
    """A module or function (or a tuple of them) whose forward and backward passes are replays of CUDA graphs.

    callables: modules come back as they are, with another `forward`; in the other of train() and eval() they run as before.  Functions come back as
    new ones.  Several must be called in the order in which they are given
    sample_args: a tuple of tensors (or containers of them) per callable, of the shapes, types and requires_grad of all later arguments
    num_warmup_iters: runs before the captures;  allow_unused_input: arguments and parameters may have no part in the outputs
    pool: a token of `graph_pool_handle`, to share its memory
    AssertionError, as in torch, for modules with hooks or buffers that require gradients and for arguments that are no tensors.  Gradients can be
    taken once, not of gradients.  Outputs and gradients lie in the graphs' memory, until the next call.
    """
    if is_autocast_enabled() and is_autocast_cache_enabled():
        raise RuntimeError("make_graphed_callables does not support the autocast caching. Please set `cache_enabled=False`.")
    alone = not isinstance(callables, tuple)
    parts = [_Part(f, args, allow_unused_input) for f, args in ([(callables, sample_args)] if alone else zip(callables, sample_args, strict=True))]
    pool = cuda.graph_pool_handle() if pool is None else pool
    cuda.synchronize()
    with cuda.stream(cuda.Stream()):
        for part in parts:
            for _ in range(num_warmup_iters):
                part.run_once()
    cuda.synchronize()
    for part in parts:  # in the order in which they will run: they share memory
        part.capture_forward(pool)
    for part in reversed(parts):
        part.capture_backward(pool)
    made = tuple([part.graphed() for part in parts])
    return made[0] if alone else made


class _Part:
    """One callable: its graphs, and the tensors that these read and write.

    inputs    the arguments, one after the other, and behind them a module's parameters
    """

    def __init__(self, function, args, allow_unused):
        self.function, self.args, self.allow_unused = function, args, allow_unused
        self.is_module = hasattr(function, "parameters") and hasattr(function, "_forward_hooks")
        leaves, self.arguments = flatten(tuple(args))
        if not all(isinstance(leaf, Tensor) for leaf in leaves):
            raise AssertionError("In the beta API, sample_args for each callable must contain only Tensors. Other types are not allowed.")
        if self.is_module:
            _check_module(function)
        self.own = len(leaves)
        self.inputs = (*leaves, *(function.parameters() if self.is_module else ()))
        self.forward, self.backward = cuda.CUDAGraph(), cuda.CUDAGraph()

    def run_once(self):
        outputs = [o for o in flatten(self.function(*self.args))[0] if o.requires_grad]
        if outputs:
            self._gradients(outputs, [empty_like(o) for o in outputs])

    def _gradients(self, outputs, seeds):
        wanted = [i for i in self.inputs if i.requires_grad]
        found = iter(autograd.grad(outputs, wanted, seeds, allow_unused=self.allow_unused))
        return [next(found) if i.requires_grad else None for i in self.inputs]

    def capture_forward(self, pool):
        with cuda.graph(self.forward, pool=pool):
            result = self.function(*self.args)
        self.outputs, self.result = flatten(result)

    def capture_backward(self, pool):
        self.seeds = [empty_like(o) if o.requires_grad else None for o in self.outputs]
        self.gradients, recorded = [None] * len(self.inputs), [o for o in self.outputs if o.requires_grad]
        if recorded:
            with cuda.graph(self.backward, pool=pool):
                self.gradients = self._gradients(recorded, [s for s in self.seeds if s is not None])

    def replay_forward(self, inputs):
        for static, given in zip(self.inputs[:self.own], inputs):
            _copy(static, given)
        self.forward.replay()
        return tuple([wrap(o._data) for o in self.outputs])

    def replay_backward(self, seeds):
        for static, given in zip(self.seeds, seeds):
            if static is not None:
                _copy(static, given)
        self.backward.replay()
        return tuple([None if g is None else wrap(g._data) for g in self.gradients])

    def graphed(self):
        """The callable that replays."""
        part = self

        class Graphed(autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                return part.replay_forward(inputs)

            @staticmethod
            @autograd.function.once_differentiable
            def backward(ctx, *seeds):
                return part.replay_backward(seeds)

        def replayed(*args):
            results = Graphed.apply(*flatten(args)[0], *part.inputs[part.own:])
            return unflatten(list(results) if isinstance(results, tuple) else [results], part.result)
        return _with_forward(self.function, replayed) if self.is_module else replayed


def _check_module(module):
    if module._backward_hooks or module._forward_hooks or module._forward_pre_hooks:
        raise AssertionError("Modules must not have hooks registered at the time they are passed. However, registering hooks on modules after "
                             "passing them through make_graphed_callables is allowed.")
    if any(b.requires_grad for b in module.buffers()):
        raise AssertionError("In any :class:`~torch.nn.Module` passed to :func:`~make_graphed_callables`, only parameters may be trainable. All "
                             "buffers must have ``requires_grad=False``.")


def _with_forward(module, replayed):
    """The module with replays for its forward, in the state (training or not) that it was captured in."""
    captured, before = module.training, module.forward

    def forward(*args, **kwargs):
        return replayed(*args) if module.training == captured and not kwargs and state.capture is None else before(*args, **kwargs)
    module.forward = forward
    return module


def _copy(static, given):
    if static._data is not given._data:
        static._data[...] = given._data

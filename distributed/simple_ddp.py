"""Data parallelism in a dozen lines: the definition that DistributedDataParallel must equal, with everything it does faster left out."""

from typing import Any

from ringgrad.nn import Module

from ._collectives import all_reduce, broadcast
from .reduce_op import ReduceOp


class SimpleDDP(Module):
    """Every rank starts from rank 0's parameters, and every gradient is the average over all ranks before anybody sees it.

    Each gradient is sent on its own when it is final, and backward waits for it; so all ranks must use all parameters, in the same order.
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module
        for tensor in (*module.parameters(), *module.buffers()):
            broadcast(tensor.detach(), src=0)
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(lambda p: all_reduce(p.grad, ReduceOp.AVG))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's own."""
        return self.module(*args, **kwargs)

"""Transforms of functions, under the names of torch.func: grad, vjp, jvp, Jacobians, vmap, and modules as functions of their parameters.

They nest in any order.  Arguments and results are tensors or nested dicts, lists, tuples and named tuples of tensors.
"""
from ._forward import hessian, jacfwd, jvp, linearize
from ._modules import functional_call, stack_module_state
from ._reverse import grad, grad_and_value, jacrev, vjp
from ._vmap import vmap

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "stack_module_state", "vjp", "vmap"]

"""The operations of neural networks that torch also has as methods of Tensor, or at the top level with arguments of their own.

The others are in `ringgrad.nn.functional`.
"""
from .. import ops
from .._core.inplace import apply_inplace
from ..ops.shape import wrap_dim


def relu_(input):
    """max(x, 0), written over the tensor."""
    return apply_inplace(ops.relu.op, input, (), {})


def softmax(input, dim, dtype=None):
    """exp(x) / sum of exp(x) along `dim`.  dtype: convert the input first.  (*) -> (*)"""
    input = input if dtype is None else input.to(dtype)
    return ops.softmax(input, wrap_dim(dim, input.ndim))


def log_softmax(input, dim, dtype=None):
    """log(softmax(x)) along `dim`.  dtype: convert the input first.  (*) -> (*)"""
    input = input if dtype is None else input.to(dtype)
    return ops.log_softmax(input, wrap_dim(dim, input.ndim))


def prelu(input, weight):
    """x where x > 0, else weight * x.  weight: one number, or one per channel (dimension 1)."""
    if weight.ndim not in (0, 1):
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    n = 1 if weight.ndim == 0 else weight.shape[0]
    if n == 1:
        return ops.prelu(input, ops.reshape(weight, ()))
    channels = input.shape[1] if input.ndim > 1 else 1
    if n != channels:
        raise RuntimeError(f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {n} and channel size = {channels}.")
    return ops.prelu(input, ops.reshape(weight, (n, *(1,) * (input.ndim - 2))))


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """The rows of `weight`: (V, D) that `indices`: int (*) names -> (*, D)."""
    if sparse:
        if scale_grad_by_freq:
            raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients; use sparse=False")
        return ops.embedding_sparse(weight, indices, padding_idx)
    return ops.embedding(weight, indices, padding_idx, scale_grad_by_freq)


FUNCTIONS = {"relu": ops.relu, "relu_": relu_, "softmax": softmax, "log_softmax": log_softmax, "prelu": prelu, "embedding": embedding,
             "hardshrink": ops.hardshrink}
METHODS = {"relu": ops.relu, "softmax": softmax, "log_softmax": log_softmax, "prelu": prelu, "hardshrink": ops.hardshrink}
INPLACE = {"relu": ops.relu.op}

"""Table look-up, class indexes, distances, and the affine maps."""
import numpy as np

from ... import ops
from ..._backends import of_array
from ..._core.hooks import written
from ..._core.tensor import wrap
from ..._functional.differences import pdist
from ..._functional.nn_ops import embedding as _embedding
from ._arguments import beside


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of `weight`: (V, D) that `input`: int (*) names -> (*, D).

    padding_idx: this row takes no gradient;  max_norm: rows that are used and longer are first shortened to it, in place.
    """
    rows = weight.shape[0]
    if padding_idx is None:
        padding_idx = -1
    elif not -rows <= padding_idx < rows:
        raise AssertionError(f"Padding_idx must be within num_embeddings: {padding_idx} for a table of {rows} rows")
    else:
        padding_idx %= rows
    if max_norm is not None:
        shorten_rows(weight, input, max_norm, norm_type)
    return _embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


def shorten_rows(weight, indices, max_norm, norm_type):
    """Scale the rows of `weight` that `indices` names and that are longer than max_norm down to it, in place."""
    backend, table = of_array(weight._data), weight._data
    xp = backend.xp
    with backend.on_device_of(table):
        used = xp.unique(indices._data)
        norms = ops.vector_norm(wrap(table[used]), norm_type, -1, True)._data
        table[used] *= xp.where(norms > max_norm, max_norm / (norms + 1e-7), 1).astype(table.dtype)
    written(weight)


def one_hot(tensor, num_classes=-1):
    """Class indexes as int64 vectors with a 1 at the class.  (*) -> (*, num_classes);  -1: one more than the largest index."""
    index = tensor._data
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    if not index.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
    else:
        low, high = int(index.min()), int(index.max())
        if low < 0:
            raise RuntimeError(f"Class values must be non-negative, got {low}.")
        if num_classes == -1:
            num_classes = high + 1
        if num_classes <= high:
            raise RuntimeError(f"Class values must be smaller than num_classes, got {high} and {num_classes}.")
    return ops.astype(ops.equal(tensor[..., None], beside(tensor, np.arange(num_classes))), np.int64)


def linear(input, weight, bias=None):
    """input @ weight.T + bias.  input: (*, in), weight: (out, in) or (in), bias: (out) or () -> (*, out) or (*)."""
    if weight.ndim == 1:
        out = ops.matmul(input, weight)
        return out if bias is None else out + bias
    return ops.linear(input, weight, bias)


def bilinear(input1, input2, weight, bias=None):
    """input1 W_k input2 + b_k for each k.  input1: (*, I), input2: (*, J), weight: (K, I, J), bias: (K) -> (*, K)."""
    if tuple(input1.shape[:-1]) != tuple(input2.shape[:-1]):
        raise RuntimeError(f"bilinear(): input batch dimensions do not match: got {list(input1.shape)} and {list(input2.shape)}")
    if (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise RuntimeError(f"bilinear(): inputs of {input1.shape[-1]} and {input2.shape[-1]} features do not fit a weight of shape "
                           f"{list(weight.shape)}")
    rows1, rows2 = ops.reshape(input1, (-1, input1.shape[-1])), ops.reshape(input2, (-1, input2.shape[-1]))
    out = ops.transpose(ops.sum(ops.matmul(rows1, weight) * rows2, (-1,)))
    out = ops.reshape(out, (*input1.shape[:-1], weight.shape[0]))
    return out if bias is None else out + bias


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`."""
    norms = [ops.maximum(ops.vector_norm(x, 2.0, dim, True), eps) for x in (x1, x2)]
    return ops.sum((x1 / norms[0]) * (x2 / norms[1]), (dim,))


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return ops.vector_norm(x1 - x2 + eps, p, -1, keepdim)


__all__ = ["bilinear", "cosine_similarity", "embedding", "linear", "one_hot", "pairwise_distance", "pdist"]

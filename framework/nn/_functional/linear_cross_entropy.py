"""Cross entropy of an affine map, with the logits of all rows at once or in chunks of rows."""
import dataclasses
import math
import warnings

import numpy as np

from ... import ops
from ..._core.tensor import wrap
from ..._dtypes import dtype as DType
from ._arguments import check_reduction
from .loss import cross_entropy, reduced

POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclasses.dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` cuts the batch into chunks, so that the (rows, classes) logits never exist at once.

    batch_chunk_size    rows per chunk (None: all)
    chunking_method     "aspect_ratio" or "aspect_ratio:N": chunks whose logits are as large as the input (an N-th of it); "auto": the
                        method with N = 2 unless batch_chunk_size is given; None: batch_chunk_size
    acc_policy, acc_dtype, allow_retain_graph   accepted and checked; here every chunk is accumulated in the input's type (half precision
                        in float32 on the CPU), and the gradient computes the logits again, so a graph may always be kept
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: DType | None = None

    def __post_init__(self):
        if self.acc_policy not in POLICIES:
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}; it is one of {', '.join(POLICIES)}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = self.chunking_method.partition(":")
            factor = factor if colon else "1"
            if not (name == "aspect_ratio" and factor.isdigit() and int(factor) > 0):
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        if not (self.batch_chunk_size is None or (isinstance(self.batch_chunk_size, int) and self.batch_chunk_size > 0)):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {self.batch_chunk_size!r}")
        if self.acc_dtype is not None and not self.acc_dtype.is_floating_point:
            raise ValueError(f"acc_dtype must be one of {{None, float16, bfloat16, float32, float64}}, got {self.acc_dtype!r}. Pass "
                             "acc_dtype=None to let the op pick automatically.")

    def rows(self, n, features, classes):
        """Rows per chunk for n rows of `features` and so many classes.  ValueError where the two ways to say it disagree."""
        method, asked = self.chunking_method, self.batch_chunk_size
        if method == "auto":
            method = None if asked is not None else "aspect_ratio:2"
        if method is None:
            return max(1, n if asked is None else min(asked, n))
        factor = int(method.partition(":")[2] or 1)
        target = math.ceil(n / math.ceil(classes / features))
        size = min((1 << (target - 1).bit_length()) // factor, n)
        if asked is not None and asked != size:
            raise ValueError(f"batch_chunk_size (={asked}) and chunking_method ('{method}') give different chunk sizes ({asked} vs {size}); pass "
                             "only one.")
        return max(1, size)


def linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean", ignore_index=None,
                         label_smoothing=0.0, options=None):
    """cross_entropy(linear(input, linear_weight, linear_bias), target).  input: (N, in) or (in), linear_weight: (C, in)

    linear_weight   or (C, d1, ..., in), for a loss at each of d1 x ... places; linear_bias: its shape without `in`
    weight, reduction, label_smoothing   as in `cross_entropy`
    ignore_index    -100 when None; not beside probabilities as target
    options         LinearCrossEntropyOptions: in chunks of rows, for class indexes without smoothing
    """
    _check(input, linear_weight, linear_bias)
    classes, places = linear_weight.shape[0], tuple(linear_weight.shape[1:-1])
    rows = tuple(input.shape[:-1])
    if tuple(target.shape) == (*rows, classes, *places) and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignore_index = -100 if ignore_index is None else ignore_index
    if options is not None:
        if not places and not label_smoothing and target._data.dtype == np.int64:
            return _in_chunks(input, linear_weight, target, linear_bias, weight, reduction, ignore_index, options)
        warnings.warn("linear_cross_entropy: ``options`` ignored; chunked path needs label_smoothing == 0, target.dtype == int64, out_features "
                      f"== (). Got label_smoothing={label_smoothing}, target.dtype={target.dtype}, out_features={places}.", stacklevel=2)
    flat = ops.reshape(linear_weight, (-1, linear_weight.shape[-1]))
    logits = ops.linear(input, flat, None if linear_bias is None else ops.reshape(linear_bias, (-1,)))
    logits = ops.reshape(logits, (*rows, classes, *places))
    return cross_entropy(logits, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)


def _check(input, weight, bias):
    """RuntimeError, in torch's words, unless the shapes fit."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if weight.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.ndim}")
    if input.shape[-1] != weight.shape[-1]:
        raise RuntimeError("expected equal input and linear_weight last dimensions (in_features), got "
                           f"{input.shape[-1]} and {weight.shape[-1]}, respectively")
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:-1]):
        raise RuntimeError(f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}")
    if weight.ndim > 2 and input.ndim == 1:
        raise RuntimeError(f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, (N, "
                           f"{input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}")


def _in_chunks(input, linear_weight, target, bias, weight, reduction, ignore_index, options):
    check_reduction(reduction)
    alone = input.ndim == 1
    x, t = (input[None], ops.reshape(target, (1,))) if alone else (input, target)
    chunk = options.rows(x.shape[0], x.shape[1], linear_weight.shape[0])
    losses = ops.linear_cross_entropy(x, linear_weight, bias, t, weight, ignore_index, chunk)
    if reduction == "mean":
        kept = wrap((t._data != ignore_index).astype(x._data.dtype))
        counts = kept if weight is None else kept * ops.take(weight, wrap(t._data * (t._data != ignore_index)), 0)
        return ops.sum(losses) / ops.sum(counts)
    return losses[0] if alone and reduction == "none" else reduced(losses, reduction)


__all__ = ["linear_cross_entropy"]

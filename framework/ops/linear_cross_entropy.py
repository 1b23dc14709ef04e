"""Cross entropy of an affine map, some rows at a time: the logits of all rows, the largest array of a language model, never exist at once."""
from .._core.op import op
from ._layer_types import like_first
from ._run import run
from .cross_entropy import cross_entropy
from .linear import linear
from .matmul import matmul


@op(promote=like_first, fast=False, broadcasts=False, grad_name="LinearCrossEntropy")
def linear_cross_entropy(xp, x, weight, bias=None, target=None, class_weight=None, ignore_index: int = -100, chunk: int = 1):
    """The cross entropy of each row of x @ weight.T + bias.  x: (N, in), weight: (C, in), bias: (C), target: int (N) -> (N)

    chunk: rows at a time, in the gradient too, which computes the logits again.
    """
    losses = [run(cross_entropy, xp, run(linear, xp, x[at], weight, bias), target[at], class_weight, ignore_index=ignore_index, reduction="none",
                  label_smoothing=0.0) for at in _chunks(len(x), chunk)]
    return xp.concatenate(losses) if losses else xp.zeros(0, x.dtype)


@linear_cross_entropy.vjp("x", "weight", "bias")
def _(xp, g, x, weight, bias, target, class_weight, ignore_index, chunk, needs):
    pieces, dweight, dbias = [], 0, 0
    for at in _chunks(x.shape[0], chunk):
        logits = run(linear, xp, x[at], weight, bias)
        slope = cross_entropy.rules[0].fn(xp, g[at], logits, target[at], class_weight, ignore_index, "none", 0.0)
        if needs[0]:
            pieces.append(run(matmul, xp, slope, weight))
        if needs[1]:
            dweight = dweight + run(matmul, xp, xp.transpose(slope), x[at])
        if needs[2]:
            dbias = dbias + xp.sum(slope, (0,))
    return (xp.concatenate(pieces) if needs[0] else None), dweight if needs[1] else None, dbias if needs[2] else None


def _chunks(n, size):
    return [slice(i, i + size) for i in range(0, n, size)]

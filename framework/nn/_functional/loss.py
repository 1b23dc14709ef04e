"""Losses.  reduction: "mean", "sum" or "none"; size_average and reduce are the words of before torch 0.4."""
import math
import warnings

from ... import ops
from ._arguments import check_reduction, check_tensor, reduction_of


def reduced(loss, reduction):
    """The mean or sum of elementwise losses, or they themselves."""
    check_reduction(reduction)
    return ops.mean(loss) if reduction == "mean" else ops.sum(loss) if reduction == "sum" else loss


def _warn_of_sizes(input, target):
    if tuple(target.shape) != tuple(input.shape):
        warnings.warn(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to "
                      "incorrect results due to broadcasting. Please ensure they have the same size.", stacklevel=3)


def _weighted(loss, weight, input, reduction):
    """`reduced`, each element times its weight; the mean divides by the sum of weights."""
    if weight is None:
        return reduced(loss, reduction)
    loss = _per_element(loss, weight, input)
    return ops.sum(loss) / ops.sum(weight) if reduction == "mean" else reduced(loss, reduction)


def _per_element(loss, weight, input):
    """Each element times its weight.  ValueError unless there is one for each."""
    if tuple(weight.shape) != tuple(input.shape):
        raise ValueError(f"Weights and input must have the same size, got {list(weight.shape)} and {list(input.shape)}.")
    return loss * weight


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2."""
    _warn_of_sizes(input, target)
    return _weighted(ops.squared_difference(input, target), weight, input, reduction_of(size_average, reduce, reduction))


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|."""
    _warn_of_sizes(input, target)
    return _weighted(ops.absolute(input - target), weight, input, reduction_of(size_average, reduce, reduction))


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where d = |input - target| < beta, else d - beta / 2."""
    _warn_of_sizes(input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    return reduced(ops.smooth_l1(input, target, beta), reduction_of(size_average, reduce, reduction))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """d^2 / 2 where d = |input - target| <= delta, else delta * (d - delta / 2)."""
    _warn_of_sizes(input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}.")
    loss = ops.huber(input, target, delta)
    return reduced(loss if weight is None else _per_element(loss, weight, input), reduction)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """-weight[t] * input[t] for log probabilities.  input: (C), (N, C) or (N, C, *), target: class indexes without the C."""
    reduction = reduction_of(size_average, reduce, reduction)
    check_reduction(reduction)
    _check_targets(input, target)
    return ops.nll_loss(input, target, weight, ignore_index, reduction)


def _check_targets(input, target):
    """Errors in torch's words unless there is one target for each position of (C), (N, C) or (N, C, *)."""
    x, t = tuple(input.shape), tuple(target.shape)
    if len(x) > 1 and len(t) == len(x) - 1 and x[0] != t[0]:
        raise ValueError(f"Expected input batch_size ({x[0]}) to match target batch_size ({t[0]}).")
    want = (x[0], *x[2:]) if len(x) > 1 else ()
    if not x or t != want:
        raise RuntimeError(f"Expected target size {list(want)}, one class index for each position of an input of shape {list(x)}, got {list(t)}")


def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0):
    """nll_loss of log_softmax(input).  input: (C), (N, C) or (N, C, *); target: class indexes without the C, or probabilities of input's shape.

    ignore_index: targets of this class count for nothing; label_smoothing: the share of probability that is spread over all classes.
    """
    check_tensor(input, "cross_entropy", "input")
    check_tensor(target, "cross_entropy", "target")
    reduction = reduction_of(size_average, reduce, reduction)
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target._data.dtype.kind in "fV" and tuple(target.shape) == tuple(input.shape):
        return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)
    _check_targets(input, target)
    return ops.cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing):
    axis = 1 if input.ndim > 1 else 0
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        if tuple(weight.shape) != (classes,):
            raise RuntimeError(f"cross_entropy: weight tensor should be defined either for all {classes} classes or no classes but got weight "
                               f"tensor of shape: {list(weight.shape)}")
        target = target * ops.reshape(weight, (classes, *(1,) * (input.ndim - axis - 1)))
    loss = -ops.sum(ops.log_softmax(input, axis) * target, (axis,))
    return ops.sum(loss) / (input.numel() / classes) if reduction == "mean" else reduced(loss, reduction)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-(t log x + (1 - t) log(1 - x)) * weight for probabilities x, the logarithms held at -100."""
    if tuple(target.shape) != tuple(input.shape):
        raise ValueError(f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. Please ensure "
                         "they have the same size.")
    loss = ops.binary_cross_entropy(input, target)
    return reduced(loss if weight is None else loss * weight, reduction_of(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    """binary_cross_entropy of sigmoid(input), without overflow.  pos_weight: factor on the part of positive targets, broadcast."""
    if tuple(target.shape) != tuple(input.shape):
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    loss = ops.binary_cross_entropy_with_logits(input, target, pos_weight)
    return reduced(loss if weight is None else loss * weight, reduction_of(size_average, reduce, reduction))


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """t (log t - input) for log probabilities `input`.  reduction "batchmean": the sum over the batch size, which is the divergence itself."""
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce)
    elif reduction == "mean":
        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides only by the "
                      "batch size, and aligns with the KL div math definition.", stacklevel=2)
    loss = ops.exp(target) * (target - input) if log_target else ops.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return ops.sum(loss) / (input.shape[0] if input.ndim else 1)
    return reduced(loss, reduction)


def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"):
    """exp(input) - t * input for a log rate `input`, or input - t log(input + eps); full: with Stirling's approximation of log(t!)."""
    loss = ops.exp(input) - target * input if log_input else input - target * ops.log(input + eps)
    if full:
        stirling = target * ops.log(target) - target + 0.5 * ops.log(2 * math.pi * target)
        loss = loss + ops.where(target > 1, stirling, 0.0)
    return reduced(loss, reduction_of(size_average, reduce, reduction))


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log var + (input - target)^2 / var) / 2, var held at eps (without gradient below it); full: with log(2 pi) / 2."""
    if not hasattr(var, "shape"):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = ops.full_like(input, var)
    elif bool((var._data < 0).any()):
        raise ValueError("var has negative entry/entries")
    if tuple(var.shape) == tuple(input.shape[:-1]) and var.ndim != input.ndim:
        var = ops.expand_dims(var, -1)
    held = var + (ops.maximum(var.detach(), eps) - var.detach())
    loss = 0.5 * (ops.log(held) + ops.squared_difference(input, target) / held)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "gaussian_nll_loss", "huber_loss", "kl_div", "l1_loss",
           "mse_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss"]

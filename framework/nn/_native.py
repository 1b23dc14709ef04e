"""torch's functions below nn.functional, as `torch.ctc_loss`: the same computations with positional arguments and numbers for words.

reduction: 0 "none", 1 "mean", 2 "sum"; the default is 0, as in torch's own bindings.
mode of embedding_bag: 0 "sum", 1 "mean", 2 "max".  Prefer `ringgrad.nn.functional`.
"""
from .._core.modes import no_grad
from .._methods import PUBLIC
from . import functional as F
from .utils._weight_norm import scaled

_REDUCTIONS = ("none", "mean", "sum")
_BAG_MODES = ("sum", "mean", "max")
_GRID_MODES = ("bilinear", "nearest", "bicubic")
_PADDING_MODES = ("zeros", "border", "reflection")
_CONVOLUTIONS = {1: (F.conv1d, F.conv_transpose1d), 2: (F.conv2d, F.conv_transpose2d), 3: (F.conv3d, F.conv_transpose3d)}


def _word(words, number, what):
    if number not in range(len(words)):
        raise ValueError(f"{what} is one of {', '.join(f'{i} ({w})' for i, w in enumerate(words))}, got {number}")
    return words[number]


def _reduction(number):
    return _word(_REDUCTIONS, number, "reduction")


# Losses


def kl_div(input, target, reduction=0, *, log_target=False):
    """nn.functional.kl_div with a number for the reduction."""
    if _reduction(reduction) == "mean":
        return F.kl_div(input, target, reduction="none", log_target=log_target).mean()
    return F.kl_div(input, target, reduction=_reduction(reduction), log_target=log_target)


def binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0):
    """nn.functional.binary_cross_entropy_with_logits with a number for the reduction."""
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=_reduction(reduction), pos_weight=pos_weight)


def poisson_nll_loss(input, target, log_input, full, eps, reduction):
    """nn.functional.poisson_nll_loss with a number for the reduction."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_reduction(reduction))


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0):
    """nn.functional.cosine_embedding_loss with a number for the reduction."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def hinge_embedding_loss(input, target, margin=1.0, reduction=0):
    """nn.functional.hinge_embedding_loss with a number for the reduction."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_reduction(reduction))


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0):
    """nn.functional.margin_ranking_loss with a number for the reduction."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction=0):
    """nn.functional.triplet_margin_loss with a number for the reduction."""
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_reduction(reduction))


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False):
    """nn.functional.ctc_loss with a number for the reduction."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _reduction(reduction), zero_infinity)


# Normalisation and dropout


def batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled):
    """nn.functional.batch_norm with the arguments in torch.batch_norm's order."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled):
    """nn.functional.instance_norm with the arguments in torch.instance_norm's order."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def _weight_norm(v, g, dim=0):
    """g * v / |v|, the norm over all dimensions but `dim`."""
    return scaled(v, g, dim)


def alpha_dropout(input, p, train):
    """nn.functional.alpha_dropout; train: whether it drops."""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input, p, train):
    """`alpha_dropout`, written over the tensor."""
    return F.alpha_dropout(input, p, train, True)


def feature_alpha_dropout(input, p, train):
    """nn.functional.feature_alpha_dropout; train: whether it drops."""
    return F.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input, p, train):
    """`feature_alpha_dropout`, written over the tensor."""
    return F.feature_alpha_dropout(input, p, train, True)


def dropout_(input, p, train):
    """nn.functional.dropout, written over the tensor."""
    return F.dropout(input, p, train, True)


def feature_dropout(input, p, train):
    """Whole channels dropped: input (N, C, ...).  RuntimeError below two dimensions."""
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not train or p == 0 or not input.numel():
        return input
    noise = F.dropout(PUBLIC["ones"](input.shape[:2], dtype=input.dtype, device=input.device), p, True)
    return input * noise.reshape(*input.shape[:2], *(1,) * (input.ndim - 2))


def feature_dropout_(input, p, train):
    """`feature_dropout`, written over the tensor."""
    return input.copy_(feature_dropout(input, p, train))


# Lookup, sampling, pooling, convolution


def embedding_bag(weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None, include_last_offset=False,
                  padding_idx=None):
    """nn.functional.embedding_bag -> (output, the bag of each index, the size of each bag, the places of maxima), of which the last three
    are notes for torch's own backward: the bags in "mean" and "max" mode, the sizes, and no places.
    """
    word = _word(_BAG_MODES, mode, "mode")
    output = F.embedding_bag(indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq, mode=word, sparse=sparse,
                             per_sample_weights=per_sample_weights, include_last_offset=include_last_offset, padding_idx=padding_idx)
    ends = PUBLIC["cat"]([offsets, offsets.new_tensor([indices.numel()])]) if not include_last_offset else offsets
    sizes = ends[1:] - ends[:-1]
    bags = PUBLIC["repeat_interleave"](PUBLIC["arange"](sizes.numel(), dtype=indices.dtype, device=indices.device), sizes)
    return output, bags, sizes, PUBLIC["zeros_like"](sizes)


def embedding_renorm_(weight, indices, max_norm, norm_type):
    """Scale the rows of `weight` that `indices` name down to norm `max_norm`, where theirs is larger."""
    with no_grad():
        rows = indices.unique()
        norms = weight[rows].norm(norm_type, dim=1, keepdim=True)
        weight[rows] = PUBLIC["where"](norms > max_norm, weight[rows] * (max_norm / (norms + 1e-7)), weight[rows])
    return weight


def affine_grid_generator(theta, size, align_corners):
    """nn.functional.affine_grid."""
    return F.affine_grid(theta, size, align_corners)


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """nn.functional.grid_sample with numbers for the modes: 0 bilinear, 1 nearest, 2 bicubic; padding 0 zeros, 1 border, 2 reflection."""
    return F.grid_sample(input, grid, _word(_GRID_MODES, interpolation_mode, "interpolation_mode"),
                         _word(_PADDING_MODES, padding_mode, "padding_mode"), align_corners)


def adaptive_max_pool1d(input, output_size):
    """nn.functional.adaptive_max_pool1d -> (values, indices)."""
    return F.adaptive_max_pool1d(input, output_size, return_indices=True)


def max_pool1d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """nn.functional.max_pool1d -> (values, indices)."""
    return F.max_pool1d(input, kernel_size, stride or None, padding, dilation, ceil_mode, return_indices=True)


def conv_tbc(input, weight, bias, pad=0):
    """Convolution along the first dimension.  input: (T, B, C), weight: (K, C, O), bias: (O) -> (T + 2 * pad - K + 1, B, O)."""
    if input.ndim != 3 or weight.ndim != 3:
        raise RuntimeError(f"conv_tbc: expected input (T, B, C) and weight (K, C, O), got {list(input.shape)} and {list(weight.shape)}")
    return F.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1).contiguous()


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """The convolution for as many dimensions as `weight` has, or with `transposed` its transpose.  input: (N, C, ...)."""
    if weight.ndim - 2 not in _CONVOLUTIONS:
        raise RuntimeError(f"convolution: expected a weight of 3, 4 or 5 dimensions, got {list(weight.shape)}")
    plain, transpose = _CONVOLUTIONS[weight.ndim - 2]
    if transposed:
        return transpose(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return plain(input, weight, bias, stride, padding, dilation, groups)


def _convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, benchmark, deterministic, cudnn_enabled,
                 allow_tf32=True):
    """`convolution`; the switches of cuDNN change nothing."""
    return convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


grid_sampler_2d = grid_sampler_3d = grid_sampler


# Names with an underscore that programs use


def _softmax(input, dim, half_to_float):
    """softmax; half_to_float: of half precision in float32."""
    return PUBLIC["softmax"](input.float() if half_to_float else input, dim)


def _log_softmax(input, dim, half_to_float):
    """log_softmax; half_to_float: of half precision in float32."""
    return PUBLIC["log_softmax"](input.float() if half_to_float else input, dim)


def _unique2(input, sorted=True, return_inverse=False, return_counts=False):
    """(unique numbers, inverse, counts); what is not asked for is empty."""
    found = PUBLIC["unique"](input, sorted, True, True)
    empty = PUBLIC["empty"]((0,), dtype=found[1].dtype, device=input.device)
    return found[0], found[1] if return_inverse else empty, found[2] if return_counts else empty


def _unique(input, sorted=True, return_inverse=False):
    """(unique numbers, inverse); what is not asked for is empty."""
    return _unique2(input, sorted, return_inverse)[:2]


def _is_all_true(input):
    """Whether every element is True, as a 0-d tensor of bools."""
    return input.all()


def _is_any_true(input):
    """Whether any element is True, as a 0-d tensor of bools."""
    return input.any()


def _assert_async(input, assert_msg="Expected Tensor with single nonzero value, but got zero"):
    """RuntimeError when the one element of `input` is zero."""
    if not input.item():
        raise RuntimeError(assert_msg)


def _dim_arange(like, dim):
    """0, 1, ... as far as `like` reaches along `dim`."""
    return PUBLIC["arange"](like.shape[dim], device=like.device)


def is_vulkan_available():
    """Always False."""
    return False


_stack, _logcumsumexp = PUBLIC["stack"], PUBLIC["logcumsumexp"]

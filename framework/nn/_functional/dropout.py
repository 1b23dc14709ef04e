"""Dropout."""
import warnings

from ... import ops
from ..._core.inplace import apply_inplace
from ..._functional.dropout import drop
from ...ops.dropout import keep_scale


def _checked(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input, p, inplace, mask_shape=None):
    """`input` with elements (or, with a smaller mask, whole features) set to 0 with probability p, the others divided by 1 - p."""
    if mask_shape is None and not inplace:
        return drop(input, p)
    mask, scale = ops.keep_mask(input, p, mask_shape), keep_scale(p)
    if inplace:
        return apply_inplace(ops.masked_scale.op, input, (mask,), {"scale": scale})
    return ops.masked_scale(input, mask, scale)


def dropout(input, p=0.5, training=True, inplace=False):
    """In training, set elements to 0 with probability p and divide the others by 1 - p; otherwise the input itself."""
    _checked(p)
    return _drop(input, p, inplace) if training and p and input.numel() else input


def _feature_dropout(name, dims, also):
    def function(input, p=0.5, training=True, inplace=False):
        _checked(p)
        if input.ndim not in dims:
            warnings.warn(f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will result in an error in a future "
                          "release. To retain the behavior and silence this warning, please use dropout instead.", stacklevel=2)
        if not training or not p or not input.numel():
            return input
        if input.ndim < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        batched = input.ndim == max(dims) or not also or input.ndim not in dims
        if not batched:  # (C, *) without a batch dimension
            return _drop(input, p, inplace, (input.shape[0], *(1,) * (input.ndim - 1)))
        return _drop(input, p, inplace, (*input.shape[:2], *(1,) * (input.ndim - 2)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = "In training, set whole channels to 0 with probability p and divide the others by 1 - p.  (N, C, *)"
    return function


dropout1d = _feature_dropout("dropout1d", (2, 3), True)
dropout3d = _feature_dropout("dropout3d", (4, 5), True)
_dropout2d = _feature_dropout("dropout2d", (3, 4), False)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """In training, set whole channels to 0 with probability p and divide the others by 1 - p.  (N, C, H, W)"""
    _checked(p)
    if input.ndim == 3:
        warnings.warn("dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is "
                      "interpreted as shape (N, C, L), where C is the channel dim. Use dropout1d instead.", stacklevel=2)
    return _dropout2d(input, p, training, inplace)


ALPHA = 1.7580993408473766  # what an activation of selu tends to far below 0


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean and variance of selu activations.  Klambauer et al. 2017, arXiv:1706.02515."""
    return _alpha(input, p, training, inplace, None)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels."""
    return _alpha(input, p, training, inplace, (*input.shape[:2], *(1,) * (input.ndim - 2)))


def _alpha(input, p, training, inplace, mask_shape):
    _checked(p)
    if not training or not p or not input.numel():
        return input
    if p == 1:
        result = input * 0
    else:
        a = ((ALPHA ** 2 * p + 1) * (1 - p)) ** -0.5
        kept = ops.astype(ops.keep_mask(input, p, mask_shape), input._data.dtype)
        result = input * (kept * a) + ((kept - 1) * (ALPHA * a) + ALPHA * a * p)
    return input.copy_(result) if inplace else result


__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]

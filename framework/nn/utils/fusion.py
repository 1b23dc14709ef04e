"""Batch norm in evaluation, folded into the layer before it."""
import copy

from ... import ops
from ..parameter import Parameter


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of the convolution that computes bn(conv(x)), both in evaluation mode.  transpose: it is a transposed convolution"""
    fused = _copy_in_eval(conv, bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
                                                    transpose)
    return fused


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """(weight, bias) of the fused convolution.  bn_rm, bn_rv: running mean and variance; conv_b, bn_w and bn_b may be None"""
    scale = ops.power(bn_rv + bn_eps, -0.5)
    scale = scale if bn_w is None else bn_w * scale
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    return _fused(conv_w, conv_w * ops.reshape(scale, tuple(shape)), conv_b, scale, bn_rm, bn_b)


def fuse_linear_bn_eval(linear, bn):
    """A copy of the linear layer that computes bn(linear(x)), both in evaluation mode."""
    fused = _copy_in_eval(linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
                             f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}")
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    return fused


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """(weight, bias) of the fused linear layer.  linear_b may be None"""
    scale = bn_w * ops.power(bn_rv + bn_eps, -0.5)
    return _fused(linear_w, linear_w * ops.expand_dims(scale, -1), linear_b, scale, bn_rm, bn_b)


def _copy_in_eval(layer, bn):
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return copy.deepcopy(layer)


def _fused(old, weight, bias, scale, mean, shift):
    """Parameters of the old types: `weight`, and (bias - mean) * scale + shift."""
    new_bias = (-mean if bias is None else bias - mean) * scale
    new_bias = new_bias if shift is None else new_bias + shift
    return (Parameter(weight.detach().to(old.dtype), old.requires_grad),
            Parameter(new_bias.detach().to(old.dtype if bias is None else bias.dtype), bias is not None and bias.requires_grad))


__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

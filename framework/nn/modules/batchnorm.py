"""Normalisation with statistics that are tracked: batch norm and instance norm."""
import warnings

from ..._core.tensor import wrap
from ...ops.creation import ones, zeros
from .. import functional as F
from .. import init
from ._tensors import set_parameters
from .module import Module


class _NormBase(Module):
    """weight, bias: (num_features) when affine; buffers running_mean, running_var: (num_features) and num_batches_tracked when tracking."""

    _version = 2  # 2 added num_batches_tracked
    dims: tuple = ()  # numbers of input dimensions accepted

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        shape = (num_features,)
        set_parameters(self, device, dtype, weight=shape if affine else None, bias=shape if affine and bias else None)
        self.register_buffer("running_mean", zeros(shape, dtype, device) if track_running_stats else None)
        self.register_buffer("running_var", ones(shape, dtype, device) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros((), "int64", device) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget what was tracked: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self):
        """Weight 1, bias 0, statistics forgotten."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input):
        if input.ndim not in self.dims:
            raise ValueError(f"expected {' or '.join(f'{d}D' for d in self.dims)} input (got {input.ndim}D input)")

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        version = local_metadata.get("version")
        if (version is None or version < 2) and self.track_running_stats and f"{prefix}num_batches_tracked" not in state_dict:
            state_dict[f"{prefix}num_batches_tracked"] = wrap(self.num_batches_tracked._data.copy())
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input):
        """(N, num_features, *) -> the same shape.

        In training with the batch's statistics, which move the running ones; in evaluation with the running ones, where they are tracked.
        """
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # cumulative average
                factor = 1.0 / float(self.num_batches_tracked)
        own = self.training or (self.running_mean is None and self.running_var is None)
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(input, self.running_mean if tracked else None, self.running_var if tracked else None, self.weight, self.bias, own,
                            factor, self.eps)


class BatchNorm1d(_BatchNorm):
    """Batch norm of (N, C) or (N, C, L).  Ioffe & Szegedy 2015, arXiv:1502.03167.

    momentum: how far a batch moves the running statistics; None averages all batches.
    """

    dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of (N, C, H, W).  momentum as in BatchNorm1d."""

    dims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch norm of (N, C, D, H, W).  momentum as in BatchNorm1d."""

    dims = (5,)


class _InstanceNorm(_NormBase):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input):
        """(N, num_features, *) or without N -> the same shape."""
        self._check_input_dim(input)
        alone = input.ndim == self.dims[0]
        at = input.ndim - self.dims[0]
        if input.shape[at] != self.num_features:
            if self.affine:
                raise ValueError(f"expected input's size at dim={at} to match num_features ({self.num_features}), but got: {input.shape[at]}.")
            warnings.warn(f"input's size at dim={at} does not match num_features. You can silence this warning by not passing in num_features, "
                          "which is not used because affine=False", stacklevel=3)
        out = F.instance_norm(input[None] if alone else input, self.running_mean, self.running_var, self.weight, self.bias,
                              self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return out[0] if alone else out


class InstanceNorm1d(_InstanceNorm):
    """Instance norm of (N, C, L) or (C, L).  Ulyanov et al. 2016, arXiv:1607.08022."""

    dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance norm of (N, C, H, W) or (C, H, W)."""

    dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance norm of (N, C, D, H, W) or (C, D, H, W)."""

    dims = (4, 5)

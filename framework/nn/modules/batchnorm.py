"""Normalisation with the statistics of the batch, which are tracked."""
import importlib

from ..._core.tensor import wrap
from ...ops.creation import ones, zeros
from .. import functional as F
from .. import init
from ..parameter import UninitializedBuffer, UninitializedParameter
from ._tensors import set_parameters
from .lazy import LazyModuleMixin
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


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """num_features is the size of the first input's dimension 1."""

    def __init__(self, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True):
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = zeros((), "int64", device)

    def reset_parameters(self):
        """Weight 1, bias 0, statistics forgotten; nothing before the first input."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Take num_features from the input."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
                if tensor is not None:
                    tensor.materialize((self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """BatchNorm1d whose num_features comes from the first input."""

    cls_to_become = BatchNorm1d
    dims = BatchNorm1d.dims


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """BatchNorm2d whose num_features comes from the first input."""

    cls_to_become = BatchNorm2d
    dims = BatchNorm2d.dims


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """BatchNorm3d whose num_features comes from the first input."""

    cls_to_become = BatchNorm3d
    dims = BatchNorm3d.dims


def __getattr__(name):
    if name == "SyncBatchNorm":  # from the package that knows process groups, imported when asked for
        return getattr(importlib.import_module("ringgrad.distributed.sync_batchnorm"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"]

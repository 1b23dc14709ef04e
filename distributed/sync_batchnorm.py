"""SyncBatchNorm: batch normalisation whose statistics are those of the whole batch, over all ranks.

Each rank computes its own count, mean and sum of squared deviations; one all-gather brings them together (Chan et al. 1979, "Updating
formulae and a pairwise algorithm for computing sample variances"). The backward pass needs the sums of g and g * xhat over all ranks: one
all-reduce. Ioffe & Szegedy 2015, arXiv:1502.03167; ranks may have batches of different size, also empty ones.
"""

from typing import Any

import ringgrad
from ringgrad import Tensor, nn
from ringgrad.autograd import Function
from ringgrad.autograd.function import once_differentiable
from ringgrad.nn.modules.batchnorm import _BatchNorm

from ._state import current, resolve
from .process_group import ProcessGroup


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all ranks.  (N, C, *) -> (N, C, *)

    num_features  C
    eps           added to the variance;  momentum: weight of a new batch in the running statistics, None for a plain average of all
    affine        learn weight and bias;  track_running_stats: keep running statistics, used in evaluation mode
    process_group the ranks that share a batch; default all

    In evaluation mode, without a process group, and in a group of one it is plain batch normalisation. Differentiable once.
    ValueError: an input without channels, or a single value per channel over all ranks.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: ProcessGroup | None = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def forward(self, input: Tensor) -> Tensor:
        """Normalise with the statistics of all ranks' inputs in training mode, with the running ones in evaluation mode."""
        self._check_input_dim(input)
        takes_batch = self.training or self.running_mean is None
        group = self._group() if takes_batch else None
        if group is None or group.size() == 1:
            return super().forward(input)
        if input.shape[1] != self.num_features:
            raise ValueError(f"SyncBatchNorm: input has {input.shape[1]} channels (dimension 1), but the layer expects {self.num_features}")
        out, mean, variance, count = _Normalize.apply(input, self.weight, self.bias, self.eps, group)
        if self.training and self.running_mean is not None:
            self._update(mean, variance, count.item())
        return out

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    def _group(self) -> ProcessGroup | None:
        return None if self.process_group is None and current().default is None else resolve(self.process_group)

    def _update(self, mean: Tensor, variance: Tensor, count: float) -> None:
        """Move the running statistics towards this batch's; the variance they keep is the unbiased one."""
        with ringgrad.no_grad():
            self.num_batches_tracked.add_(1)
            weight = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.item()
            self.running_mean.mul_(1 - weight).add_(mean * weight)
            self.running_var.mul_(1 - weight).add_(variance * (weight * count / (count - 1)))

    @classmethod
    def convert_sync_batchnorm(cls, module: nn.Module, process_group: ProcessGroup | None = None) -> nn.Module:
        """The module with every batch normalisation below it, or itself, replaced by one over the ranks, with the same parameters."""
        converted = module
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            converted = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, process_group)
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked", "training"):
                setattr(converted, name, getattr(module, name))
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted


class _Normalize(Function):
    """(x, weight, bias) -> (normalised x, mean (C,), biased variance (C,), number of values per channel ()), over all ranks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, group: ProcessGroup) -> tuple[Tensor, ...]:
        wide, axes, channels = _wide(x), [0, *range(2, x.dim())], x.shape[1]
        rows = x.numel() // channels
        own_mean = wide.sum(axes) / max(rows, 1)
        off = wide - _beside(own_mean, x)
        own = ringgrad.cat([ringgrad.full((1,), rows, dtype=wide.dtype, device=x.device), own_mean, (off * off).sum(axes)])
        table = ringgrad.zeros(group.size(), own.numel(), dtype=own.dtype, device=own.device)
        group.all_gather_into_tensor(table, own, label="statistics of SyncBatchNorm")
        counts, means, squares = table[:, :1], table[:, 1 : channels + 1], table[:, channels + 1 :]
        count = counts.sum()
        if count.item() <= 1:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)} on rank {group.rank()} and "
                f"{int(count.item())} values per channel over all ranks"
            )
        mean = (counts * means).sum(0) / count
        apart = means - mean
        variance = (squares + counts * apart * apart).sum(0) / count
        rstd = (variance + eps) ** -0.5
        scale = rstd if weight is None else rstd * weight
        out = (wide - _beside(mean, x)) * _beside(scale, x)
        out = (out if bias is None else out + _beside(bias, x)).to(x.dtype)
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.group, ctx.count = group, count
        ctx.mark_non_differentiable(mean, variance, count)
        return out, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, rstd = ctx.saved_tensors
        axes, channels = [0, *range(2, x.dim())], x.shape[1]
        wide = _wide(g)
        xhat = (_wide(x) - _beside(mean, x)) * _beside(rstd, x)
        sums = ringgrad.cat([wide.sum(axes), (wide * xhat).sum(axes)])
        total = sums.clone()
        ctx.group.all_reduce(total, label="gradient of SyncBatchNorm")
        total = total / ctx.count
        gx = wide - _beside(total[:channels], x) - xhat * _beside(total[channels:], x)
        gx = (gx * _beside(rstd if weight is None else rstd * weight, x)).to(x.dtype)
        needs_weight, needs_bias = ctx.needs_input_grad[1:3]
        return gx, sums[channels:] if needs_weight else None, sums[:channels] if needs_bias else None, None, None


def _wide(x: Tensor) -> Tensor:
    """In float32 where it is narrower."""
    return x.float() if x.dtype in (ringgrad.float16, ringgrad.bfloat16) else x


def _beside(values: Tensor, x: Tensor) -> Tensor:
    """(C,) values in a shape that broadcasts beside x (N, C, *)."""
    return values.reshape(1, -1, *[1] * (x.dim() - 2))

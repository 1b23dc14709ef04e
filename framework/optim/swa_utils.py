"""Averages of weights along the way: stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407) and exponential moving averages."""
import math
from collections import defaultdict
from copy import deepcopy
from itertools import chain

from .._core.modes import no_grad
from .._core.tensor import Tensor
from .._functional.creation import tensor
from ..nn import Module
from ..nn.modules.batchnorm import _BatchNorm
from ._lr_base import LRScheduler, per_group

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn", "update_bn"]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _is_continuous(t):
    return t.is_floating_point() or t.is_complex()


def get_ema_multi_avg_fn(decay=0.999):
    """A function (averages, parameters, count) that sets each average to decay * average + (1 - decay) * parameter, in place.

    ValueError unless 0 <= decay <= 1.
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for average, current in zip(ema_param_list, current_param_list, strict=True):
            if _is_continuous(average):
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(average * decay + current * (1 - decay))
    return ema_update


def get_swa_multi_avg_fn():
    """A function (averages, parameters, count) that adds one more point to equally weighted averages of `count` points, in place."""
    @no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        share = 1 / (num_averaged + 1)
        share = share.item() if isinstance(share, Tensor) else share
        for average, current in zip(averaged_param_list, current_param_list, strict=True):
            if _is_continuous(average):
                average.lerp_(current, share)
            else:
                average.add_(((current - average) / (num_averaged + 1)).to(average.dtype))
    return swa_update


def get_ema_avg_fn(decay=0.999):
    """A function (average, parameter, count) that returns decay * average + (1 - decay) * parameter.  ValueError unless 0 <= decay <= 1."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param
    return ema_update


def get_swa_avg_fn():
    """A function (average, parameter, count) that returns the equally weighted average with one more point."""
    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)
    return swa_update


class AveragedModel(Module):
    """A copy of `model` whose parameters are averages over time; `update_parameters(model)` adds the model as it is now.

    device: where the copy lives;  avg_fn: (average, parameter, count) -> new average;  multi_avg_fn: the same in place, for lists of tensors
    of one type (both None: the equally weighted average);  use_buffers: average buffers too, where otherwise they are copied.
    `n_averaged` counts the updates; the first one copies.  AssertionError for both functions.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model):
        """Take the parameters of `model` into the averages."""
        pairs = [(average.detach(), current.detach().to(average.device))
                 for average, current in zip(self._averaged(self.module), self._averaged(model))]
        if self.n_averaged == 0:
            for average, current in pairs:
                average.copy_(current)
        elif self.avg_fn is not None:
            for average, current in pairs:
                average.copy_(self.avg_fn(average, current, self.n_averaged.to(average.device)))
        else:
            groups = defaultdict(list)
            for pair in pairs:
                groups[pair[0].device, pair[0].dtype].append(pair)
            for (device, _), members in groups.items():
                (self.multi_avg_fn or get_swa_multi_avg_fn())(*map(list, zip(*members)), self.n_averaged.to(device))
        if not self.use_buffers:
            for average, current in zip(self.module.buffers(), model.buffers(), strict=True):
                average.detach().copy_(current.detach().to(average.device))
        self.n_averaged += 1

    def _averaged(self, model):
        return chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()


@no_grad()
def update_bn(loader, model, device=None):
    """Compute the running statistics of the model's batch norms anew, as plain averages over the batches of `loader`.

    loader: gives tensors, or lists whose first entry is the input;  device: where inputs are moved first
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """lr goes to `swa_lr` (a number, or one per parameter group) in anneal_epochs epochs and stays there.

    anneal_strategy: "cos" or "linear"
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for rate, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t):
        """The part of the way that is gone at the part `t` of the time."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self):
        """The next rates: the start is computed back from where the rates are now."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (self.anneal_func(max(0, min(1, n / max(1, self.anneal_epochs)))) for n in (step - 1, step))
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

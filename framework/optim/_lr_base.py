"""What all learning-rate schedules share: initial rates, counting, state dicts and torch's warnings."""
import warnings

from .._core.tensor import Tensor
from .._state import state
from .optimizer import Optimizer

EPOCH_WARNING = ("The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
                 "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed form is "
                 "used instead of the new chainable form, where available.")
OVERRIDDEN_WARNING = ("Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make sure "
                      "to call `optimizer.step()` before `lr_scheduler.step()`.")
ORDER_WARNING = ("Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the opposite order: "
                 "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in skipping the first value of the "
                 "learning rate schedule.")


def check_optimizer(optimizer):
    """TypeError unless `optimizer` is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def group_values(optimizer, key):
    """The option `key` of each parameter group; tensors are copied, so that they do not follow later changes."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def set_value(group, key, value):
    """group[key] = value; a tensor stays the same object and takes the value."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value.item() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name, optimizer, value):
    """`value` as a list with one entry per parameter group.  ValueError for a list of another length."""
    groups = len(optimizer.param_groups)
    if isinstance(value, (list, tuple)):
        if len(value) != groups:
            raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
                             f"param_groups has {groups}.")
        return [_copied(v) for v in value]
    return [_copied(value) for _ in range(groups)]


def _copied(value):
    return value.clone() if isinstance(value, Tensor) else value


def postponed(schedule, *arguments):
    """Whether the step that is running is captured in a CUDA graph, which makes this call of `schedule.step` at each replay instead."""
    return state.stepper is not None and state.stepper.postpones(schedule, arguments)


class LRScheduler:
    """Base class of schedules.  A subclass defines `get_lr`, which returns one rate per parameter group for `last_epoch`.

    last_epoch: -1 to begin (each group's lr becomes its "initial_lr"), or the epoch reached, to go on with groups that have an
    "initial_lr". Making a schedule sets the groups' rates, so load an optimizer's state dict afterwards.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0.\n"
                               "This typically happens when:\n"
                               "1. You're trying to resume training from a checkpoint but haven't properly loaded the optimizer state\n"
                               "2. You're using last_epoch >= 0 for a fresh training run (not recommended)")
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        optimizer.watch_steps()
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """All that the schedule knows but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """The rates that the last step set, one per parameter group."""
        return self._last_lr

    def get_lr(self):
        """The next rates.  Meant for `step`; elsewhere use `get_last_lr`, this warns."""
        raise NotImplementedError

    def step(self, epoch=None):
        """Set the next rates.  Call it after the optimizer's step.  epoch: go there instead (deprecated, as in torch)."""
        if postponed(self, epoch):
            return
        if self._step_count == 1:
            if not getattr(self.optimizer.step, "counts_steps", False):
                warnings.warn(OVERRIDDEN_WARNING, UserWarning, stacklevel=2)
            elif not self.optimizer.step_called:
                warnings.warn(ORDER_WARNING, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = getattr(self, "_get_closed_form_lr", None)
        self._set(self._rates(self.get_lr if epoch is None or closed is None else closed))

    def _rates(self, compute):
        self._get_lr_called_within_step = True
        try:
            return compute()
        finally:
            self._get_lr_called_within_step = False

    def _set(self, rates):
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_value(group, "lr", lr)
        self._last_lr = group_values(self.optimizer, "lr")

    # -- for subclasses ------------------------------------------------------------------------------------------------

    def _warn_outside_step(self):
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use `get_last_lr()`.", UserWarning, stacklevel=3)

    def _unchanged(self):
        return group_values(self.optimizer, "lr")

    def _times(self, factor):
        return [group["lr"] * factor for group in self.optimizer.param_groups]


def state_of_callable(fn):
    """What a state dict keeps of a user's function: its attributes when it is an object, nothing (None) of a plain function."""
    return None if isinstance(fn, type(state_of_callable)) else fn.__dict__.copy()

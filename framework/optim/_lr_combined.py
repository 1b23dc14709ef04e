"""Schedules made of schedules: one after another, or several at once."""
from bisect import bisect_right

from ._lr_base import LRScheduler, group_values, postponed, set_value
from ._lr_plateau import ReduceLROnPlateau


class _Combined(LRScheduler):
    """A schedule of schedules; its state dict holds theirs."""

    def _check_members(self, schedulers, optimizer):
        name = type(self).__name__
        for i, member in enumerate(schedulers):
            if not hasattr(member, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(member, ReduceLROnPlateau):
                raise ValueError(f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified "
                                 f"when calling `step`, but got one at index {i} in the given schedulers sequence.")
            if member.optimizer is not optimizer:
                raise ValueError(f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                                 f"{type(member).__name__} at index {i} has {member.optimizer}, which is different "
                                 f"from {type(optimizer).__name__}.")

    def state_dict(self):
        """The own state, and the list of the members' states."""
        state = super().state_dict()
        state["_schedulers"] = [s.state_dict() for s in self._schedulers]
        return state

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for member, state in zip(self._schedulers, state_dict["_schedulers"]):
            member.load_state_dict(state)


class SequentialLR(_Combined):
    """One schedule after another: schedulers[i + 1] takes over, from its beginning, at epoch milestones[i]."""

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        if len(schedulers) < 1:
            raise ValueError(f"{type(self).__name__} expects at least one scheduler, but got no scheduler.")
        self._check_members(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError("Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone "
                             f"points, but got number of schedulers {len(schedulers)} and the number of milestones to be equal "
                             f"to {len(milestones)}")
        self.optimizer, self._schedulers, self._milestones = optimizer, schedulers, milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_value(group, "lr", group["initial_lr"])
        self._rewind(schedulers)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _rewind(self, schedulers):
        """Undo the step that making each member took."""
        for member in schedulers:
            if hasattr(member, "_schedulers"):
                self._rewind(member._schedulers)
            else:
                member.last_epoch -= 1

    def step(self):
        """Step the schedule whose turn it is."""
        if postponed(self):
            return
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        member = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            member._update_lr(0)
        else:
            member.step()
        self._last_lr = member.get_last_lr()


class ChainedScheduler(_Combined):
    """Several schedules at once: each steps in turn, multiplying what the ones before it left."""

    def __init__(self, schedulers, optimizer=None):
        if len(schedulers) < 1:
            raise ValueError(f"{type(self).__name__} expects at least one scheduler to be chained, but got no scheduler.")
        optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        self._check_members(schedulers, optimizer)
        self.optimizer, self._schedulers = optimizer, schedulers
        self._last_lr = group_values(optimizer, "lr")

    def step(self):
        """Step every schedule."""
        if postponed(self):
            return
        for member in self._schedulers:
            member.step()
        self._last_lr = group_values(self.optimizer, "lr")


__all__ = ["ChainedScheduler", "SequentialLR"]

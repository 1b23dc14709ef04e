"""Training on uneven inputs: a rank that has run out of data goes through the others' collectives until they have run out too.

    with Join([ddp]):                 # or ddp.join()
        for batch in batches:         # of different length on different ranks
            ...

Before the collectives of each iteration everybody says whether it is still there: active ranks add 1 (`Join.notify_join_context`, called by
the joinable's forward), ranks that have joined add 0 and, while the sum is not 0, run the hooks that shadow one iteration.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import ringgrad

from .process_group import ProcessGroup
from .work import Work

_WARN_AFTER = 1000  # iterations that a joined rank shadows


class JoinHook:
    """What a joinable object does on a rank that has joined."""

    def main_hook(self) -> None:
        """Called once per iteration of the others: take part in its collectives."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called once when all ranks have joined.  is_last_joiner: this rank was (one of) the last to have data."""


@dataclass(frozen=True)
class _JoinConfig:
    """What a joinable has to know of the context it is in."""

    enable: bool = False
    throw_on_early_termination: bool = False
    is_first_joinable: bool = False


class Joinable(ABC):
    """Something that communicates in every iteration, and can be told that some ranks have run out of them."""

    @abstractmethod
    def __init__(self) -> None:
        super().__init__()
        self._join_config = _JoinConfig()

    @abstractmethod
    def join_hook(self, **kwargs: Any) -> JoinHook:
        """What shadows this object's collectives.  kwargs: what Join was given, the same for all its joinables."""

    @property
    @abstractmethod
    def join_device(self) -> Any:
        """The device of the tensors by which the ranks say that they are there."""

    @property
    @abstractmethod
    def join_process_group(self) -> ProcessGroup:
        """The group whose ranks join."""


class Join:
    """Context for loops of different length on different ranks.

    joinables: what communicates in the loop, in the order in which it does so; all over one process group.
    enable: False makes it a context that does nothing.  throw_on_early_termination: raise RuntimeError on all ranks as soon as one has run
    out, for loops whose other collectives cannot be shadowed.  kwargs: for the joinables' hooks.
    ValueError: no joinable, or several process groups.
    """

    def __init__(self, joinables: Sequence[Joinable], enable: bool = True, throw_on_early_termination: bool = False, **kwargs: Any) -> None:
        if len(joinables) == 0:
            raise ValueError("The join context manager requires at least one joinable")
        groups = [each.join_process_group for each in joinables]
        if any(group is not groups[0] for group in groups):
            raise ValueError("Using join context manager with multiple process groups")
        self._joinables, self._group, self._device = list(joinables), groups[0], joinables[0].join_device
        self._hooks = [each.join_hook(**kwargs) for each in joinables]
        self._enable, self._throw = enable, throw_on_early_termination
        for place, each in enumerate(joinables):
            each._join_config = _JoinConfig(enable, throw_on_early_termination, is_first_joinable=place == 0)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if self._enable and kind is None:
                self._shadow_the_others()
        finally:
            for each in self._joinables:
                each._join_config = _JoinConfig()

    def _shadow_the_others(self) -> None:
        shadowed = 0
        while self._active_ranks():
            if self._throw:
                _announce(self._group, self._device, 1)
                raise RuntimeError(f"Rank {self._group.rank()} exhausted all inputs.")
            for hook in self._hooks:
                hook.main_hook()
            shadowed += 1
            if shadowed == _WARN_AFTER:
                warnings.warn(
                    f"Detected uneven input skew of greater than {_WARN_AFTER}. This means that rank {self._group.rank()} has at "
                    f"least {_WARN_AFTER} fewer inputs than other currently-active ranks. This level of skew could lead to performance "
                    f"degradation during training.", stacklevel=3)
        for hook in self._hooks:
            hook.post_hook(is_last_joiner=not shadowed)

    def _active_ranks(self) -> int:
        """How many ranks are at the beginning of another iteration."""
        return int(_announce(self._group, self._device, 0).item())

    @staticmethod
    def notify_join_context(joinable: Joinable) -> Work | None:
        """Say that this rank is at the beginning of another iteration.  To be called by a joinable before its collectives.

        Returns the Work of an all-reduce whose result is the number of active ranks; None outside of an enabled context, and for all
        joinables but the first. RuntimeError: throw_on_early_termination, and a rank has run out.
        """
        config = joinable._join_config
        if not config.enable or not config.is_first_joinable:
            return None
        group, device = joinable.join_process_group, joinable.join_device
        work = group.all_reduce(ringgrad.ones(1, device=device), async_op=True, label="join: ranks with data")
        if config.throw_on_early_termination and _announce(group, device, 0).item():
            raise RuntimeError("Detected at least one rank that exhausted inputs. Throwing across all ranks.")
        return work


def _announce(group: ProcessGroup, device: Any, number: int) -> Any:
    """The sum of all ranks' numbers, as a tensor of one element."""
    tensor = ringgrad.tensor([float(number)], device=device)
    group.all_reduce(tensor, label="join: ranks with data")
    return tensor

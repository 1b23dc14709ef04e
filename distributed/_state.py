"""Which groups this rank has. A process is one rank, unless it runs ranks as threads: then each thread has its own state."""

import threading
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from . import flight_recorder
from ._connection import Connection
from .backends.local import LocalWorld
from .process_group import ProcessGroup


class _NotAMember:
    """What new_group returns to ranks outside the new group."""

    def __repr__(self) -> str:
        return "GroupMember.NON_GROUP_MEMBER"


@dataclass(frozen=True)
class Seat:
    """A thread's place in a world of ranks that are threads."""

    world: LocalWorld
    rank: int


class RankState:
    """What one rank knows: its default group, all its groups by name, how it reaches the others, and its flight recorder."""

    def __init__(self, seat: Seat | None = None) -> None:
        self.seat = seat
        self.default: ProcessGroup | None = None
        self.groups: dict[str, ProcessGroup] = {}
        self.connection: Connection | None = None
        self.chosen: dict[str, str] = {}  # device -> backend of the default group
        self.recorder = flight_recorder.FlightRecorder() if seat is not None else None  # None: the process's
        self.jobs = 0  # default groups made so far
        self.made = 0  # other groups made so far by all ranks together: the same number everywhere, so it makes their names
        self._made_by_members: Counter[tuple[int, ...]] = Counter()

    def count_by_members(self, members: tuple[int, ...]) -> int:
        """How many groups of just these ranks were made by them alone, this one included."""
        self._made_by_members[members] += 1
        return self._made_by_members[members]


class _PerThread(threading.local):
    state: RankState | None = None


_process = RankState()
_thread = _PerThread()


def current() -> RankState:
    """The state of the rank that calls."""
    return _thread.state or _process


def set_thread_state(state: RankState | None) -> None:
    """Make the calling thread a rank of its own (or, None, part of its process's rank again)."""
    _thread.state = state
    flight_recorder.use(None if state is None else state.recorder)


class _Members(type):
    """Gives `group` and `GroupMember` torch's class attributes."""

    NON_GROUP_MEMBER: Final = _NotAMember()

    @property
    def WORLD(cls) -> ProcessGroup | None:  # noqa: N802 - torch's name
        """The default group, None before init_process_group."""
        return current().default


class group(metaclass=_Members):  # noqa: N801 - torch's name
    """group.WORLD is the default group."""


class GroupMember(metaclass=_Members):
    """GroupMember.WORLD is the default group; GroupMember.NON_GROUP_MEMBER stands for a group that this rank is not part of."""


NON_GROUP_MEMBER = GroupMember.NON_GROUP_MEMBER


def default_group() -> ProcessGroup:
    """The group of all ranks.  ValueError before init_process_group."""
    found = current().default
    if found is None:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")
    return found


def resolve(wanted: Any) -> ProcessGroup | None:
    """The group that a `group=` argument means (None: the default one); None if this rank is not in it.

    ValueError: not initialised, or destroyed.  TypeError: no group at all.
    """
    if wanted is NON_GROUP_MEMBER:
        return None
    default = default_group()
    if wanted is None:
        return default
    if not isinstance(wanted, ProcessGroup):
        raise TypeError(f"group must be what new_group returned, or None for all ranks, but got {wanted!r}")
    if current().groups.get(wanted.group_name) is not wanted:
        raise ValueError(f"Group {wanted!r} is not registered: it was destroyed, or belongs to another rank; create groups with new_group")
    return wanted


def member(collective: str, wanted: Any) -> ProcessGroup | None:
    """As `resolve`, for collectives: a rank outside the group is warned and has nothing to do."""
    found = resolve(wanted)
    if found is None:
        rank = default_group().rank()
        warnings.warn(f"Running {collective} on global rank {rank} which does not belong to the given group.", stacklevel=3)
    return found

"""Starting and ending: init_process_group, new_group, destroy_process_group, and who am I."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

from ringgrad import cuda

from . import _connection, env, flight_recorder
from ._state import NON_GROUP_MEMBER, current, default_group, resolve
from ._timeouts import seconds
from .backends import parse, spelled
from .backends._mpi_library import is_installed
from .backends.nccl import is_usable as nccl_is_usable
from .env import Environment
from .process_group import ProcessGroup
from .store import FileStore, PrefixStore, Store

DEFAULT_GROUP = "default"


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | float | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Store | None = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Join the other ranks of the job in the default group.

    backend: 'mpi', 'nccl', 'local', 'gloo' (means mpi), or one per device: 'cpu:mpi,cuda:nccl'. None: MPI for CPU tensors where MPI
    started the job, NCCL for GPU tensors where there is a GPU. A job of one rank needs no library at all.
    init_method: 'env://' (default: the launcher's variables, see env.py), 'tcp://host:port', 'file:///path'.
    timeout: of every wait, default 30 minutes.  rank, world_size: win over the variables.  store: instead of init_method.
    group_name, pg_options, device_id: accepted for torch's sake; the GPU of a rank is the one its first GPU tensor is on.
    ValueError: initialised already, a variable is missing or contradictory.  RuntimeError: a library or a launcher is missing.
    """
    state = current()
    if state.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    if init_method is not None and store is not None:
        raise ValueError("Cannot specify both init_method and store.")
    timeout_s = seconds(timeout)
    seat = state.seat
    if seat is not None:
        environment, world = Environment(seat.rank, seat.world.size, seat.rank, seat.world.size, started_by="local"), seat.world
        chosen = parse("local")
    else:
        environment, store = _rendezvous(init_method, rank, world_size, store, timeout_s)
        world, chosen = None, parse(backend) if backend is not None else {}
        if chosen and set(chosen.values()) == {"local"} and environment.world_size > 1:
            raise ValueError(
                f"the local backend runs ranks as threads of one process, but this is rank {environment.rank} of {environment.world_size} "
                f"processes; use 'mpi' or 'nccl' here, or ringgrad.distributed.spawn_local(function, {environment.world_size})"
            )
    chosen = chosen or _connection.default_backends(environment, cuda.is_available())
    state.jobs += 1
    connection = _connection.connect(environment, chosen, timeout_s, store, world, state.jobs)
    try:
        backends = connection.backends(chosen, DEFAULT_GROUP, range(environment.world_size))
    except BaseException:
        connection.close()
        raise
    state.connection, state.chosen = connection, chosen
    state.default = ProcessGroup(DEFAULT_GROUP, range(environment.world_size), backends, timeout_s, flight_recorder.current())
    state.groups[DEFAULT_GROUP] = state.default


def _rendezvous(
    init_method: str | None, rank: int, world_size: int, store: Store | None, timeout_s: float
) -> tuple[Environment, Store | None]:
    """Who we are, and the store if the caller names one."""
    if store is not None:
        if world_size < 1 or rank < 0:
            raise ValueError(f"a store needs world_size and rank beside it, but world_size is {world_size} and rank {rank}; pass both")
        return env.read(rank, world_size), PrefixStore("ringgrad", store)
    url = urlparse(init_method or "env://")
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    rank = int(query.get("rank", rank)) if rank < 0 else rank
    world_size = int(query.get("world_size", world_size)) if world_size < 0 else world_size
    if url.scheme == "env":
        return env.read(rank, world_size), None
    if url.scheme == "tcp":
        if url.hostname is None or url.port is None:
            raise ValueError(f"Error initializing ringgrad.distributed using tcp:// rendezvous: {init_method!r} must be 'tcp://host:port'")
        place = {**os.environ, "MASTER_ADDR": url.hostname, "MASTER_PORT": str(url.port)}
        return env.read(rank, world_size, place), None
    if url.scheme == "file":
        path = url.netloc + url.path
        if not path:
            raise ValueError(f"Error initializing ringgrad.distributed using file:// rendezvous: path missing in {init_method!r}")
        environment = env.read(rank, world_size)
        return environment, FileStore(path, environment.world_size, timeout=timeout_s)
    raise ValueError(f"init_method {init_method!r} is none of env://, tcp://host:port and file:///path")


def destroy_process_group(group: Any = None) -> None:
    """Leave a group; without an argument all groups, so that init_process_group may be called again.

    Collectives that are still outstanding are given up. The other ranks learn of it: whoever waits for this one gets an error.
    """
    found = resolve(group)
    if found is None:
        return
    state = current()
    if found is not state.default:
        found.close()
        del state.groups[found.group_name]
        return
    for each in reversed(list(state.groups.values())):
        each.close()
    connection, state.connection, state.default = state.connection, None, None
    state.groups.clear()
    if connection is not None:
        connection.close()


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | float | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
    sort_ranks: bool = True,
) -> Any:
    """A group of some global ranks (None: all).  Every rank of the job calls it, with the same arguments, in the same order.

    Ranks outside the new group get GroupMember.NON_GROUP_MEMBER.  backend: None for the default group's.
    use_local_synchronization: only the members call it.  sort_ranks: False keeps the order given as the order of ranks in the group.
    """
    default, state = default_group(), current()
    members = list(range(default.size())) if ranks is None else [int(rank) for rank in ranks]
    _check_members(members, default.size())
    members = sorted(members) if sort_ranks else members
    chosen = state.chosen if backend is None or state.connection is None or state.connection.local is not None else parse(backend)
    if use_local_synchronization:
        name = f"group of {members}, {state.count_by_members(tuple(members))}"
    else:
        state.made += 1
        name = f"group{state.made}"
        default.agree("new_group", members, label=f"{name}, {spelled(chosen)}")
    if default.rank() not in members:
        return NON_GROUP_MEMBER
    connection = state.connection
    assert connection is not None, "a rank with a default group is connected"
    timeout_s = default.timeout_s if timeout is None else seconds(timeout)
    made = ProcessGroup(name, members, connection.backends(chosen, name, members), timeout_s, flight_recorder.current(), group_desc or "")
    state.groups[name] = made
    return made


def _check_members(members: Sequence[int], world_size: int) -> None:
    if not members:
        raise ValueError("new_group: a group needs at least one rank; pass ranks=None for all of them")
    if len(set(members)) != len(members):
        raise ValueError(f"ranks list must not contain duplicate entries, got {list(members)}")
    if not all(0 <= rank < world_size for rank in members):
        raise ValueError(f"new_group: ranks must be from 0 to {world_size - 1}, the ranks of the job, but are {list(members)}")


def new_subgroups(
    group_size: int | None = None,
    group: Any = None,
    timeout: timedelta | float | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:
    """Cut a group into neighbours of group_size ranks (default: the ranks of one machine).  (this rank's subgroup, all subgroups)."""
    parent = resolve(group)
    if parent is None:
        raise ValueError("new_subgroups: this rank is not in the group that is to be cut")
    size = group_size if group_size is not None else local_environment().local_world_size
    if size <= 0:
        raise ValueError(f"The arg 'group_size' ({size}) must be positive")
    if parent.size() < size:
        raise ValueError(f"The arg 'group_size' ({size}) must not exceed the world size ({parent.size()})")
    if parent.size() % size:
        raise ValueError(f"The world size ({parent.size()}) must be divisible by 'group_size={size}'")
    cut = [list(parent.ranks[start : start + size]) for start in range(0, parent.size(), size)]
    return new_subgroups_by_enumeration(cut, timeout, backend, pg_options, group_desc)


def new_subgroups_by_enumeration(
    ranks_per_subgroup_list: Sequence[Sequence[int]],
    timeout: timedelta | float | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    group_desc: str | None = None,
) -> tuple[Any, list[Any]]:
    """Groups of the given ranks, none of which may be in two.  (this rank's subgroup or None, all subgroups)."""
    if not ranks_per_subgroup_list:
        raise ValueError("The arg 'ranks_per_subgroup_list' cannot be empty")
    everyone = [rank for ranks in ranks_per_subgroup_list for rank in ranks]
    if len(set(everyone)) != len(everyone):
        raise ValueError(f"a rank may be in one subgroup only, but the lists are {[list(ranks) for ranks in ranks_per_subgroup_list]}")
    made = [new_group(ranks, timeout, backend, pg_options, group_desc=group_desc) for ranks in ranks_per_subgroup_list]
    mine = [each for each in made if each is not NON_GROUP_MEMBER]
    return (mine[0] if mine else None), made


# Who am I


def is_available() -> bool:
    """Whether this build can do distributed work at all: always."""
    return True


def is_initialized() -> bool:
    """Whether this rank is in a default group."""
    return current().default is not None


def is_mpi_available() -> bool:
    """Whether mpi4py is installed."""
    return is_installed()


def is_gloo_available() -> bool:
    """Whether 'gloo', torch's CPU backend, can be asked for: it means mpi here, and a job of one rank needs neither."""
    return True


def is_nccl_available() -> bool:
    """Whether CuPy and an NCCL binding are installed."""
    return nccl_is_usable()


def is_torchelastic_launched() -> bool:
    """Whether a launcher with torchrun's variables started this process; ringgrad-run does."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def get_rank(group: Any = None) -> int:
    """This process's rank in the group, -1 outside of it."""
    found = resolve(group)
    return -1 if found is None else found.rank()


def get_world_size(group: Any = None) -> int:
    """How many ranks the group has; -1 outside of it."""
    found = resolve(group)
    return -1 if found is None else found.size()


def get_backend(group: Any = None) -> str:
    """'mpi', 'nccl', 'local', or one per device.  ValueError outside of the group."""
    found = resolve(group)
    if found is None:
        raise ValueError("Invalid process group specified: this rank is not in it")
    return found.name()


def get_default_backend_for_device(device: Any) -> str:
    """'nccl' for GPUs, 'mpi' for the CPU.  ValueError for another device."""
    kind = str(device).partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"Default backend not registered for device : {device}; known are cpu and cuda")
    return "nccl" if kind == "cuda" else "mpi"


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The global ranks of a group's members, in the order of their ranks in it."""
    found = resolve(group)
    if found is None:
        raise ValueError("Invalid process group specified: this rank is not in it")
    return list(found.ranks)


def get_group_rank(group: Any, global_rank: int) -> int:
    """Rank in the group of a global rank.  ValueError if it is not in it."""
    ranks = get_process_group_ranks(group)
    if global_rank not in ranks:
        raise ValueError(f"Global rank {global_rank} is not part of group {group}, whose ranks are {ranks}")
    return ranks.index(global_rank)


def get_global_rank(group: Any, group_rank: int) -> int:
    """Global rank of a rank in the group.  ValueError if the group is smaller."""
    ranks = get_process_group_ranks(group)
    if not 0 <= group_rank < len(ranks):
        raise ValueError(f"Group rank {group_rank} is not part of group {group}, which has {len(ranks)} ranks")
    return ranks[group_rank]


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's rank among those of its machine.  RuntimeError if no launcher has said it and there is no fallback."""
    found = local_environment()
    if found.started_by == "python" and current().default is None:
        if fallback_rank is None:
            raise RuntimeError(
                "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow `get_node_local_rank` to work."
            )
        return int(fallback_rank)
    return found.local_rank


def get_pg_count() -> int:
    """How many groups this rank is in."""
    return len(current().groups)


def local_environment() -> Environment:
    """The place of this process: that of the default group, or what the variables say."""
    connection = current().connection
    return env.read() if connection is None else connection.environment

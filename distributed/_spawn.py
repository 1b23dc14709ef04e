"""spawn_local: a distributed program in one process, its ranks as threads. For debugging, and the reference of the tests."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ._init import destroy_process_group, init_process_group
from ._state import RankState, Seat, current, set_thread_state
from .backends.local import LocalWorld


def spawn_local(
    function: Callable[..., Any], world_size: int, *args: Any, init: bool = True, timeout: timedelta | float | None = None, **kwargs: Any
) -> list[Any]:
    """Run function(*args, **kwargs) once per rank, each in a thread, and return what the ranks returned, by rank.

    init: the ranks find their default group initialised (backend 'local'); False leaves init_process_group to the function, which
    gets the local backend whatever it asks for. timeout: the default group's.
    The first exception of a rank is raised again here, with its rank as a note; the other ranks are told of it and stop at their next
    collective. Environment variables are the process's: use get_rank(), not RANK.
    """
    if not isinstance(world_size, int) or world_size < 1:
        raise ValueError(f"spawn_local needs at least one rank, but world_size is {world_size!r}")
    world = LocalWorld(world_size)
    results: list[Any] = [None] * world_size

    def run(rank: int) -> None:
        set_thread_state(RankState(Seat(world, rank)))
        failure: BaseException | None = None
        try:
            if init:
                init_process_group(timeout=timeout)
            results[rank] = function(*args, **kwargs)
        except BaseException as error:  # every end of a rank has to be told to the others, whatever it was
            error.add_note(f"raised on rank {rank} of {world_size} (spawn_local)")
            failure = error
        finally:
            world.end(rank, failure)
            if current().default is not None:
                destroy_process_group()
            set_thread_state(None)

    threads = [threading.Thread(target=run, args=(rank,), name=f"ringgrad-rank-{rank}") for rank in range(world_size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = next((error for error in world.ended.values() if error is not None), None)
    if first is not None:
        raise first
    return results

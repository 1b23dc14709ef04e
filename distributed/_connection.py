"""How the ranks of a job reach each other: over MPI, over a store, or as threads; and the backends made from that."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ._tcp_store import TCPStore
from .backends import spelled
from .backends._base import Backend
from .backends._bootstrap import Bootstrap, MpiBootstrap, StoreBootstrap
from .backends._mpi_exit import ExitWatch
from .backends._mpi_library import INSTALL, is_installed
from .backends._mpi_world import MpiWorld
from .backends.local import LocalBackend, LocalWorld
from .backends.mpi import MpiBackend
from .backends.mpi import connect as connect_mpi
from .backends.nccl import NcclBackend
from .env import Environment
from .store import PrefixStore, Store

LISTEN_FD_VARIABLE = "RINGGRAD_STORE_FD"


_mpi_worlds: list[MpiWorld] = []  # at most one


def mpi_world(timeout_s: float) -> MpiWorld:
    """This process among the MPI processes: made by the first call, with what tells the others about its end."""
    if not _mpi_worlds:
        _mpi_worlds.append(MpiWorld(timeout_s))
        ExitWatch(_mpi_worlds[0])
    return _mpi_worlds[0]


@dataclass
class Connection:
    """One rank's way to the others.  At least one of local, mpi, store is there if the job has several ranks."""

    environment: Environment
    timeout_s: float
    local: LocalWorld | None = None
    mpi: MpiBackend | None = None
    store: Store | None = None
    _owned: list[Store] = field(default_factory=list)

    def backends(self, chosen: dict[str, str], group: str, ranks: Sequence[int]) -> dict[str, Backend]:
        """Device -> backend of a group with these global ranks; this rank is one of them."""
        made: dict[str, Backend] = {}
        for name in set(chosen.values()):
            made[name] = self._make(name, group, ranks)
        return {device: made[name] for device, name in chosen.items()}

    def _make(self, name: str, group: str, ranks: Sequence[int]) -> Backend:
        rank = list(ranks).index(self.environment.rank)
        if name == "nccl":
            return NcclBackend(self._bootstrap(group, ranks), group, rank, ranks, self.timeout_s)
        if self.mpi is not None:
            return self.mpi if group == "default" else self.mpi.subgroup(group, ranks)
        if self.local is not None:
            return LocalBackend(self.local, group, rank, ranks)
        raise RuntimeError(_not_under_mpi(self.environment))

    def _bootstrap(self, group: str, ranks: Sequence[int]) -> Bootstrap:
        if self.mpi is not None:
            return MpiBootstrap(self.mpi, group, ranks)
        store = self.store or (self.local.store if self.local is not None else None)
        if store is None:
            raise RuntimeError(
                "NCCL ranks need a store to find each other; give init_process_group a store or start them with ringgrad-run"
            )
        return StoreBootstrap(PrefixStore(group, store), ranks, self.environment.rank)

    def close(self) -> None:
        """Leave: tell the other ranks, and close the store if we opened it."""
        if self.mpi is not None:
            self.mpi.world.leave()
        for store in self._owned:
            store.close()


def connect(
    environment: Environment, chosen: dict[str, str], timeout_s: float, store: Store | None, local: LocalWorld | None, job: int
) -> Connection:
    """Reach the other ranks, by the first way that fits: threads of this process, MPI, the store.

    chosen: device -> backend.  store: what the caller gave.  job: counts the groups of all ranks that this process has made.
    """
    connection = Connection(environment, timeout_s, local=local, store=store)
    if local is not None:
        return connection
    wants_mpi = "mpi" in chosen.values()
    if environment.mpi_world_size is not None and (is_installed() or (wants_mpi and environment.world_size > 1)):
        connection.mpi = _join_mpi(environment, timeout_s)
    elif environment.world_size == 1:
        connection.local = LocalWorld(1)
    elif wants_mpi:
        connection.mpi = _join_mpi_if_started_by_it(environment, timeout_s)
    elif store is None:
        opened = _open_store(environment, timeout_s)
        connection.store = PrefixStore(f"job{job}", opened)
        connection._owned.append(opened)
    return connection


def default_backends(environment: Environment, gpu_available: bool) -> dict[str, str]:
    """What backend=None means: NCCL for GPU tensors where there is a GPU, MPI for CPU tensors where MPI started the job."""
    cpu = {"cpu": "mpi"} if environment.mpi_world_size is not None or environment.world_size == 1 or not gpu_available else {}
    return {**cpu, **({"cuda": "nccl"} if gpu_available else {})}


def _join_mpi(environment: Environment, timeout_s: float) -> MpiBackend:
    world = mpi_world(timeout_s)
    if (world.rank, world.size) != (environment.rank, environment.world_size):
        raise RuntimeError(
            f"the environment says rank {environment.rank} of {environment.world_size} ({environment.started_by}), but MPI says rank "
            f"{world.rank} of {world.size}; {_how_to_start(environment)}"
        )
    world.generation += 1
    return connect_mpi(world, "default", timeout_s)


def _join_mpi_if_started_by_it(environment: Environment, timeout_s: float) -> MpiBackend:
    """A job of several ranks whose variables show no MPI launcher: srun may have started MPI through PMIx, torchrun cannot have."""
    if environment.started_by != "slurm" and "PMIX_RANK" not in os.environ:
        raise RuntimeError(_not_under_mpi(environment))
    return _join_mpi(environment, timeout_s)


def _not_under_mpi(environment: Environment) -> str:
    return (
        f"the {spelled({'cpu': 'mpi'})} backend (which gloo and ucc mean too) moves CPU tensors over MPI, but this job of "
        f"{environment.world_size} ranks was not started by an MPI launcher (its ranks come from {environment.started_by}); "
        f"{_how_to_start(environment)}"
    )


def _how_to_start(environment: Environment) -> str:
    install = "" if is_installed() else f" MPI itself is missing: {INSTALL}."
    return (
        f"start it with 'ringgrad-run --nproc-per-node {environment.world_size} script.py' (without --mpi none) or "
        f"'mpirun -n {environment.world_size} python script.py'.{install}"
    )


def _open_store(environment: Environment, timeout_s: float) -> TCPStore:
    """The store of a job without MPI: rank 0 serves it."""
    address, port = environment.master_addr, environment.master_port
    listen_fd = os.environ.get(LISTEN_FD_VARIABLE) if environment.rank == 0 else None
    for name, value in (("MASTER_ADDR", address), ("MASTER_PORT", port)):
        if value is None:
            raise ValueError(
                f"Error initializing ringgrad.distributed using env:// rendezvous: environment variable {name} expected, but not set; "
                f"start with ringgrad-run, which sets it, or pass init_method='tcp://host:port'"
            )
    assert address is not None and port is not None
    if listen_fd is not None and not listen_fd.isdigit():
        raise ValueError(f"{LISTEN_FD_VARIABLE} must be the number of a listening socket, but is {listen_fd!r}")
    return TCPStore(
        address if environment.several_nodes else "127.0.0.1",
        port,
        is_master=environment.rank == 0,
        timeout=timeout_s,
        master_listen_fd=int(listen_fd) if listen_fd is not None else None,
        everywhere=environment.several_nodes,
    )

"""What will be started, as pure functions: which rank, which environment, which command line, which stream goes where.

Nothing here looks at the machine or starts anything; `cli.py` asks the machine and fills in a `Job`.
"""
from __future__ import annotations

import os
import signal
import string
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STDOUT, STDERR = 1, 2
DEFAULT_PREFIX = "[rank${rank}]: "
_HERE = Path(__file__).resolve().parent

# Variables by which an MPI tells a process who it is: the launcher gives out new identities, so old ones must not shine through.
MPI_IDENTITY = ("PMI_", "PMIX_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "MPI_LOCAL")
# Variables by which mpirun learns of a batch system.
BATCH_SYSTEM = ("SLURM_", "PBS_", "LSB_", "COBALT_", "PE_HOSTFILE")


class LaunchError(ValueError):
    """The job cannot be started as asked; the message is a sentence with the way out, and the launcher exits with code 2."""


@dataclass(frozen=True)
class Program:
    """What every rank runs. `kind` is "script" (a Python file), "module" (as in `python -m`) or "command" (any program)."""

    kind: str
    target: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """Where one output stream of one rank goes."""

    console: bool
    file: bool


@dataclass(frozen=True)
class Job:
    """One launch, checked: `nproc` ranks on each of `nnodes` machines, of which this is number `node_rank`.

    `gpus` is what this machine has; `master_port` 0 lets the system choose; `mpirun` is the path of the mpirun to start ranks through,
    None for plain processes; `shutdown_timeout_s` None means 30 s after a signal and 3 s after a failure; `redirects` and `tee` hold a
    bit mask (1 = stdout, 2 = stderr) per local rank; `shown` are the local ranks whose output reaches the console, None for all;
    `aliases` is the folder that makes `import torch` find ringgrad (ringgrad.compat), None where torch means torch.
    """

    program: Program
    nproc: int = 1
    gpus: int = 0
    nnodes: int = 1
    node_rank: int = 0
    master_addr: str = "127.0.0.1"
    master_port: int = 0
    mpirun: str | None = None
    max_restarts: int = 0
    monitor_interval_s: float = 0.1
    shutdown_timeout_s: float | None = None
    signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    role: str = "default"
    run_id: str = "none"
    token: str = ""
    log_dir: str | None = None
    redirects: tuple[int, ...] = (0,)
    tee: tuple[int, ...] = (0,)
    shown: frozenset[int] | None = None
    prefix_template: str | None = None
    aliases: str | None = None

    @property
    def world_size(self) -> int:
        return self.nnodes * self.nproc

    def rank(self, local_rank: int) -> int:
        """Ranks are numbered node by node, as torchrun numbers them."""
        return self.node_rank * self.nproc + local_rank


def rank_environment(job: Job, local_rank: int, *, attempt: int, master_port: int, error_file: str) -> dict[str, str]:
    """torchrun's environment contract for one rank, with our two additions (`RINGGRAD_STORE_FD` is added where the socket is)."""
    rank = str(job.rank(local_rank))
    return {
        "RANK": rank,
        "LOCAL_RANK": str(local_rank),
        "WORLD_SIZE": str(job.world_size),
        "LOCAL_WORLD_SIZE": str(job.nproc),
        "GROUP_RANK": str(job.node_rank),
        "GROUP_WORLD_SIZE": str(job.nnodes),
        "ROLE_RANK": rank,
        "ROLE_NAME": job.role,
        "ROLE_WORLD_SIZE": str(job.world_size),
        "MASTER_ADDR": job.master_addr,
        "MASTER_PORT": str(master_port),
        "TORCHELASTIC_RESTART_COUNT": str(attempt),
        "TORCHELASTIC_MAX_RESTARTS": str(job.max_restarts),
        "TORCHELASTIC_RUN_ID": job.run_id,
        "RINGGRAD_STORE_TOKEN": job.token,
        "RINGGRAD_ERROR_FILE": error_file,
    }


def base_environment(job: Job, inherited: Mapping[str, str]) -> dict[str, str]:
    """The launcher's own environment without a foreign MPI identity, with one thread per rank unless the user said otherwise, and with the
    aliases for torch where they were asked for."""
    environment = {name: value for name, value in inherited.items() if not name.startswith((*MPI_IDENTITY, "RINGGRAD_STORE_FD"))}
    if sets_omp_threads(job, inherited):
        environment["OMP_NUM_THREADS"] = "1"
    if job.aliases is not None:
        others = [path for path in inherited.get("PYTHONPATH", "").split(os.pathsep) if path and path != job.aliases]
        environment["PYTHONPATH"] = os.pathsep.join([job.aliases, *others])
    return environment


def sets_omp_threads(job: Job, inherited: Mapping[str, str]) -> bool:
    """Several ranks with a full set of threads each would fight for the cores, so OMP_NUM_THREADS becomes 1, as under torchrun."""
    return job.nproc > 1 and "OMP_NUM_THREADS" not in inherited


def mpirun_environment(base: Mapping[str, str], folder: str) -> dict[str, str]:
    """`base` for mpirun itself: on this machine only, as root too, more ranks than cores allowed, its temporary files in `folder`.

    The Open MPI variables (version 4, then 5) mean nothing to MPICH, and HYDRA_LAUNCHER nothing to Open MPI, so nobody has to ask which
    one it is. Batch variables are withheld because both would otherwise start the ranks through the batch system; the ranks get them back.
    """
    environment = {name: value for name, value in base.items() if not name.startswith(BATCH_SYSTEM)}
    return environment | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "HYDRA_LAUNCHER": "fork",
        "TMPDIR": folder,
    }


def mpirun_command(mpirun: str, nproc: int, socket_path: str, launcher: int) -> list[str]:
    """mpirun with one seat per rank (`_seat.py`). -I -S: the seat needs neither the user's packages nor the current folder."""
    seat = (sys.executable, "-I", "-S", str(_HERE / "_seat.py"), socket_path)
    return program_command(Program("command", mpirun, ("-n", str(nproc), *seat)), launcher)


def program_command(program: Program, launcher: int) -> list[str]:
    """The command line of one rank: every program begins as `_worker.py`, which binds it to the life of process `launcher`."""
    isolated = ["-I", "-S"] if program.kind == "command" else []
    return [sys.executable, *isolated, str(_HERE / "_worker.py"), str(launcher), program.kind, program.target, *program.arguments]


def wants_mpirun(choice: str, nproc_text: str, nproc: int, nnodes: int, gpus: int) -> bool:
    """Whether the ranks need MPI to reach each other: more than one rank, and no GPU (and so no NCCL) in use.

    choice: --mpi; nproc_text: --nproc-per-node as written ("cpu" means CPU ranks even beside GPUs); gpus: how many are visible here.
    Raises LaunchError where MPI would have to span several launchers, which it cannot.
    """
    if choice == "none" or (choice == "auto" and nnodes * nproc == 1):
        return False
    wanted = choice != "auto" or nproc_text == "cpu" or gpus == 0
    if wanted and nnodes > 1:
        raise LaunchError(
            f"--nnodes {nnodes} with CPU ranks: MPI connects them, and one MPI job cannot span several launchers; start them on all nodes "
            f"with your own mpirun (`mpirun -n {nnodes * nproc} --host ... python script.py`), or use --mpi none if the script needs no MPI"
        )
    return wanted


def route(job: Job, local_rank: int, stream: int) -> Route:
    """Where `stream` (1 = stdout, 2 = stderr) of a local rank goes: --tee shows and writes, --redirects only writes."""
    teed = bool(job.tee[local_rank] & stream)
    redirected = bool(job.redirects[local_rank] & stream)
    hidden = job.shown is not None and local_rank not in job.shown
    return Route(console=(teed or not redirected) and not hidden, file=teed or redirected)


def prefix(job: Job, local_rank: int) -> str:
    """What stands before each line of a rank: nothing for a single rank, unless a template was asked for."""
    template = job.prefix_template
    if template is None:
        if job.nproc == 1:
            return ""
        template = DEFAULT_PREFIX
    names = {"role_name": job.role, "rank": job.rank(local_rank), "local_rank": local_rank}
    try:
        return string.Template(template).substitute(names)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${{{name}}}" for name in names)
        raise LaunchError(f"--log-line-prefix-template {template}: {error}; it may contain {known}, and a plain $ is written $$") from None

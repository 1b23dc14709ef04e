"""Which rank am I? The environment variables of five launchers, translated once into one `Environment`.

Order of precedence, per job: arguments given by the caller; torchrun's RANK and WORLD_SIZE (ringgrad-run sets them too);
Open MPI; MPICH and Intel MPI (PMI); MVAPICH; Slurm's srun. No variables at all is plain python: one rank.

Contracts: https://docs.pytorch.org/docs/stable/elastic/run.html (environment variables), Open MPI `mpirun(1)`,
MPICH's hydra process manager, MVAPICH user guide, `srun(1)` output environment variables.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_PORT = 29500  # torchrun's


@dataclass(frozen=True)
class Environment:
    """The place of this process in the job.

    rank, world_size: of all processes.  local_rank, local_world_size: among the processes of this machine.
    master_addr, master_port: where rank 0 listens for the rendezvous, None where nobody said.
    started_by: 'python', 'torchrun', 'openmpi', 'mpich', 'mvapich', 'slurm' or 'arguments': who said which rank this is.
    mpi_world_size: number of processes an MPI launcher started, None where the variables show no MPI launcher.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    master_addr: str | None = None
    master_port: int | None = None
    started_by: str = "python"
    mpi_world_size: int | None = None

    @property
    def several_nodes(self) -> bool:
        """Whether the job has processes on more than one machine, as far as the variables tell."""
        return self.world_size > self.local_world_size


@dataclass(frozen=True)
class _Launcher:
    """The names under which one launcher tells each process its place; several names: the first that is set counts."""

    name: str
    rank: str
    world_size: tuple[str, ...]
    local_rank: str
    local_world_size: tuple[str, ...]
    is_mpi: bool
    needs: tuple[str, ...] = ()  # at least one must be set, or the launcher's other variables mean nothing


_TORCHRUN = _Launcher("torchrun", "RANK", ("WORLD_SIZE",), "LOCAL_RANK", ("LOCAL_WORLD_SIZE",), is_mpi=False)
_MPI_LAUNCHERS = (
    _Launcher(
        "openmpi",
        "OMPI_COMM_WORLD_RANK",
        ("OMPI_COMM_WORLD_SIZE",),
        "OMPI_COMM_WORLD_LOCAL_RANK",
        ("OMPI_COMM_WORLD_LOCAL_SIZE",),
        is_mpi=True,
    ),
    _Launcher(
        "mvapich", "MV2_COMM_WORLD_RANK", ("MV2_COMM_WORLD_SIZE",), "MV2_COMM_WORLD_LOCAL_RANK", ("MV2_COMM_WORLD_LOCAL_SIZE",), is_mpi=True
    ),
    _Launcher("mpich", "PMI_RANK", ("PMI_SIZE",), "MPI_LOCALRANKID", ("MPI_LOCALNRANKS",), is_mpi=True),
)
# Inside an sbatch script or an salloc shell SLURM_PROCID and SLURM_NTASKS are set although nothing was started by srun;
# only srun sets the step's variables.
_SLURM = _Launcher(
    "slurm",
    "SLURM_PROCID",
    ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
    "SLURM_LOCALID",
    ("SLURM_STEP_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE"),
    is_mpi=False,
    needs=("SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID"),
)


def read(rank: int = -1, world_size: int = -1, environ: Mapping[str, str] | None = None) -> Environment:
    """The place of this process, from the caller's arguments (-1: not given) and from environment variables.

    environ: defaults to os.environ.  ValueError: a variable is missing (named), is no integer, or contradicts another one.
    """
    environ = os.environ if environ is None else environ
    launcher = _find_launcher(environ, rank, world_size)
    mpi = next((each for each in _MPI_LAUNCHERS if _speaks(each, environ)), None)
    mpi_size = _integer(environ, mpi.world_size[0]) if mpi and environ.get(mpi.world_size[0]) else None
    if launcher is None and rank < 0 and world_size < 0:
        return Environment(master_addr=environ.get("MASTER_ADDR"), master_port=_port(environ))

    found_rank = rank if rank >= 0 else _required(environ, launcher.rank if launcher else "RANK", "rank")
    found_size = world_size if world_size >= 0 else _required(environ, _first_set(launcher, environ), "world_size")
    _check_range(found_rank, found_size, launcher, rank, world_size)
    if launcher is _TORCHRUN and mpi is not None and rank < 0 and world_size < 0:
        _check_no_contradiction(environ, mpi, found_rank, found_size)
    local_rank, local_size = _local_place(environ, launcher or _TORCHRUN, found_rank, found_size)
    environment = Environment(
        rank=found_rank,
        world_size=found_size,
        local_rank=local_rank,
        local_world_size=local_size,
        master_addr=_master_addr(environ, launcher),
        master_port=_port(environ) or (_slurm_port(environ) if launcher is _SLURM else None),
        started_by=launcher.name if launcher else "arguments",
        mpi_world_size=mpi_size,
    )
    _check_master(environment)
    return environment


def first_host(nodelist: str) -> str:
    """The first host of Slurm's compressed list: 'node[03-05,9],gpu7' -> 'node03'.  ValueError for an empty or broken list.

    Source: slurm.conf(5) and scontrol(1), 'show hostnames'.
    """
    entry = re.match(r"(?:[^,\[\]\s]|\[[^\[\]]+\])+", nodelist.strip())
    host = re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", entry.group()) if entry else ""
    if not host or nodelist.count("[") != nodelist.count("]"):
        raise ValueError(f"cannot read the first host from the Slurm node list {nodelist!r}; set MASTER_ADDR to the host of rank 0")
    return host


def _speaks(launcher: _Launcher, environ: Mapping[str, str]) -> bool:
    has_step = not launcher.needs or any(environ.get(name) for name in launcher.needs)
    return has_step and bool(environ.get(launcher.rank) or (launcher.is_mpi and environ.get(launcher.world_size[0])))


def _find_launcher(environ: Mapping[str, str], rank: int, world_size: int) -> _Launcher | None:
    """Whose variables count: torchrun's if either is set, else the first launcher whose rank variable is set."""
    if environ.get("RANK") or environ.get("WORLD_SIZE"):
        return _TORCHRUN
    return next((each for each in (*_MPI_LAUNCHERS, _SLURM) if _speaks(each, environ)), None)


def _first_set(launcher: _Launcher | None, environ: Mapping[str, str]) -> str:
    names = launcher.world_size if launcher else ("WORLD_SIZE",)
    return next((name for name in names if environ.get(name)), names[0])


def _integer(environ: Mapping[str, str], name: str) -> int:
    text = environ[name].strip()
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"environment variable {name} must be an integer, but is {environ[name]!r}") from None
    if value < 0:
        raise ValueError(f"environment variable {name} must not be negative, but is {value}")
    return value


def _required(environ: Mapping[str, str], name: str, argument: str) -> int:
    if not environ.get(name):
        raise ValueError(
            f"Error initializing ringgrad.distributed using env:// rendezvous: environment variable {name} expected, but not set; "
            f"start the script with ringgrad-run or mpirun, set {name}, or pass init_process_group({argument}=...)"
        )
    return _integer(environ, name)


def _check_range(rank: int, world_size: int, launcher: _Launcher | None, given_rank: int, given_size: int) -> None:
    rank_name = "rank" if given_rank >= 0 or launcher is None else launcher.rank
    size_name = "world_size" if given_size >= 0 or launcher is None else launcher.world_size[0]
    if world_size < 1:
        raise ValueError(f"{size_name} must be at least 1, but is {world_size}")
    if rank >= world_size:
        raise ValueError(
            f"{rank_name} is {rank} but {size_name} is {world_size}: ranks go from 0 to {world_size - 1}; "
            f"lower {rank_name} or raise {size_name}"
        )


def _check_no_contradiction(environ: Mapping[str, str], mpi: _Launcher, rank: int, world_size: int) -> None:
    """RANK and WORLD_SIZE left over in a shell or an image would make every rank of an mpirun train alone, silently."""
    if environ.get("TORCHELASTIC_RUN_ID") or not (environ.get(mpi.rank) and environ.get(mpi.world_size[0])):
        return  # a launcher of torchrun's kind stands behind them, and may run inside an MPI job
    mpi_rank, mpi_size = _integer(environ, mpi.rank), _integer(environ, mpi.world_size[0])
    if (mpi_rank, mpi_size) != (rank, world_size):
        raise ValueError(
            f"RANK={rank} and WORLD_SIZE={world_size} are set, but {mpi.rank}={mpi_rank} and {mpi.world_size[0]}={mpi_size} "
            f"say that mpirun started rank {mpi_rank} of {mpi_size}; unset RANK and WORLD_SIZE, or start without mpirun"
        )


def _local_place(environ: Mapping[str, str], launcher: _Launcher, rank: int, world_size: int) -> tuple[int, int]:
    """Local rank and number of local ranks; without a word about them all ranks are on this machine."""
    size_name = next((name for name in launcher.local_world_size if environ.get(name)), None)
    local_size = _tasks_on_first_node(environ, size_name) if size_name else world_size
    local_size = min(local_size, world_size)
    local_rank = _integer(environ, launcher.local_rank) if environ.get(launcher.local_rank) else rank % max(local_size, 1)
    if local_rank >= local_size and size_name:
        raise ValueError(
            f"{launcher.local_rank} is {local_rank} but {size_name} is {local_size}: local ranks go from 0 to {local_size - 1}"
        )
    return local_rank, max(local_size, local_rank + 1)


def _tasks_on_first_node(environ: Mapping[str, str], name: str) -> int:
    """Slurm counts per node as '2(x3),1'; everybody else writes a plain number."""
    first = re.fullmatch(r"(\d+)(?:\(x\d+\))?(?:,.*)?", environ[name]) if name.startswith("SLURM_") else None
    return int(first.group(1)) if first else _integer(environ, name)


def _port(environ: Mapping[str, str]) -> int | None:
    if not environ.get("MASTER_PORT"):
        return None
    port = _integer(environ, "MASTER_PORT")
    if not 1 <= port <= 65535:
        raise ValueError(f"MASTER_PORT must be from 1 to 65535, but is {port}")
    return port


def _slurm_port(environ: Mapping[str, str]) -> int | None:
    """A port that every task of a job step computes alike and two steps on one machine do not share (outside the ephemeral range)."""
    job = environ.get("SLURM_JOB_ID", "")
    step = environ.get("SLURM_STEP_ID", "0")
    return 10000 + (int(job) * 7 + int(step)) % 20000 if job.isdigit() and step.isdigit() else None


def _master_addr(environ: Mapping[str, str], launcher: _Launcher | None) -> str | None:
    if environ.get("MASTER_ADDR"):
        return environ["MASTER_ADDR"]
    if launcher is _SLURM and environ.get("SLURM_STEP_NODELIST"):
        return first_host(environ["SLURM_STEP_NODELIST"])
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine: localhost, 127.x.x.x or ::1."""
    return host.lower() in ("localhost", "localhost.localdomain", "::1", "ip6-localhost") or host.startswith("127.")


def _check_master(environment: Environment) -> None:
    if environment.several_nodes and environment.master_addr and is_loopback(environment.master_addr):
        nodes = -(-environment.world_size // environment.local_world_size)
        raise ValueError(
            f"MASTER_ADDR is {environment.master_addr!r}, but the job has {environment.world_size} ranks of which "
            f"{environment.local_world_size} run on this machine, so about {nodes} machines: the others would look for rank 0 "
            f"on themselves and wait for ever; set MASTER_ADDR to the host name of rank 0's machine"
        )

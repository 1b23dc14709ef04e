"""The command line: flags, checked together and turned into a `Job`.

Bad input ends with a sentence on stderr and exit code 2, before anything is started.
"""
from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence

from . import _machine, elastic, plan
from ._flags import make_parser
from ._parse import (
    is_loopback,
    parse_endpoint,
    parse_local_ranks,
    parse_nnodes,
    parse_nproc,
    parse_settings,
    parse_signals,
    parse_streams,
)
from ._program import aliases_for_torch, find_program
from .plan import Job, LaunchError


def make_job(arguments: Sequence[str], environment: Mapping[str, str]) -> Job:
    """Command line -> Job. Asks this machine for its GPUs, cores and mpirun; raises LaunchError for what cannot be done."""
    flags = make_parser(environment).parse_args(arguments)
    nnodes = parse_nnodes(flags.nnodes)
    if flags.standalone and nnodes > 1:
        raise LaunchError(f"--standalone means one machine, and --nnodes is {nnodes}; use --master-addr and --master-port for several")
    _check_ranges(flags, nnodes)
    settings = parse_settings(flags.rdzv_conf)
    node_rank = _node_rank(flags, nnodes, settings, environment)
    master_addr, master_port = _master(flags, nnodes)
    gpus = 0 if flags.nproc_per_node == "cpu" else _machine.gpu_count()
    nproc = parse_nproc(flags.nproc_per_node, gpus, _machine.cpu_count())
    job = Job(
        program=find_program(_kind(flags), flags.training_script, flags.training_script_args),
        nproc=nproc,
        gpus=gpus,
        nnodes=nnodes,
        node_rank=node_rank,
        master_addr=master_addr,
        master_port=master_port,
        mpirun=_mpirun(flags.mpi, nproc) if plan.wants_mpirun(flags.mpi, flags.nproc_per_node, nproc, nnodes, gpus) else None,
        max_restarts=flags.max_restarts,
        monitor_interval_s=flags.monitor_interval,
        shutdown_timeout_s=flags.shutdown_timeout,
        signals=parse_signals(flags.signals_to_handle),
        role=flags.role,
        run_id=flags.rdzv_id if flags.rdzv_id and not flags.standalone else _new_run_id(nnodes),
        token=_token(nnodes, environment),
        log_dir=flags.log_dir,
        redirects=parse_streams("--redirects", flags.redirects, nproc),
        tee=parse_streams("--tee", flags.tee, nproc),
        shown=parse_local_ranks("--local-ranks-filter", flags.local_ranks_filter, nproc),
        prefix_template=flags.log_line_prefix_template,
        aliases=aliases_for_torch() if flags.as_torch else None,
    )
    plan.prefix(job, 0)  # a template that cannot be filled in is found here
    return job


def _kind(flags: argparse.Namespace) -> str:
    if flags.module and flags.no_python:
        raise LaunchError("--module and --no-python exclude each other: the first runs Python, the second does not")
    return "module" if flags.module else "command" if flags.no_python and not flags.run_path else "script"


def _check_ranges(flags: argparse.Namespace, nnodes: int) -> None:
    if flags.max_restarts < 0:
        raise LaunchError(f"--max-restarts {flags.max_restarts}: expected 0 or more")
    if flags.max_restarts and nnodes > 1:
        raise LaunchError(
            f"--max-restarts {flags.max_restarts} with --nnodes {nnodes}: launchers on several machines do not restart together yet; "
            "leave it at 0 and let the batch system start the job again"
        )
    if flags.mpi not in ("auto", "mpirun", "none") and "/" not in flags.mpi:
        raise LaunchError(f"--mpi {flags.mpi}: expected auto, mpirun, none, or the path of an mpirun such as /opt/mpi/bin/mpirun")
    if not flags.monitor_interval > 0:
        raise LaunchError(f"--monitor-interval {flags.monitor_interval}: expected seconds, more than 0")
    if flags.shutdown_timeout is not None and flags.shutdown_timeout < 0:
        raise LaunchError(f"--shutdown-timeout {flags.shutdown_timeout}: expected seconds, 0 or more")
    if flags.start_method != "spawn":
        raise LaunchError(f"--start-method {flags.start_method}: every rank is a new interpreter, which is spawn; leave the flag out")
    if flags.rdzv_backend not in ("static", "c10d"):
        raise LaunchError(f"--rdzv-backend {flags.rdzv_backend}: expected static or c10d; either way node 0 listens at the master address")


def _node_rank(flags: argparse.Namespace, nnodes: int, settings: Mapping[str, str], environment: Mapping[str, str]) -> int:
    default = environment.get("SLURM_NODEID") if nnodes > 1 else "0"
    text = flags.node_rank if flags.node_rank is not None else settings.get("rank", default)
    if text is None:
        raise LaunchError(f"--nnodes {nnodes} needs --node-rank: 0 on the machine with the master address, 1 to {nnodes - 1} on the others")
    if not str(text).isdigit() or int(text) >= nnodes:
        raise LaunchError(f"--node-rank {text}: with --nnodes {nnodes} it goes from 0 to {nnodes - 1}")
    return int(text)


def _master(flags: argparse.Namespace, nnodes: int) -> tuple[str, int]:
    """The master address and port; port 0 stands for a free one."""
    if flags.standalone:
        return "127.0.0.1", 0
    endpoint_host, endpoint_port = parse_endpoint(flags.rdzv_endpoint) if flags.rdzv_endpoint else (None, None)
    host = flags.master_addr or endpoint_host
    port = flags.master_port if flags.master_port is not None else endpoint_port
    if port is not None and not 0 <= port < 65536:
        raise LaunchError(f"--master-port {port}: ports go from 1 to 65535 (0: a free one)")
    if nnodes == 1:
        return (host or "127.0.0.1").strip("[]"), port or 0
    if host is None or is_loopback(host):
        given = f"--master-addr {host} means each machine itself" if host else "no --master-addr is given"
        raise LaunchError(f"--nnodes {nnodes}, but {given}: give the address at which every node reaches node 0")
    if not port:
        raise LaunchError(f"--nnodes {nnodes} needs --master-port, the same on every node (29500 is customary)")
    return host.strip("[]"), port


def _mpirun(choice: str, nproc: int) -> str:
    if "/" in choice:
        if not os.access(choice, os.X_OK) or os.path.isdir(choice):
            raise LaunchError(f"--mpi {choice}: there is no such program; --mpi mpirun looks beside {sys.executable} and on PATH")
        return os.path.abspath(choice)
    path = _machine.find_mpirun()
    if path is None:
        raise LaunchError(
            f"{nproc} CPU ranks are started through mpirun, and there is none beside {sys.executable} or on PATH: "
            "`pip install ringgrad[mpi]` brings one; or use --nproc-per-node 1, or --mpi none for processes without MPI"
        )
    return path


def _new_run_id(nnodes: int) -> str:
    """A name that sorts by time and does not repeat; on several nodes, where it could not be the same, torchrun's "none"."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}" if nnodes == 1 else "none"


def _token(nnodes: int, environment: Mapping[str, str]) -> str:
    token = environment.get("RINGGRAD_STORE_TOKEN", "")
    if token or nnodes == 1:
        return token or secrets.token_hex(16)
    raise LaunchError(
        f"--nnodes {nnodes} needs a secret that the ranks of all nodes share: set RINGGRAD_STORE_TOKEN to the same value on each "
        "(`openssl rand -hex 16` makes one)"
    )


def remarks(job: Job, environment: Mapping[str, str]) -> list[str]:
    """What the user should know before the ranks start."""
    found = []
    if plan.sets_omp_threads(job, environment):
        found.append(f"OMP_NUM_THREADS is not set: each of the {job.nproc} ranks here gets 1 thread; set it for more")
    if 0 < job.gpus < job.nproc and job.mpirun is None:
        found.append(f"{job.nproc} ranks on {job.gpus} GPU{'s' if job.gpus > 1 else ''}: not every rank has one of its own")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """`ringgrad-run`: run the command line `arguments` (default: this process's) and return the exit code."""
    try:
        job = make_job(sys.argv[1:] if arguments is None else arguments, os.environ)
        for remark in remarks(job, os.environ):
            print(f"ringgrad-run: {remark}", file=sys.stderr, flush=True)
        return elastic.run(job)
    except LaunchError as error:
        print(f"ringgrad-run: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

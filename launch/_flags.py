"""torchrun's flags, and a few of our own, as an argument parser.

Every flag may be spelled with underscores (`--nproc_per_node`) and has a default in the environment (`PET_NPROC_PER_NODE`), as with
torchrun. A bad flag ends the launcher with a sentence and exit code 2.
"""
from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NoReturn

_UNSUPPORTED = {
    "--event-log-handler": "there are no event handlers; --log-dir keeps an error.json per rank",
    "--logs-specs": "log files are laid out as torchrun does by default; see --log-dir",
    "--numa-binding": "start the launcher under numactl instead",
    "--virtual-local-rank": "CUDA_VISIBLE_DEVICES is left alone; use LOCAL_RANK to choose the device",
    "--duplicate-stdout-filters": "use --tee 1 and search the log files",
    "--duplicate-stderr-filters": "use --tee 2 and search the log files",
}


_SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT"
_WHICH = "1 stdout, 2 stderr, 3 both, or by local rank: 0:3,1:2"
_LAYOUT = "<DIR>/<run id>/attempt_<k>/<local rank>/"
_YES = {"action": "store_true"}

_FLAGS: dict[str, dict[str, Any]] = {
    "--nproc-per-node": {"default": "1", "metavar": "N", "help": "ranks here: a number, gpu, cpu, auto (all GPUs, else all cores)"},
    "--nnodes": {"default": "1", "metavar": "N", "help": "number of machines; default 1"},
    "--node-rank": {"type": int, "metavar": "R", "help": "number of this machine, from 0; default SLURM_NODEID under Slurm"},
    "--master-addr": {"metavar": "HOST", "help": "address of node 0; default 127.0.0.1"},
    "--master-port": {"type": int, "metavar": "PORT", "help": "port on node 0; on one machine 0, the default, takes a free one"},
    "--standalone": {**_YES, "help": "one machine, a free port, a new run id"},
    "--mpi": {"default": "auto", "metavar": "HOW", "help": "mpirun, path of an mpirun, none, or auto: mpirun for several ranks, no GPU"},
    "--max-restarts": {"type": int, "default": 0, "metavar": "N", "help": "restart all ranks after a failure, at most N times; default 0"},
    "--monitor-interval": {"type": float, "default": 0.1, "metavar": "SECONDS", "help": "how often to look at the ranks; default 0.1"},
    "--shutdown-timeout": {"type": float, "metavar": "SECONDS", "help": "until SIGKILL; default 30 after a signal, 3 after a failure"},
    "--signals-to-handle": {"default": _SIGNALS, "metavar": "NAMES", "help": f"signals to pass on; default {_SIGNALS}"},
    "-m --module": {**_YES, "help": "run a module, as python -m does"},
    "--as-torch": {**_YES, "help": "the program was written for torch: `import torch` and `import torchvision` give it ringgrad"},
    "--no-python": {**_YES, "help": "run a program that is not a Python script"},
    "--run-path": {**_YES, "help": "accepted: scripts always run inside the rank's first interpreter"},
    "--log-dir": {"metavar": "DIR", "help": f"keep {_LAYOUT} with stdout.log, stderr.log and error.json"},
    "-r --redirects": {"default": "0", "metavar": "WHICH", "help": f"write to log files only: {_WHICH}"},
    "-t --tee": {"default": "0", "metavar": "WHICH", "help": "write to log files and show; same forms"},
    "--local-ranks-filter": {"default": "", "metavar": "RANKS", "help": "show the output of these local ranks only, such as 0,1"},
    "--role": {"default": "default", "help": "name of these ranks, for ROLE_NAME and prefixes"},
    "--rdzv-backend": {"default": "static", "metavar": "NAME", "help": "static or c10d: node 0 listens at the master address"},
    "--rdzv-endpoint": {"default": "", "metavar": "HOST:PORT", "help": "--master-addr and --master-port in one"},
    "--rdzv-id": {"metavar": "ID", "help": "run id, for TORCHELASTIC_RUN_ID and the log folder"},
    "--rdzv-conf": {"default": "", "metavar": "K=V,...", "help": "rank=R stands for --node-rank R; other settings have no effect"},
    "--start-method": {"default": "spawn", "metavar": "NAME", "help": "accepted: spawn; every rank is a new interpreter"},
    "--local-addr": {"metavar": "HOST", "help": "accepted; node 0 is reached at its master address"},
}


class _Parser(argparse.ArgumentParser):
    """argparse with torchrun's spellings and environment defaults, and errors in the launcher's own form."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(
            prog="ringgrad-run",
            description="Start one process per GPU (or CPU rank) on this machine, watch them, and end them together.",
            allow_abbrev=False,
        )
        self._environment = environment

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ringgrad-run: {message} (ringgrad-run --help lists the flags)\n")

    def flag(self, *names: str, default: Any = None, **options: Any) -> None:
        """Add a flag; its environment variable is PET_ and the longest name in capitals."""
        longest = max(names, key=len).lstrip("-")
        variable = "PET_" + longest.replace("-", "_").upper()
        value = self._environment.get(variable)
        if options.get("action") == "store_true":
            default = value not in (None, "", "0")
        elif value is not None:
            default = value
        spellings = dict.fromkeys([*names, *("--" + name[2:].replace("-", "_") for name in names if name.startswith("--"))])
        self.add_argument(*spellings, default=default, **options)


class _Refuse(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name = str(option_string).replace("_", "-")
        parser.error(f"{name} is a flag of torchrun that is not supported here: {_UNSUPPORTED[name]}")


def make_parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser; `environment` gives the PET_* defaults."""
    parser = _Parser(environment)
    for names, options in _FLAGS.items():
        parser.flag(*names.split(), **options)
    template = environment.get("TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE")
    parser.flag(
        "--log-line-prefix-template", default=template, metavar="TEXT",
        help="before each line, with ${role_name}, ${rank}, ${local_rank}; default '[rank${rank}]: ', nothing for one rank",
    )
    for name in _UNSUPPORTED:
        parser.add_argument(name, name.replace("-", "_").replace("__", "--", 1), action=_Refuse, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("training_script", help="script, module (-m) or program (--no-python), followed by its own arguments")
    parser.add_argument("training_script_args", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser

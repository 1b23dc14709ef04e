"""The values of flags: text -> value, or a sentence that says what was expected."""
from __future__ import annotations

import re
import signal
from collections.abc import Collection

from .plan import LaunchError


def parse_nnodes(text: str) -> int:
    """"N" or "N:N" -> N; a real range is refused."""
    match = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    if not match:
        raise LaunchError(f"--nnodes {text}: expected a number of machines N (or N:N)")
    low, high = int(match[1]), int(match[2] or match[1])
    if low != high:
        raise LaunchError(f"--nnodes {text}: a number that changes during the run is not supported yet; give one, such as --nnodes {high}")
    if low < 1:
        raise LaunchError(f"--nnodes {text}: at least one machine is needed")
    return low


def parse_nproc(text: str, gpus: int, cpus: int) -> int:
    """--nproc-per-node -> number of ranks here. "auto" means every GPU, or every core where there is none."""
    if text == "gpu" and not gpus:
        raise LaunchError("--nproc-per-node gpu: no GPU is visible here (CUDA_VISIBLE_DEVICES empty? no driver?); use cpu or a number")
    named = {"cpu": cpus, "gpu": gpus, "auto": gpus or cpus}
    if text in named:
        return named[text]
    if not re.fullmatch(r"[+-]?\d+", text):
        raise LaunchError(f"--nproc-per-node {text}: expected a number, auto, cpu or gpu")
    if int(text) < 1:
        raise LaunchError(f"--nproc-per-node {text}: at least one process per node is needed")
    return int(text)


def parse_streams(flag: str, text: str, nproc: int) -> tuple[int, ...]:
    """torchrun's form of --redirects and --tee: "3" for all ranks, or "0:3,1:1" by local rank (1 = stdout, 2 = stderr, 3 = both)."""
    if re.fullmatch(r"[0-3]", text):
        return (int(text),) * nproc
    if not re.fullmatch(r"\d+:[0-3](,\d+:[0-3])*", text):
        raise LaunchError(f"{flag} {text}: expected 0, 1 (stdout), 2 (stderr) or 3 (both), or a list by local rank such as 0:3,1:2")
    chosen = {int(rank): int(mask) for rank, mask in (item.split(":") for item in text.split(","))}
    _check_local_ranks(flag, text, chosen, nproc)
    return tuple(chosen.get(local_rank, 0) for local_rank in range(nproc))


def parse_local_ranks(flag: str, text: str, nproc: int) -> frozenset[int] | None:
    """"0,2" -> {0, 2}; "" -> None, which means all."""
    if not text:
        return None
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise LaunchError(f"{flag} {text}: expected local ranks with commas between them, such as 0,2")
    ranks = frozenset(int(item) for item in text.split(","))
    _check_local_ranks(flag, text, ranks, nproc)
    return ranks


def _check_local_ranks(flag: str, text: str, ranks: Collection[int], nproc: int) -> None:
    if max(ranks) >= nproc:
        raise LaunchError(f"{flag} {text}: there is no local rank {max(ranks)}; with --nproc-per-node {nproc} the last one is {nproc - 1}")


def parse_endpoint(text: str) -> tuple[str, int | None]:
    """"host:port", "host" or "[ipv6]:port" -> (host, port or None)."""
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+)(?::(\d+))?", text)
    if not match:
        raise LaunchError(f"--rdzv-endpoint {text}: expected host:port, such as node0:29500")
    return match[1].strip("[]"), int(match[2]) if match[2] else None


def parse_settings(text: str) -> dict[str, str]:
    """--rdzv-conf "key=value,key=value" -> dict."""
    items = [item.partition("=") for item in text.split(",") if item.strip()]
    wrong = next((key for key, equals, _ in items if not (key.strip() and equals)), None)
    if wrong is not None:
        raise LaunchError(f"--rdzv-conf {text}: expected key=value,key=value, and `{wrong}` is not of this form")
    return {key.strip(): value.strip() for key, _, value in items}


def parse_signals(text: str) -> tuple[signal.Signals, ...]:
    """"SIGTERM,SIGUSR1" -> signals."""
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in signal.Signals.__members__:
            raise LaunchError(f"--signals-to-handle {text}: there is no signal {name}; names look like SIGTERM, SIGINT, SIGUSR1")
        if name in ("SIGKILL", "SIGSTOP"):
            raise LaunchError(f"--signals-to-handle {text}: {name} cannot be handled by any process; leave it out")
    return tuple(signal.Signals[name] for name in names)


def is_loopback(host: str) -> bool:
    """Whether a master address as written means "this machine", and so cannot be reached from another node."""
    return host in ("", "localhost", "::1", "ip6-localhost", "0.0.0.0", "::") or host.startswith("127.")

"""Small tools for child processes: watched without being reaped, killed as a group."""
from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress


def exit_status(process: subprocess.Popen) -> int | None:
    """Popen's return code without reaping: None while it runs, -n after signal n.

    An unreaped process keeps its number, so a later `kill_group` cannot hit a stranger.
    """
    if process.returncode is not None:
        return process.returncode
    result = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def kill_group(leader: int, signum: int = signal.SIGKILL) -> None:
    """Send a signal to a process and everything it has started in its group; nothing happens when nobody is left."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        os.killpg(leader, signum)


def open_process(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, where the system has such a thing."""
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:  # an old kernel, or a sandbox that forbids the call
        return None

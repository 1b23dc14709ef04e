"""A small process that outlives a killed launcher by a moment and sweeps up: process groups, then files.

The kernel's parent-death signal already ends the ranks themselves. What it does not reach are their own children and mpirun's helpers.
The launcher writes to the guardian's standard input: `group PID` for each process group, `file PATH`, `folder PATH`, and `done`
when it has swept up itself. End of file without `done` means that the launcher died.
"""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


class Guardian:
    """The launcher's end. Use as a context manager; leaving it says `done`, whatever happened inside."""

    def __enter__(self) -> Guardian:
        command = [sys.executable, "-I", "-S", str(Path(__file__))]
        quiet = subprocess.DEVNULL  # it must not hold the launcher's output open
        # A session of its own, because Ctrl-C must not end it before the launcher has finished.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True)
        return self

    def watch_group(self, leader: int) -> None:
        self._tell(f"group {leader}")

    def watch_folder(self, path: str) -> None:
        self._tell(f"folder {path}")

    def watch_file(self, path: str) -> None:
        self._tell(f"file {path}")

    def __exit__(self, *_: object) -> None:
        self._tell("done")
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(os.fsencode(line) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # somebody killed the guardian: the parent-death signal still stands
            pass


def main() -> None:
    groups: list[int] = []
    files: list[str] = []
    folders: list[str] = []
    for line in sys.stdin.buffer:
        word, _, value = os.fsdecode(line).rstrip("\n").partition(" ")
        match word:
            case "group":
                groups.append(int(value))
            case "file":
                files.append(value)
            case "folder":
                folders.append(value)
            case "done":
                return
    for leader in groups:
        with suppress(OSError):  # nobody is left in it
            os.killpg(leader, signal.SIGKILL)
    for path in files:
        with suppress(OSError):
            os.unlink(path)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

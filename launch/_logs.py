"""The ranks' output: cut into whole lines, prefixed, shown on the launcher's own stdout and stderr, and written to log files."""
from __future__ import annotations

import errno
import os
import re
import select
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .plan import STDERR, STDOUT, Job, LaunchError

_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20  # bytes; a longer one is cut, so that a rank that writes binary data cannot fill the launcher's memory
_TAIL_LINES = 20
_ERASE_LINE = b"\r\x1b[K"
_PIECE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")


class LineCutter:
    """Cuts a byte stream into pieces that end with a line feed, or with the carriage return of a progress bar."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces that `data` completes. A carriage return at the very end waits, for a line feed may follow it."""
        self._rest += data
        end = 1 + max(self._rest.rfind(b"\n"), self._rest.rfind(b"\r", 0, len(self._rest) - 1))
        pieces = _PIECE.findall(self._rest[:end])
        self._rest = self._rest[end:]
        if len(self._rest) > _LONGEST_LINE:
            pieces += self.finish()
        return pieces

    def finish(self) -> list[bytes]:
        """What is left at the end of the stream, as a line."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        return [rest + b"\n"] if rest else []


@dataclass(eq=False)
class _Sink:
    """An output file of the launcher. `bar` is the stream whose unfinished progress bar stands on its last line."""

    fd: int
    is_terminal: bool
    bar: Stream | None = None
    lost: bool = False


class Console:
    """The launcher's stdout and stderr, shared by all ranks. A line is written in one piece; bars give way to lines."""

    def __init__(self) -> None:
        out, err = (_Sink(fd, os.isatty(fd)) for fd in (STDOUT, STDERR))
        self._sinks = {STDOUT: out, STDERR: err}
        self._bars = [out, err]
        if _same_file(STDOUT, STDERR):  # 2>&1, or one terminal: a bar on stderr is in the way of a line on stdout
            self._bars = [out]
        self.reader_gone = False

    def show(self, stream: Stream, pieces: list[bytes]) -> None:
        """Write the pieces of one stream, each with its prefix."""
        sink = self._sinks[stream.number]
        last_line = sink if sink in self._bars else self._bars[0]
        text = b""
        for piece in pieces:
            is_bar = piece.endswith(b"\r")
            if is_bar and len(piece) == 1:
                continue
            if last_line.bar is not None and sink.is_terminal:
                text += _ERASE_LINE
            elif last_line.bar not in (None, stream):
                text += b"\n"
            text += stream.prefix + piece
            last_line.bar = stream if is_bar else None
        self._write(sink, text)

    def say(self, text: str) -> None:
        """A word of the launcher's own, on stderr."""
        self.end_bars()
        self._write(self._sinks[STDERR], text.encode(errors="replace") + b"\n")

    def end_bars(self) -> None:
        """Move on from unfinished progress bars, so that the next text starts on a line of its own."""
        for sink in self._bars:
            if sink.bar is not None:
                sink.bar = None
                self._write(sink, b"\n")

    def _write(self, sink: _Sink, text: bytes) -> None:
        view = memoryview(text)
        while view and not sink.lost:
            try:
                view = view[os.write(sink.fd, view):]
            except BlockingIOError:  # whoever gave us this file made it non-blocking
                select.select([], [sink.fd], [])
            except OSError as error:  # closed, or a terminal that is gone: the ranks go on without it
                sink.lost = True
                self.reader_gone |= sink.fd == STDOUT and error.errno == errno.EPIPE


def _same_file(a: int, b: int) -> bool:
    try:
        return os.path.samestat(os.fstat(a), os.fstat(b))
    except OSError:  # one of them is closed
        return False


@dataclass(eq=False)
class Stream:
    """One pipe from a rank: `number` is 1 for stdout and 2 for stderr. `read` is called when the pipe has something."""

    number: int
    fd: int
    prefix: bytes
    console: Console | None
    file: BinaryIO | None
    tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _cutter: LineCutter = field(default_factory=LineCutter)

    def read(self) -> bool:
        """Take what is there and pass it on. False at the end of the stream."""
        data = os.read(self.fd, _CHUNK)
        if data and self.file:
            self.file.write(data)
        pieces = self._cutter.feed(data) if data else self._cutter.finish()
        self.tail.extend(piece for piece in pieces if not piece.endswith(b"\r"))
        if self.console:
            self.console.show(self, pieces)
        return bool(data)

    def close(self) -> None:
        """Stop reading; a line that was never finished is shown as it is."""
        pieces = self._cutter.finish()
        self.tail.extend(pieces)
        if self.console:
            self.console.show(self, pieces)
        os.close(self.fd)
        if self.file:
            self.file.close()


def log_root(job: Job, private_folder: str) -> Path:
    """The folder below which the attempts of this run keep their files: a fresh one in --log-dir, else the launcher's private one.

    --redirects or --tee without --log-dir get a new folder among the temporary files, which stays.
    """
    writes = any(job.redirects) or any(job.tee)
    if job.log_dir is None and not writes:
        return Path(private_folder)
    base = Path(job.log_dir) if job.log_dir is not None else Path(tempfile.mkdtemp(prefix="ringgrad-logs-"))
    name = job.run_id if job.nnodes == 1 else f"{job.run_id}_node{job.node_rank}"
    try:
        return _new_folder(base, name.replace("/", "_"))
    except OSError as error:
        raise LaunchError(f"--log-dir {base}: cannot make a folder there ({error.strerror}); name one that may be written") from None


def _new_folder(base: Path, name: str) -> Path:
    base.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = base / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise LaunchError(f"{base}: there are 10000 runs called {name} already; clear the folder or give another --rdzv-id")


def tail_of_file(path: Path) -> list[bytes]:
    """The last lines of a log file that the rank wrote itself."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _CHUNK))
        return file.read().splitlines(keepends=True)[-_TAIL_LINES:]

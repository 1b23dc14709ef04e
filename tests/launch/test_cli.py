"""The command line: bad input ends with a sentence and code 2 before anything starts; good input becomes the right job."""
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ringgrad.launch import _machine
from ringgrad.launch.cli import make_job, remarks
from ringgrad.launch.plan import Job, LaunchError, Program

NODES = ["--nnodes=2", "--mpi=none"]
MASTER = ["--master-addr=node0", "--master-port=29500"]
TOKEN = {"RINGGRAD_STORE_TOKEN": "ours"}


@pytest.fixture
def job(tmp_path, monkeypatch):
    """job(*arguments, **environment) -> Job, in a folder with train.py in it."""
    (tmp_path / "train.py").touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **environment: make_job(arguments, environment)


SENTENCES = [
    (["nowhere.py"], "there is no script nowhere.py (looked in "),
    (["folder"], "folder is a folder without __main__.py"),
    (["-m", "no_such_module.x"], "there is no module no_such_module.x"),
    (["-m", ""], "there is no module "),
    (["--no-python", "no-such-program"], "there is no program no-such-program"),
    (["--no-python", "./train.py"], "there is no program ./train.py that can be run"),
    (["-m", "--no-python", "train"], "--module and --no-python exclude each other"),
    (["--nproc-per-node=0", "train.py"], "at least one process per node"),
    (["--nproc-per-node=-2", "train.py"], "at least one process per node"),
    (["--max-restarts=-1", "train.py"], "--max-restarts -1: expected 0 or more"),
    (["--monitor-interval=0", "train.py"], "--monitor-interval 0.0: expected seconds, more than 0"),
    (["--shutdown-timeout=-1", "train.py"], "--shutdown-timeout -1.0: expected seconds"),
    (["--start-method=fork", "train.py"], "every rank is a new interpreter"),
    (["--rdzv-backend=etcd", "train.py"], "expected static or c10d"),
    (["--mpi=openmpi", "train.py"], "expected auto, mpirun, none, or the path"),
    (["--mpi=./train.py", "--nproc-per-node=2", "train.py"], "--mpi ./train.py: there is no such program"),
    (["--master-port=70000", "train.py"], "ports go from 1 to 65535"),
    (["--node-rank=1", "train.py"], "--node-rank 1: with --nnodes 1 it goes from 0 to 0"),
    (["--standalone", "--nnodes=2", "train.py"], "--standalone means one machine"),
    (["--log-line-prefix-template=${x}", "train.py"], "it may contain ${role_name}"),
    ([*NODES, "train.py"], "--nnodes 2 needs --node-rank"),
    ([*NODES, "--node-rank=0", "train.py"], "no --master-addr is given"),
    ([*NODES, "--node-rank=0", "--master-addr=localhost", "train.py"], "--master-addr localhost means each machine itself"),
    ([*NODES, "--node-rank=0", "--rdzv-endpoint=127.0.0.1:29500", "train.py"], "--master-addr 127.0.0.1 means each machine itself"),
    ([*NODES, "--node-rank=0", "--master-addr=node0", "train.py"], "--nnodes 2 needs --master-port"),
    ([*NODES, "--node-rank=0", "--master-addr=node0", "--master-port=0", "train.py"], "--nnodes 2 needs --master-port"),
    ([*NODES, "--node-rank=2", *MASTER, "train.py"], "it goes from 0 to 1"),
    ([*NODES, "--node-rank=0", *MASTER, "train.py"], "set RINGGRAD_STORE_TOKEN to the same value on each"),
    ([*NODES, "--node-rank=0", *MASTER, "--max-restarts=1", "train.py"], "do not restart together yet"),
]


@pytest.mark.parametrize(("arguments", "words"), SENTENCES)
def test_bad_input(job, arguments, words):
    with pytest.raises(LaunchError) as caught:
        job(*arguments)
    assert words in str(caught.value)


UNKNOWN = [
    (["--npro=2", "train.py"], "unrecognized arguments: --npro=2"),
    (["--nproc-per-node"], "expected one argument"),
    ([], "required: training_script"),
    (["--node-rank=first", "train.py"], "invalid int value: 'first'"),
    (["--numa-binding=node", "train.py"], "--numa-binding is a flag of torchrun that is not supported here: start the launcher under nu"),
    (["--virtual_local_rank", "train.py"], "--virtual-local-rank is a flag of torchrun that is not supported here"),
]


@pytest.mark.parametrize(("arguments", "words"), UNKNOWN)
def test_unknown_flags(job, capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        job(*arguments)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("ringgrad-run: ")
    assert words in message


def test_nothing_starts_after_bad_input(finished):
    result = finished("print('never')", flags=["--nproc-per-node=0"])
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == "ringgrad-run: --nproc-per-node 0: at least one process per node is needed\n"


def test_help(finished):
    result = finished(None, "--help")
    assert (result.code, result.stderr) == (0, "")
    assert "--nproc-per-node N" in result.stdout


def test_the_port_is_taken(finished):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = finished("print('never')", flags=[f"--master-port={port}"])
    assert (result.code, result.stdout) == (2, "")
    assert f"--master-port {port}: the port is taken on 127.0.0.1 by process {os.getpid()} (" in result.stderr
    assert "--master-port 0 or --standalone" in result.stderr


@pytest.mark.parametrize(
    ("address", "words"), [("192.0.2.1", "this is not an address of this machine"), ("no.such.host.invalid", "give the address of node 0")]
)
def test_a_master_address_that_is_not_here(finished, address, words):
    result = finished("print('never')", flags=[f"--master-addr={address}"])
    assert (result.code, result.stdout) == (2, "")
    assert f"--master-addr {address}: " in result.stderr
    assert words in result.stderr


def test_mpi_is_missing(job, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(LaunchError) as caught:
        job("--nproc-per-node=2", "train.py")
    assert f"2 CPU ranks are started through mpirun, and there is none beside {tmp_path}/python or on PATH" in str(caught.value)
    assert "pip install ringgrad[mpi]" in str(caught.value)
    assert job("--nproc-per-node=1", "train.py").mpirun is None
    assert job("--nproc-per-node=2", "--mpi=none", "train.py").mpirun is None


def test_mpirun_beside_python_comes_first(job, monkeypatch, tmp_path):
    for folder in ("env", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mpirun").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert _machine.find_mpirun() == str(tmp_path / "env" / "mpirun")
    (tmp_path / "env" / "mpirun").unlink()
    assert _machine.find_mpirun() == str(tmp_path / "path" / "mpirun")
    assert job("--nproc-per-node=2", "--mpi=./path/mpirun", "train.py").mpirun == f"{tmp_path}/path/mpirun"


def test_torchruns_spellings(job):
    ours = job("--nproc-per-node=2", "--mpi=none", "--max-restarts=3", "--log-dir=logs", "--rdzv-id=7", "train.py", "--lr", "1")
    spelled = ["--nproc_per_node", "2", "--mpi", "none", "--max_restarts", "3", "--log_dir", "logs", "--rdzv_id", "7"]
    theirs = job(*spelled, "train.py", "--lr", "1")
    environment = {"PET_NPROC_PER_NODE": "2", "PET_MPI": "none", "PET_MAX_RESTARTS": "3", "PET_LOG_DIR": "logs", "PET_RDZV_ID": "7"}
    assert ours.program == Program("script", "train.py", ("--lr", "1"))
    assert len({one.token for one in (ours, theirs)}) == 2  # a secret of each launch
    again = job("train.py", "--lr", "1", **environment)
    assert [vars(one) | {"token": ""} for one in (theirs, again)] == [vars(ours) | {"token": ""}] * 2
    assert job("--max-restarts=1", "train.py", PET_MAX_RESTARTS="2", PET_STANDALONE="1").max_restarts == 1


def test_flags_after_the_script_are_the_scripts(job):
    assert job("train.py", "--nproc-per-node", "3", "--", "-m").program.arguments[:2] == ("--nproc-per-node", "3")
    assert job("-m", "json.tool", "-m").program == Program("module", "json.tool", ("-m",))
    assert job("--no-python", "sh", "-c", "true").program.arguments == ("-c", "true")


@pytest.mark.parametrize(
    "flags",
    [
        ["--node-rank=1", *MASTER],
        ["--node-rank=1", "--rdzv-backend=c10d", "--rdzv-endpoint=node0:29500"],
        ["--rdzv-conf=rank=1,timeout=3", "--rdzv-endpoint=node0", "--master-port=29500"],
    ],
)
def test_several_nodes(job, flags):
    two = job(*NODES, "--nproc-per-node=4", *flags, "train.py", **TOKEN)
    assert (two.nnodes, two.node_rank, two.world_size, two.rank(1)) == (2, 1, 8, 5)
    assert (two.master_addr, two.master_port, two.token, two.run_id) == ("node0", 29500, "ours", "none")


def test_slurm_tells_the_node_rank(job):
    assert job(*NODES, *MASTER, "train.py", SLURM_NODEID="1", **TOKEN).node_rank == 1
    assert job("train.py", SLURM_NODEID="1").node_rank == 0  # one launcher of several jobs


def test_standalone_overrides_the_rendezvous(job):
    one = job("--standalone", "--rdzv-endpoint=node0:29500", "--rdzv-id=7", "train.py")
    assert (one.master_addr, one.master_port) == ("127.0.0.1", 0)
    assert one.run_id != "7"


def test_remarks():
    script = Program("script", "train.py")
    assert "each of the 2 ranks here gets 1 thread" in remarks(Job(script, nproc=2), {})[0]
    assert remarks(Job(script, nproc=2, gpus=2), {"OMP_NUM_THREADS": "1"}) == []
    assert remarks(Job(script, nproc=4, gpus=2), {"OMP_NUM_THREADS": "1"}) == ["4 ranks on 2 GPUs: not every rank has one of its own"]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_no_visible_gpu(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert _machine.gpu_count() == 0


@pytest.mark.gpu
def test_gpus_are_counted():
    if not shutil.which("nvidia-smi"):
        pytest.skip("no nvidia-smi to compare with")
    names = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60).stdout
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    expected = sum(line.startswith("GPU ") for line in names.splitlines()) if visible is None else len(visible.split(","))
    assert output_of("from ringgrad.launch._machine import gpu_count; print(gpu_count())") == str(expected)


def output_of(script, *flags):
    done = subprocess.run([sys.executable, *flags, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_cores_are_those_of_the_affinity_mask():
    one_core = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert output_of(f"{one_core}; from ringgrad.launch._machine import cpu_count; print(cpu_count())") == "1"


def test_the_launcher_is_standard_library_only():
    """With an empty package in place of the framework and without site-packages it imports, and loads nothing but itself."""
    script = f"""
import sys, types
package = types.ModuleType("ringgrad")
package.__path__ = [{str(Path(_machine.__file__).parents[1])!r}]
sys.modules["ringgrad"] = package
import ringgrad.launch.cli
print(*sorted({{name.split(".")[0] for name in sys.modules}} - sys.stdlib_module_names))
"""
    assert output_of(script, "-S").split() == ["__main__", "ringgrad"]

"""Bad input gets the exception torch gives, and a sentence that tells both sides and the way out.

CALLS are made in this process, COMMANDS are started as a user starts them, and RANKS go wrong in the middle of a job under mpirun.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn
from ringgrad.nn import functional
from ringgrad.nn.parallel import DistributedDataParallel
from ringgrad.utils.data import DataLoader, Dataset

TIMEOUT_S = 60


def said(error):
    """What the user reads at the end of a traceback: the message, and the notes under it."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def error_of(call, *args):
    """(exception type, what the user reads) of a call; the exception itself is let go, and with it everything that its frames hold."""
    try:
        call(*args)
    except Exception as error:
        return type(error), said(error)
    pytest.fail("nothing was raised")


def all_in_order(words, text):
    """Whether the words stand in the text one after the other."""
    return re.search(".*".join(map(re.escape, words)), text, re.DOTALL) is not None


# Calls: what, call(folder), exception type, words that must appear in this order


class Broken(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            raise KeyError("sample 5 is broken")
        return float(index)


def damaged(folder, damage):
    """The path of a checkpoint whose bytes have gone through `damage`."""
    path = folder / "model.pt"
    ringgrad.save({"w": ringgrad.arange(100.0)}, path)
    data = bytearray(path.read_bytes())
    path.write_bytes(damage(data, bytes(data).index(np.arange(100, dtype=np.float32).tobytes())))
    return path


def flipped(data, at):
    data[at + 50] ^= 1
    return data


def without_variables(**variables):
    """init_process_group in an environment in which no launcher has set anything but these."""
    def call(_):
        before = dict(os.environ)
        try:
            for name in [name for name in os.environ if name.startswith(("RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "PMI_", "OMPI_", "SLURM_"))]:
                del os.environ[name]
            os.environ.update(variables)
            dist.init_process_group("mpi")
        finally:
            os.environ.clear()
            os.environ.update(before)
    return call


def in_taken_port(_):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        dist.TCPStore("127.0.0.1", other.getsockname()[1], world_size=2, is_master=True)


def state_of(net, **renamed):
    """The net's state dict with some keys renamed."""
    return {renamed.get(key, key): value for key, value in net.state_dict().items()}


CALLS = {
    "batch norm of other channels": (lambda _: nn.BatchNorm2d(3)(ringgrad.ones(2, 4, 5, 5)), RuntimeError,
                                     ["running_mean should contain 4 elements not 3", "[2, 4, 5, 5]", "num_features=4"]),
    "matmul": (lambda _: ringgrad.ones(2, 3) @ ringgrad.ones(4, 5), RuntimeError,
               ["shapes cannot be multiplied (2x3 and 4x5)", "the last dimension of the first, 3, must equal the last but one of the second, 4"]),
    "matmul, transposed": (lambda _: ringgrad.ones(2, 3).mm(ringgrad.ones(5, 3)), RuntimeError,
                           ["(2x3 and 5x3)", "did you mean to transpose one of them?"]),
    "batched matmul": (lambda _: ringgrad.ones(7, 2, 3) @ ringgrad.ones(7, 4, 5), RuntimeError, ["(7x2x3 and 7x4x5)", "3, must equal", "4"]),
    "linear": (lambda _: nn.Linear(512, 10)(ringgrad.ones(2, 784)), RuntimeError,
               ["input has 784 features but weight [10, 512] expects 512", "in_features=784"]),
    "linear, transposed": (lambda _: functional.linear(ringgrad.ones(2, 784), ringgrad.ones(784, 10)), RuntimeError,
                           ["784 features but weight [784, 10] expects 10", "did you transpose the weight?"]),
    "broadcasting": (lambda _: ringgrad.ones(2, 3) + ringgrad.ones(4, 5), RuntimeError,
                     ["The size of tensor a (3) must match the size of tensor b (5)", "[2, 3] and [4, 5]", "must be equal or 1"]),
    "convolution": (lambda _: nn.Conv2d(3, 4, 3)(ringgrad.ones(1, 1, 8, 8)), RuntimeError,
                    ["weight of size [4, 3, 3, 3]", "input[1, 1, 8, 8] to have 3 channels, but got 1"]),
    "loss": (lambda _: functional.cross_entropy(ringgrad.ones(4, 10), ringgrad.zeros(5, dtype=ringgrad.int64)), ValueError,
             ["input batch_size (4)", "target batch_size (5)"]),
    "sizes of a state dict": (lambda _: nn.Linear(3, 4).load_state_dict(nn.Linear(5, 4).state_dict()), RuntimeError,
                              ["size mismatch for weight", "Size([4, 5]) from checkpoint", "current model is", "Size([4, 3])",
                               "checkpoint's sizes", "strict=False"]),
    "keys of a state dict": (lambda _: nn.Linear(3, 4).load_state_dict(state_of(nn.Linear(3, 4), bias="bais")), RuntimeError,
                             ['Missing key(s) in state_dict: "bias"', 'Unexpected key(s) in state_dict: "bais"', "strict=False"]),
    "keys of a wrapped model": (lambda _: nn.Linear(3, 4).load_state_dict(state_of(nn.Linear(3, 4), weight="module.weight", bias="module.bias")),
                                RuntimeError, ['Missing key(s) in state_dict: "weight", "bias"', '"module.weight", "module.bias"',
                                               "DistributedDataParallel", "removeprefix('module.')"]),
    "keys for a wrapped model": (lambda _: nn.ModuleDict({"module": nn.Linear(3, 4)}).load_state_dict({}), RuntimeError,
                                 ['Missing key(s) in state_dict: "module.weight", "module.bias"', "load it into model.module"]),
    "unknown device": (lambda _: ringgrad.ones(3, device="gpu"), RuntimeError, ["Expected one of cpu, cuda", "gpu"]),
    "missing RANK": (without_variables(WORLD_SIZE="2"), ValueError,
                     ["environment variable RANK expected, but not set", "ringgrad-run or mpirun, set RANK, or pass", "rank="]),
    "missing WORLD_SIZE": (without_variables(RANK="0"), ValueError, ["environment variable WORLD_SIZE expected, but not set", "world_size="]),
    "rank and world size": (without_variables(RANK="2", WORLD_SIZE="2"), ValueError,
                            ["RANK is 2 but WORLD_SIZE is 2", "from 0 to 1", "lower RANK or raise WORLD_SIZE"]),
    "no MPI launcher": (without_variables(RANK="0", WORLD_SIZE="2"), RuntimeError,
                        ["over MPI", "2 ranks was not started by an MPI launcher", "ringgrad-run --nproc-per-node 2", "mpirun -n 2"]),
    "no group": (lambda _: dist.all_reduce(ringgrad.ones(3)), ValueError, ["has not been initialized", "init_process_group"]),
    "port taken": (in_taken_port, dist.DistNetworkError, ["port", "on 127.0.0.1 is taken", "EADDRINUSE", "free port", "ringgrad-run"]),
    "truncated checkpoint": (lambda folder: ringgrad.load(damaged(folder, lambda data, at: data[:at + 100])), RuntimeError,
                             ["model.pt is truncated or damaged, its end is missing", "earlier checkpoint"]),
    "altered checkpoint": (lambda folder: ringgrad.load(damaged(folder, flipped)), RuntimeError,
                           ["data/0", "model.pt", "was altered after it was written", "SHA-256", "earlier checkpoint"]),
    "DataLoader worker": (lambda _: list(DataLoader(Broken(), batch_size=4, num_workers=2)), KeyError,
                          ["Caught KeyError in DataLoader worker process 1", "in __getitem__", "sample 5 is broken"]),
}


@pytest.mark.parametrize(("call", "kind", "words"), CALLS.values(), ids=CALLS)
def test_a_call(call, kind, words, tmp_path):
    found, text = error_of(call, tmp_path)
    assert found is kind, text
    assert all_in_order(words, text), text
    assert not dist.is_initialized()


@pytest.mark.skipif(ringgrad.cuda.is_available(), reason="a machine with a GPU has a CUDA device")
def test_a_device_that_is_not_there():
    pytest.importorskip("cupy", reason="CuPy is not installed: pip install 'ringgrad[cuda13]'")
    with pytest.raises(RuntimeError, match="no CUDA device is available.*use device='cpu'"):
        ringgrad.ones(3).to("cuda:3")


# Commands: what, arguments of ringgrad-run, exit code, words


@pytest.fixture
def taken():
    """A port on which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


COMMANDS = {
    "no script": (["nosuch.py"], ["there is no script nosuch.py", "looked in", "-m", "--no-python"]),
    "no module": (["-m", "nosuch"], ["there is no module nosuch", "looked in"]),
    "no program": (["--no-python", "nosuch"], ["there is no program nosuch", "PATH"]),
    "no ranks": (["--nproc-per-node", "0", "train.py"], ["--nproc-per-node 0", "at least one process"]),
    "ranks in words": (["--nproc-per-node", "two", "train.py"], ["--nproc-per-node two", "a number, auto, cpu or gpu"]),
    "node rank": (["--nnodes", "2", "--node-rank", "2", "train.py"], ["--node-rank 2", "--nnodes 2", "from 0 to 1"]),
    "port taken": (["--master-port", "PORT", "train.py"], ["--master-port PORT", "the port is taken", "by process", "--master-port 0"]),
}


@pytest.mark.parametrize(("arguments", "words"), COMMANDS.values(), ids=COMMANDS)
def test_a_command(arguments, words, run_command, rank_environment, tmp_path, taken):
    (tmp_path / "train.py").write_text("print('TRAINING')\n")
    arguments, words = ([each.replace("PORT", str(taken)) for each in row] for row in (arguments, words))
    code, output = run_command([sys.executable, "-m", "ringgrad.launch", *arguments], TIMEOUT_S, rank_environment, cwd=tmp_path)
    assert code == 2 and "TRAINING" not in output and "Traceback" not in output, output
    assert all_in_order(["ringgrad-run: ", *words], output), output


# Without MPI


@pytest.fixture(scope="module")
def python_without_mpi(tmp_path_factory):
    """A Python that has ringgrad and what it needs, but neither mpi4py nor an mpirun beside it."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=TIMEOUT_S)
    packages = next(folder.glob("lib/python*/site-packages"))
    ours = packages / "ringgrad"
    ours.mkdir()
    for package in (np, __import__("ml_dtypes")):
        source = Path(package.__file__).parent
        for part in (source, source.with_name(f"{source.name}.libs")):
            if part.exists():
                (packages / part.name).symlink_to(part)
    for module in Path(ringgrad.__file__).parent.iterdir():
        (ours / module.name).symlink_to(module)
    for name in ("distributed", "launch"):
        (ours / name).unlink(missing_ok=True)
        (ours / name).symlink_to(Path(__import__(f"ringgrad.{name}", fromlist=["_"]).__file__).parent)
    return str(folder / "bin" / "python")


def test_the_launcher_without_an_mpirun(python_without_mpi, run_command, rank_environment, tmp_path):
    (tmp_path / "train.py").write_text("print('TRAINING')\n")
    command = [python_without_mpi, "-m", "ringgrad.launch", "--nproc-per-node", "2", "train.py"]
    code, output = run_command(command, TIMEOUT_S, {**rank_environment, "PATH": str(tmp_path)}, cwd=tmp_path)
    assert code == 2 and "TRAINING" not in output, output
    words = ["2 CPU ranks are started through mpirun, and there is none beside", python_without_mpi, "or on PATH", "pip install ringgrad[mpi]",
             "--nproc-per-node 1", "--mpi none"]
    assert all_in_order(words, output), output


STARTED_BY = {
    "mpirun": ({"PMI_RANK": "0", "PMI_SIZE": "2", "MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "2"},
               ["RuntimeError: the mpi backend needs mpi4py, but this Python has none", "No module named 'mpi4py'", "pip install 'ringgrad[mpi]'"]),
    "torchrun": ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"},
                 ["RuntimeError: the mpi backend", "was not started by an MPI launcher", "MPI itself is missing", "pip install 'ringgrad[mpi]'"]),
}


@pytest.mark.parametrize(("variables", "words"), STARTED_BY.values(), ids=STARTED_BY)
def test_a_rank_without_mpi4py(python_without_mpi, run_command, rank_environment, variables, words, tmp_path):
    script = "import ringgrad.distributed as dist; dist.init_process_group('mpi')"
    code, output = run_command([python_without_mpi, "-c", script], TIMEOUT_S, {**rank_environment, **variables}, cwd=tmp_path)
    assert code == 1, output
    assert all_in_order(words, output.splitlines()[-1]), output


# Ranks: what, function, words that rank 0 and rank 1 must both say


class TwoBranches(nn.Module):
    """Two layers, of which rank 1 uses one."""

    def __init__(self):
        super().__init__()
        self.always, self.sometimes = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.always(x) if dist.get_rank() == 1 else self.sometimes(self.always(x))


def gradient_that_never_came():
    model = DistributedDataParallel(TwoBranches())
    model(ringgrad.ones(2, 4)).sum().backward()


def other_model_on_rank_1():
    DistributedDataParallel(nn.Linear(3, 4 + dist.get_rank()))


def other_collectives():
    if dist.get_rank() == 0:
        dist.all_reduce(ringgrad.ones(3))
    else:
        dist.broadcast(ringgrad.ones(4), 0)


def other_sizes():
    dist.all_reduce(ringgrad.ones(3 + dist.get_rank()))


RANKS = {
    "gradient that never came": (RuntimeError, gradient_that_never_came,
                                 ["[rank RANK] Expected to have finished reduction", "did not receive a gradient",
                                  "rank 1: sometimes.weight, sometimes.bias", "find_unused_parameters=True"]),
    "other model": (RuntimeError, other_model_on_rank_1, ["[rank RANK]", "rank 1 has weight of shape (5, 3)", "rank 0 has weight of shape (4, 3)"]),
    "other collectives": (dist.CollectiveMismatchError, other_collectives,
                          ["[rank RANK]", "rank 0 called all_reduce #1 (SUM, float32, shape (3,))",
                           "rank 1 called broadcast #1 (float32, shape (4,), root 0)", "every rank must call the same ones in the same order"]),
    "other sizes": (dist.CollectiveMismatchError, other_sizes,
                    ["[rank RANK]", "rank 0 called all_reduce", "(3,)", "rank 1 called all_reduce", "(4,)"]),
}


def on_ranks(name):
    """What one of the rows says when it raises, on this rank; the group is still good for a barrier."""
    dist.init_process_group("mpi", timeout=TIMEOUT_S)
    kind, text = error_of(RANKS[name][1])
    dist.barrier()
    return kind.__name__, text


@pytest.mark.mpi
@pytest.mark.parametrize("name", RANKS)
def test_ranks_that_disagree_are_all_told(world, name):
    ran = world(2).run(on_ranks, name)
    for rank, (kind, text) in enumerate(ran.results):
        assert kind == RANKS[name][0].__name__, text
        assert all_in_order([words.replace("RANK", str(rank)) for words in RANKS[name][2]], text), text

"""NCCL: what can be checked without a GPU, and the contract where there is one, which two ranks share."""

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from contract import CollectiveContract
from test_mpi import collect

import ringgrad
import ringgrad.distributed as dist
from ringgrad.distributed.backends import _nccl_bindings
from ringgrad.distributed.backends._bootstrap import MpiBootstrap, StoreBootstrap
from ringgrad.distributed.backends._nccl_bindings._interface import spelled_version
from ringgrad.distributed.store import HashStore, PrefixStore

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """(size) -> how each rule ended on ranks with a GPU; all rules of one size run in one job, once."""
    done = {}

    def of(size, environment, sharing_a_gpu):
        if size not in done:
            folder = tmp_path_factory.mktemp(f"nccl{size}")
            done[size] = collect(folder, size, start_ranks(size, folder, environment, sharing_a_gpu))
        return done[size]

    return of


def start_ranks(size, folder, environment, sharing_a_gpu):
    """Run the contract on ranks that find each other through the store, as ringgrad-run starts them; what they printed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        shared = {
            **environment,
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(listener.getsockname()[1]),
            "RINGGRAD_STORE_TOKEN": secrets.token_hex(16),
            "RINGGRAD_NCCL_BLOCKING_WAIT": "1",
        }
        command = [sys.executable, str(HERE / "contract_runner.py"), "nccl", "cuda", str(folder)]
        ranks = []
        for rank in range(size):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank), **sharing_a_gpu(rank)}
            first = {"RINGGRAD_STORE_FD": str(listener.fileno())} if rank == 0 else {}
            with open(folder / f"output{rank}.txt", "wb") as output:
                passed = (listener.fileno(),) if rank == 0 else ()
                ranks.append(
                    subprocess.Popen(command, env={**shared, **place, **first}, stdout=output, stderr=subprocess.STDOUT, pass_fds=passed)
                )
        deadline = time.monotonic() + 300
        try:
            codes = [rank.wait(max(1.0, deadline - time.monotonic())) for rank in ranks]
        except subprocess.TimeoutExpired:
            codes = ["timed out"]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
    printed = "\n".join(f"--- rank {rank} ---\n{(folder / f'output{rank}.txt').read_text(errors='replace')}" for rank in range(size))
    return f"exit codes {codes}\n{printed}"


@pytest.mark.gpu
@pytest.mark.skipif(not ringgrad.cuda.is_available(), reason="no CUDA GPU that CuPy can use on this machine")
class TestNcclContract(CollectiveContract):
    backend = "nccl"
    sizes = (1, 2)

    @pytest.fixture(autouse=True)
    def _outcomes(self, outcomes, rank_environment, sharing_a_gpu):
        self._of, self._given = outcomes, (rank_environment, sharing_a_gpu)

    def run(self, rule, size):
        outcome = self._of(size, *self._given)
        errors = outcome["rules"].get(rule)
        if errors is None:
            pytest.fail(f"the ranks never came to {rule}: {outcome['ran']}", pytrace=False)
        if errors:
            pytest.fail("\n".join(f"--- rank {rank} ---\n{text}" for rank, text in sorted(errors.items())), pytrace=False)


# Without a GPU


@pytest.mark.skipif(ringgrad.cuda.is_available(), reason="this machine has a GPU")
def test_a_machine_without_a_gpu_says_so():
    with pytest.raises(RuntimeError, match="the nccl backend needs (an NVIDIA GPU|CuPy).*(gloo|pip install)"):
        dist.init_process_group("nccl")
    assert not dist.is_initialized()


@pytest.mark.parametrize(("name", "package"), [("cupy", "cupy"), ("nccl4py", "nccl"), ("pynccl", "pynccl")])
def test_each_binding_speaks_to_its_library(name, package):
    """A unique id can be had without a GPU, so a binding that is installed shows here that its calls exist."""
    pytest.importorskip(package, reason=f"the package of the NCCL binding {name!r} is not installed")
    try:
        binding = _nccl_bindings.load(name)
    except RuntimeError as error:
        assert f"the nccl backend cannot use its binding {name!r}" in str(error) and "pip install" in str(error)
        pytest.skip(f"libnccl cannot be loaded: {error}")
    assert int(binding.version().split(".")[0]) == 2
    first, second = binding.unique_id(), binding.unique_id()
    assert len(first) == len(second) == 128 and first != second
    for call in ("all_reduce", "reduce", "broadcast", "all_gather", "reduce_scatter", "send", "recv", "async_error", "abort", "destroy"):
        assert callable(getattr(sys.modules[type(binding).__module__].Communicator, call))


def test_an_unknown_binding(monkeypatch):
    monkeypatch.setenv("RINGGRAD_NCCL_BINDING", "nickel")
    with pytest.raises(ValueError, match="RINGGRAD_NCCL_BINDING is 'nickel', but the bindings are cupy, nccl4py, pynccl"):
        _nccl_bindings.load()


@pytest.mark.parametrize(("code", "version"), [(2804, "2.8.4"), (21805, "2.18.5"), (23203, "2.32.3")])
def test_versions(code, version):
    assert spelled_version(code) == version


# How ranks exchange NCCL's identity


def exchange_over(bootstrap, rank):
    identity = bootstrap.share("identity", bytes(range(128)) if rank == 1 else None, 10.0)
    return identity[:128] == bytes(range(128)), bootstrap.exchange("words", f"from {rank}", 10.0)


def test_ranks_meet_in_a_store():
    store, found = HashStore(), {}

    def body(rank):
        found[rank] = exchange_over(StoreBootstrap(PrefixStore("group", store), [1, 3], rank), rank)

    threads = [threading.Thread(target=body, args=(rank,)) for rank in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys((1, 3), (True, {1: "from 1", 3: "from 3"}))


def test_a_rank_that_does_not_come_to_the_store():
    bootstrap = StoreBootstrap(HashStore(), [0, 1], 1)
    with pytest.raises(dist.DistTimeoutError, match="rank 0 has not sent identity within 0.05 s"):
        bootstrap.share("identity", None, 0.05)
    assert bootstrap.exchange("words", "hello", 0.05) == {1: "hello"}


def exchange_over_mpi():
    dist.init_process_group("mpi", timeout=20)
    rank = dist.get_rank()
    mpi = dist.group.WORLD._backends["cpu"]
    found = exchange_over(MpiBootstrap(mpi, "group", [1, 2]), rank) if rank else None
    array = np.ones(2)
    dist.all_reduce(array)
    return found, array.tolist()


@pytest.mark.mpi
def test_ranks_meet_over_mpi(world):
    ran = world(3).run(exchange_over_mpi)
    assert ran.results[0] == (None, [3.0, 3.0])
    assert ran.results[1] == ran.results[2] == ((True, {1: "from 1", 2: "from 2"}), [3.0, 3.0])

"""init_process_group and its neighbours: which backend, which way to the others, and what wrong arguments say."""

import os
import socket
import sys
from datetime import timedelta

import numpy as np
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad.distributed.backends import parse

LAUNCHERS = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "PMI_RANK",
    "PMI_SIZE",
    "TORCHELASTIC_RUN_ID",
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No launcher's variables, and no group left over."""
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


BACKENDS = {
    "mpi": {"cpu": "mpi", "cuda": "mpi"},
    "gloo": {"cpu": "mpi", "cuda": "mpi"},
    "UCC": {"cpu": "mpi", "cuda": "mpi"},
    "NCCL": {"cuda": "nccl"},
    "local": {"cpu": "local", "cuda": "local"},
    "cpu:gloo,cuda:nccl": {"cpu": "mpi", "cuda": "nccl"},
    "cuda:nccl, cpu:mpi": {"cpu": "mpi", "cuda": "nccl"},
    "cpu:gloo": {"cpu": "mpi"},
}


@pytest.mark.parametrize(("spelled", "chosen"), BACKENDS.items())
def test_backend_strings(spelled, chosen):
    assert parse(spelled) == chosen


@pytest.mark.parametrize(
    ("spelled", "error", "words"),
    [
        ("foo", ValueError, "Unknown backend type foo: known are gloo, local, mpi, nccl, ucc"),
        ("cpu:nccl", ValueError, "nccl does not serve cpu tensors"),
        ("cpu:gloo,cpu:mpi", ValueError, "names a backend for cpu twice"),
        ("tpu:mpi", ValueError, "is not 'cpu:NAME' or 'cuda:NAME'"),
        ("cpu:gloo,cuda:", ValueError, "Unknown backend type"),
        (3, TypeError, "backend must be a string"),
    ],
)
def test_backend_strings_that_mean_nothing(spelled, error, words):
    with pytest.raises(error, match=words):
        dist.init_process_group(spelled)
    assert not dist.is_initialized()


def test_backend_names():
    assert dist.Backend("GLOO") == dist.Backend.GLOO == "gloo"
    assert set(dist.Backend.backend_list) == {"mpi", "nccl", "local", "gloo", "ucc"}
    with pytest.raises(ValueError, match="string-ish"):
        dist.Backend(3)
    assert (dist.get_default_backend_for_device("cuda:1"), dist.get_default_backend_for_device(ringgrad.device("cpu"))) == ("nccl", "mpi")
    with pytest.raises(ValueError, match="not registered for device : tpu"):
        dist.get_default_backend_for_device("tpu")


def test_before_and_after():
    assert dist.is_available() and dist.is_gloo_available() and not dist.is_initialized() and not dist.is_torchelastic_launched()
    assert dist.group.WORLD is None
    for call in (dist.get_rank, dist.get_world_size, dist.get_backend, dist.destroy_process_group, lambda: dist.all_reduce(np.ones(1))):
        with pytest.raises(ValueError, match="Default process group has not been initialized, please make sure to call init_process_group"):
            call()
    dist.init_process_group("gloo", timeout=timedelta(seconds=5))
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend(), dist.get_pg_count()) == (0, 1, "local", 1)
    assert dist.group.WORLD is dist.GroupMember.WORLD and dist.get_process_group_ranks() == [0]
    assert "rank 0 of 1" in repr(dist.group.WORLD)
    with pytest.raises(ValueError, match="trying to initialize the default process group twice!"):
        dist.init_process_group("gloo")
    dist.destroy_process_group()
    assert not dist.is_initialized()


def test_ways_to_say_that_there_is_one_rank(monkeypatch, tmp_path):
    for arguments in (
        {"init_method": "env://"},
        {"init_method": "tcp://127.0.0.1:1", "rank": 0, "world_size": 1},
        {"init_method": "tcp://127.0.0.1:1?rank=0&world_size=1"},
        {"init_method": f"file://{tmp_path}/store", "rank": 0, "world_size": 1},
        {"store": dist.HashStore(), "rank": 0, "world_size": 1},
        {"rank": 0, "world_size": 1},
    ):
        dist.init_process_group("mpi", **arguments)
        assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
        dist.destroy_process_group()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    dist.init_process_group()
    assert dist.get_world_size() == 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"init_method": "env://", "store": dist.HashStore()}, ValueError, "both init_method and store"),
        ({"store": dist.HashStore()}, ValueError, "a store needs world_size and rank"),
        ({"init_method": "tcp://host"}, ValueError, "must be 'tcp://host:port'"),
        ({"init_method": "file://"}, ValueError, "path missing"),
        ({"init_method": "http://x:1"}, ValueError, "none of env://, tcp://host:port and file:///path"),
        ({"init_method": "tcp://host:1", "world_size": 2}, ValueError, "environment variable RANK expected, but not set"),
        ({"rank": 2, "world_size": 2}, ValueError, "rank is 2 but world_size is 2: ranks go from 0 to 1"),
        ({"timeout": 0}, ValueError, "positive"),
        ({"timeout": "soon"}, TypeError, "datetime.timedelta or a number of seconds"),
        ({"backend": "local", "rank": 0, "world_size": 2}, ValueError, r"spawn_local\(function, 2\)"),
        ({"backend": "mpi", "rank": 0, "world_size": 2}, RuntimeError, "not started by an MPI launcher.*come from arguments"),
    ],
)
def test_arguments_that_do_not_fit(arguments, error, words):
    with pytest.raises(error, match=words):
        dist.init_process_group(**arguments)
    assert not dist.is_initialized()


def test_local_rank(monkeypatch):
    with pytest.raises(RuntimeError, match="LOCAL_RANK is not in the environment"):
        dist.get_node_local_rank()
    assert dist.get_node_local_rank(fallback_rank=3) == 3
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert dist.get_node_local_rank() == 1


def test_the_list_of_public_names():
    assert dist.__all__ == sorted(dist.__all__, key=lambda name: (name[0].islower(), name))
    missing = [name for name in dist.__all__ if not hasattr(dist, name)]
    assert not missing
    torch_names = """
        init_process_group destroy_process_group is_initialized is_available is_mpi_available is_nccl_available
        is_gloo_available is_torchelastic_launched get_rank get_world_size get_backend new_group new_subgroups
        get_process_group_ranks get_group_rank get_global_rank GroupMember group ReduceOp all_reduce broadcast reduce
        all_gather all_gather_into_tensor reduce_scatter reduce_scatter_tensor gather scatter all_to_all
        all_to_all_single send recv isend irecv batch_isend_irecv P2POp barrier monitored_barrier all_gather_object
        broadcast_object_list gather_object scatter_object_list send_object_list recv_object_list Backend DistError
        DistBackendError DistNetworkError DistStoreError TCPStore HashStore FileStore PrefixStore Store Work
        ProcessGroup default_pg_timeout get_node_local_rank get_pg_count new_subgroups_by_enumeration
        get_default_backend_for_device
    """
    assert not set(torch_names.split()) - set(dist.__all__)


@pytest.mark.torch
def test_parameters_are_named_and_ordered_as_in_torch():
    """Every function of ours that torch has takes torch's parameters, in torch's order, with torch's defaults where both are plain."""
    import inspect

    theirs = pytest.importorskip("torch.distributed", reason="the oracle torch is not installed")
    compared = 0
    for name in dist.__all__:
        ours, other = getattr(dist, name), getattr(theirs, name, None)
        if not inspect.isfunction(ours) or not inspect.isfunction(other):
            continue
        wanted = [each for each in inspect.signature(other).parameters.values() if not each.name.startswith("_")]
        found = list(inspect.signature(ours).parameters.values())[: len(wanted)]
        assert [each.name for each in found] == [each.name for each in wanted], name
        for own, their in zip(found, wanted, strict=True):
            if isinstance(their.default, (bool, int, type(None))) and name != "get_rank":
                assert own.default == their.default or (own.default is inspect.Parameter.empty) == (
                    their.default is inspect.Parameter.empty
                )
        compared += 1
    assert compared > 35


# Several ranks without MPI: the store's way, as far as it goes without a GPU


@pytest.fixture
def nccl_rank(run_command, rank_environment):
    """nccl_rank(NAME=value...): what init_process_group('nccl') prints in a process with these variables."""
    if ringgrad.cuda.is_available():
        pytest.skip("on a machine with a GPU these ranks would wait for each other")
    script = "import ringgrad.distributed as d; d.init_process_group('nccl', timeout=5)"
    return lambda **env: run_command([sys.executable, "-c", script], 60, {**rank_environment, **env})


def test_a_port_that_is_taken(nccl_rank):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        code, output = nccl_rank(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    assert code == 1 and f"DistNetworkError: port {port} on 127.0.0.1 is taken by another program" in output, output


def test_the_launchers_socket_is_used(run_command, rank_environment):
    """RINGGRAD_STORE_FD: rank 0 serves the store on a socket that was bound for it, although MASTER_PORT is taken, by that very socket."""
    script = """
import os, socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
os.set_inheritable(listener.fileno(), True)
env = {**os.environ, "RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(listener.getsockname()[1])}
code = "import ringgrad.distributed as d; from ringgrad.distributed import _connection, env; "
code += "c = _connection.connect(env.read(), {'cuda': 'nccl'}, 5.0, None, None, 1); "
code += "c.store.set('a', 'b'); print(c.store.get('a')); c.close()"
env["RINGGRAD_STORE_FD"] = str(listener.fileno())
raise SystemExit(subprocess.run([sys.executable, "-c", code], env=env, pass_fds=[listener.fileno()]).returncode)
"""
    code, output = run_command([sys.executable, "-c", script], 60, rank_environment)
    assert (code, output.strip()) == (0, "b'b'"), output


def test_nobody_said_where_rank_0_is(nccl_rank):
    code, output = nccl_rank(RANK="0", WORLD_SIZE="2")
    assert code == 1 and "ValueError: Error initializing ringgrad.distributed using env:// rendezvous" in output
    assert "environment variable MASTER_ADDR expected, but not set" in output
    code, output = nccl_rank(RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1", RINGGRAD_STORE_FD="none")
    assert code == 1 and "RINGGRAD_STORE_FD must be the number of a listening socket, but is 'none'" in output


def test_environment_is_untouched():
    before = dict(os.environ)
    dist.init_process_group()
    dist.destroy_process_group()
    assert dict(os.environ) == before

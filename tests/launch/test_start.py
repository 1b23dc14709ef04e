"""What a rank finds when it starts: its environment, its socket, its program as `__main__`."""
import json
import socket
import subprocess
import sys

import pytest

CONTRACT = """
    import json, os
    names = "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK GROUP_WORLD_SIZE ROLE_RANK ROLE_NAME ROLE_WORLD_SIZE MASTER_ADDR"
    names += " TORCHELASTIC_RESTART_COUNT TORCHELASTIC_MAX_RESTARTS TORCHELASTIC_RUN_ID OMP_NUM_THREADS CUDA_VISIBLE_DEVICES"
    names += " MASTER_PORT RINGGRAD_STORE_TOKEN RINGGRAD_STORE_FD"
    print(json.dumps({name: os.environ.get(name) for name in names.split()}))
"""


def test_every_rank_knows_its_place(finished, mpi):
    flags = ["--nproc_per_node=3", "--mpi", mpi, "--role=actor", "--rdzv-id=job7", "--log-line-prefix-template="]
    result = finished(CONTRACT, flags=flags, CUDA_VISIBLE_DEVICES="")
    assert result.code == 0, result.stderr
    ranks = sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda rank: int(rank["RANK"]))
    sockets = [rank.pop("RINGGRAD_STORE_FD") for rank in ranks]
    assert sockets[0] is not None
    assert sockets[1:] == [None, None]
    shared = {(rank.pop("MASTER_PORT"), rank.pop("RINGGRAD_STORE_TOKEN")) for rank in ranks}
    assert len(shared) == 1
    (port, token), = shared
    assert 0 < int(port) < 65536
    assert len(token) == 32
    assert ranks == [
        {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "3",
            "LOCAL_WORLD_SIZE": "3",
            "GROUP_RANK": "0",
            "GROUP_WORLD_SIZE": "1",
            "ROLE_RANK": str(rank),
            "ROLE_NAME": "actor",
            "ROLE_WORLD_SIZE": "3",
            "MASTER_ADDR": "127.0.0.1",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "TORCHELASTIC_MAX_RESTARTS": "0",
            "TORCHELASTIC_RUN_ID": "job7",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        for rank in range(3)
    ]


MEETING = """
    import os, socket, time
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])

    def connect(deadline=time.monotonic() + 30):
        # rank 0's node may start after this one, as on a cluster
        while True:
            try:
                return socket.create_connection(address)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    if os.environ["RANK"] == "0":
        server = socket.socket(fileno=int(os.environ["RINGGRAD_STORE_FD"]))
        assert server.getsockname() == address
        for _ in range(int(os.environ["WORLD_SIZE"]) - 1):
            client, _ = server.accept()
            print("met", client.makefile().readline().strip())
    else:
        with connect() as client:
            client.sendall(os.environ["RANK"].encode() + b"\\n")
"""


def test_rank_0_accepts_on_the_inherited_socket(finished, mpi):
    result = finished(MEETING, flags=["--nproc-per-node", "3", "--mpi", mpi])
    assert result.code == 0, result.stderr
    assert sorted(result.stdout.splitlines()) == ["[rank0]: met 1", "[rank0]: met 2"]


def test_two_launchers_as_two_nodes(launch):
    """Two machines in little: the second launcher stands for another host. Loopback is not accepted, so a real address is needed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it only chooses an interface
        except OSError:
            pytest.skip("this machine has no network interface besides loopback")
        address = probe.getsockname()[0]
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    flags = ["--nproc-per-node=1", "--mpi=none", "--nnodes=2", f"--master-addr={address}", f"--master-port={port}"]
    nodes = [launch(MEETING, flags=[*flags, f"--node-rank={node}"], RINGGRAD_STORE_TOKEN="ours") for node in (0, 1)]
    assert [node.wait() for node in nodes] == [0, 0], nodes[0].stderr + nodes[1].stderr
    assert nodes[0].stdout == "met 1\n"


@pytest.mark.mpi
def test_mpi_connects_the_ranks(finished):
    pytest.importorskip("mpi4py")
    script = """
        import os
        from mpi4py import MPI
        world = MPI.COMM_WORLD
        assert (world.rank, world.size) == (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        print("sum", world.allreduce(world.rank))
    """
    result = finished(script, flags=["--nproc-per-node", "4", "--mpi", "mpirun"])
    assert result.code == 0, result.stderr
    assert sorted(result.stdout.splitlines()) == [f"[rank{rank}]: sum 6" for rank in range(4)]


def test_omp_threads_are_mentioned_once(finished):
    script = "import os; print(os.environ['OMP_NUM_THREADS'])"
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"], OMP_NUM_THREADS="3")
    assert (sorted(result.stdout.splitlines()), result.stderr) == (["[rank0]: 3", "[rank1]: 3"], "")


def test_standard_input_goes_to_rank_0(launch, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; print(repr(sys.stdin.read()))")
    command = [sys.executable, "-m", "ringgrad.launch", "--nproc-per-node", "2", "--mpi", "none", str(script)]
    done = subprocess.run(command, input="hello", capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60)
    assert sorted(done.stdout.splitlines()) == ["[rank0]: 'hello'", "[rank1]: ''"]


# What plain `python` shows a program about itself; under the launcher it must be the same.
SELF = """
import json, sys
main = sys.modules["__main__"]
spec = main.__spec__
print(json.dumps([sys.argv, sys.path[0], __name__, __file__, __package__, spec and spec.name, main.__dict__ is globals(), __doc__,
                  type(__loader__).__name__, type(__builtins__).__name__]))
"""


@pytest.mark.parametrize("how", [["script.py"], ["./deep/../script.py"], ["app"], ["-m", "script"], ["-m", "app"], ["-m", "app.inner"]])
def test_the_program_is_main_as_under_plain_python(finished, tmp_path, how):
    (tmp_path / "deep").mkdir()
    (tmp_path / "app").mkdir()
    for name in ("script.py", "app/__init__.py", "app/__main__.py", "app/inner.py"):
        (tmp_path / name).write_text("" if name.endswith("__init__.py") else SELF)
    plain = subprocess.run([sys.executable, *how, "--lr", "1"], capture_output=True, text=True, check=True, cwd=tmp_path)
    result = finished(None, *how, "--lr", "1")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(plain.stdout)


def test_pickling_and_spawn_from_main(finished):
    script = """
        import multiprocessing, pickle
        from dataclasses import dataclass

        @dataclass
        class Point:
            x: int

        def double(point):
            return Point(2 * point.x)

        if __name__ == "__main__":
            assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(double, [Point(3)]))
    """
    result = finished(script)
    assert (result.code, result.stdout) == (0, "[Point(x=6)]\n"), result.stderr


def test_other_programs(finished):
    flags = ["--nproc-per-node", "2", "--mpi", "none", "--no-python"]
    program = "echo $RANK of $WORLD_SIZE; touch said-$RANK; until [ -e said-0 ]; do :; done; exit $RANK"
    result = finished(None, "sh", "-c", program, flags=flags)
    assert result.code == 1
    assert sorted(result.stdout.splitlines()) == ["[rank0]: 0 of 2", "[rank1]: 1 of 2"]
    assert "rank 1 (local rank 1, pid " in result.stderr
    assert "failed with exit code 1" in result.stderr


def test_other_programs_find_default_signals(finished):
    """Python ignores SIGPIPE; a shell pipeline must not inherit that."""
    result = finished(None, "sh", "-c", "yes | head -1; echo done", flags=["--no-python"])
    assert (result.code, result.stdout, result.stderr) == (0, "y\ndone\n", "")


@pytest.mark.mpi
def test_a_long_temporary_folder(finished, tmp_path):
    """The path of a Unix socket has room for 107 bytes; the launcher must not depend on TMPDIR being short."""
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    result = finished("print('started')", flags=["--nproc-per-node", "2", "--mpi", "mpirun"], TMPDIR=str(folder))
    assert (result.code, result.stdout.count("started")) == (0, 2), result.stderr
    assert list(folder.iterdir()) == []

"""How MPI jobs end: errors, exits and deaths of one rank, seen from outside, and what a rank that cannot start says."""

import sys

import numpy as np
import pytest

import ringgrad.distributed as dist

pytestmark = pytest.mark.mpi

HEAD = """
import os, sys
import numpy as np
import ringgrad.distributed as dist
dist.init_process_group("mpi", timeout=40)
rank = dist.get_rank()
"""
OTHERS_WAIT = """
dist.all_reduce(np.ones(3, np.float32))
print("got past it", flush=True)
"""


def ended(world, size, script, seconds=20, **env):
    """Run a script of which one rank fails; it must end by itself, soon, and with an error code."""
    ran = world(size).run(HEAD + script, check=False, timeout_s=60, env=env)
    assert ran.returncode != 0, ran
    assert ran.seconds < seconds, ran
    assert not any("got past it" in output for output in ran.outputs), ran
    return ran


def test_the_traceback_of_the_failing_rank_is_its_last_word(world):
    ran = ended(world, 4, "if rank == 2:\n    raise KeyError('the cause')\n" + OTHERS_WAIT)
    assert ran.returncode == 1
    lines = ran.outputs[2].rstrip().splitlines()
    assert lines[-1] == "KeyError: 'the cause'", ran
    assert "[rank 2] uncaught KeyError; all ranks are being stopped" in ran.outputs[2]
    assert all("Traceback" not in ran.outputs[rank] for rank in (0, 1, 3)), ran


def test_under_plain_mpirun_the_traceback_is_the_last_thing_printed(tmp_path, mpirun, run_command, rank_environment):
    """The same, with the ranks' output going where mpirun sends it."""
    script = tmp_path / "script.py"
    script.write_text(HEAD + "print('hello', flush=True)\ndist.barrier()\nif rank == 1:\n    raise ValueError('the cause')\n" + OTHERS_WAIT)
    code, output = run_command([mpirun, "-n", "3", sys.executable, str(script)], 60, rank_environment)
    assert code == 1, output
    _, version = run_command([mpirun, "--version"], 20, rank_environment)
    if "Open MPI" in version:  # its mpirun adds a banner of its own
        assert "ValueError: the cause" in output
    else:
        assert output.rstrip().splitlines()[-1] == "ValueError: the cause", output


def test_the_hook_that_was_there_before_is_called(world):
    """A launcher's except hook, which writes the error down for it, keeps working."""
    script = (
        """
def hook(kind, error, trace):
    print("written down:", error, flush=True)
sys.excepthook = hook
"""
        + HEAD
        + "if rank == 1:\n    raise ValueError('the cause')\n"
        + OTHERS_WAIT
    )
    ran = world(2).run("import sys" + script, check=False)
    assert ran.returncode == 1 and ran.outputs[1].rstrip().endswith("written down: the cause"), ran


@pytest.mark.parametrize("leave", ["sys.exit(5)", "sys.exit('no data')"])
def test_sys_exit_in_one_rank_ends_the_job_with_its_code(world, leave):
    ran = ended(world, 3, f"if rank == 1:\n    {leave}\n" + OTHERS_WAIT)
    assert ran.returncode == (5 if "5" in leave else 1), ran
    assert "rank 1 ended its program with exit code" in ran.outputs[0] + ran.outputs[2] or "ended with exit code" in ran.outputs[1], ran


def test_sys_exit_while_the_others_compute(world):
    ran = ended(world, 2, "if rank == 1:\n    sys.exit(7)\nimport time\ntime.sleep(50)\n")
    assert ran.returncode == 7, ran
    assert "[rank 1] ended with exit code 7 while ranks [0] were running; stopping the job" in ran.outputs[1]


@pytest.mark.parametrize("leave", ["raise SystemExit(5)", "os._exit(5)", "os.kill(os.getpid(), 9)"])
def test_other_ends_of_one_rank(world, leave):
    ended(world, 3, f"if rank == 1:\n    {leave}\n" + OTHERS_WAIT)


def test_a_rank_that_ends_early_is_named(world):
    ran = ended(world, 3, "dist.all_reduce(np.ones(1))\nif rank != 1:\n    dist.broadcast(np.ones(3), 0)\nprint('end', flush=True)")
    assert (
        "rank 1 has finished its program or destroyed its group; do all ranks make the same number of steps?"
        in ran.outputs[0] + ran.outputs[2]
    )
    assert "broadcast #2 (float64, shape (3,), root 0) in group 'default'" in ran.outputs[0] + ran.outputs[2]


def test_all_ranks_may_exit_with_a_code_together(world):
    ran = world(3).run(HEAD + "dist.barrier()\nsys.exit(4)", check=False)
    assert ran.returncode == 4 and not any("ended with" in output or "Traceback" in output for output in ran.outputs), ran


def test_ends_that_are_none(world):
    """An exit that was caught, and the exit of a forked child, do not stop the job; nor does work that nobody waited for."""
    script = """
try:
    sys.exit(3)
except SystemExit:
    pass
child = os.fork()
if child == 0:
    sys.exit(9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
array = np.full(1000, 1.0)
dist.all_reduce(array, async_op=True)
print("fine", flush=True)
"""
    ran = world(2).run(HEAD + script)
    assert all("fine" in output for output in ran.outputs), ran


def init_and_destroy_three_times():
    found = []
    for backend in ("mpi", None, "gloo"):
        dist.init_process_group(backend)
        array = np.ones(2)
        dist.all_reduce(array)
        pair = dist.new_group([0, 1])
        if dist.get_rank() < 2:
            dist.all_reduce(array, group=pair)
        found.append((dist.get_backend(), array.tolist()))
        dist.destroy_process_group()
        assert not dist.is_initialized()
    return found


def test_init_and_destroy_again(world):
    ran = world(3).run(init_and_destroy_three_times)
    assert ran.results == [[("mpi", [6.0, 6.0])] * 3] * 2 + [[("mpi", [3.0, 3.0])] * 3]


def large_rows_in_small_calls():
    """Rows beyond what one call of an MPI 3 library takes, with the limit lowered from 2**31 - 1 to 100."""
    dist.init_process_group("mpi", timeout=20)
    rank, size = dist.get_rank(), dist.get_world_size()
    dist.group.WORLD._backends["cpu"].max_count = 100
    summed, averaged, copied, reduced = (
        np.arange(1001, dtype=dtype) * (rank + 1) for dtype in (np.float32, np.float16, np.int64, np.float64)
    )
    averaged %= 7
    dist.all_reduce(summed)
    dist.all_reduce(averaged, dist.ReduceOp.AVG)
    dist.broadcast(copied, 1)
    dist.reduce(reduced, 0)
    if rank == 0:
        dist.send(summed, 1)
    elif rank == 1:
        dist.recv(summed, 0)
    try:
        dist.all_gather_into_tensor(np.empty(101 * size), np.zeros(101))
    except dist.DistBackendError as error:
        refusal = str(error)
    return summed.tolist(), copied.tolist(), reduced.tolist() if rank == 0 else None, refusal


def test_rows_larger_than_one_call(world):
    ran = world(2).run(large_rows_in_small_calls)
    for rank, (summed, copied, reduced, refusal) in enumerate(ran.results):
        assert summed == [3 * i for i in range(1001)] and copied == [2 * i for i in range(1001)]
        assert reduced == ([3 * i for i in range(1001)] if rank == 0 else None)
        assert "moves at most 100 in one call" in refusal


def without_comparing():
    dist.init_process_group("mpi", timeout=20)
    rank, size = dist.get_rank(), dist.get_world_size()
    array, row = np.ones(4, np.float16), np.empty(size)
    works = [dist.all_reduce(array, async_op=True), dist.all_gather_into_tensor(row, np.full(1, float(rank)), async_op=True)]
    for work in works:
        work.wait()
    dist.barrier()
    dist.all_to_all_single(row, row.copy())
    dist.new_group([0])
    dist.broadcast(array, 1)
    return array.tolist(), row.tolist()


def test_without_fingerprints(world):
    ran = world(2).run(without_comparing, env={"RINGGRAD_CHECK_COLLECTIVES": "0"})
    assert ran.results == [([2.0] * 4, [0.0, 0.0]), ([2.0] * 4, [1.0, 1.0])]


def from_several_threads():
    import threading

    dist.init_process_group("mpi", timeout=20)
    groups = [dist.new_group() for _ in range(3)]
    arrays = [np.full(5000, index + 1.0) for index in range(3)]

    def reduce_often(index):
        for _ in range(20):
            dist.all_reduce(arrays[index], dist.ReduceOp.MAX, groups[index])

    threads = [threading.Thread(target=reduce_often, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [float(array.max()) for array in arrays]


def test_threads_use_groups_of_their_own(world):
    assert world(2).run(from_several_threads).results == [[1.0, 2.0, 3.0]] * 2


# Ranks that cannot start


@pytest.fixture
def python(run_command, rank_environment):
    """python(script, NAME=value...) -> (exit code, output) of one plain process."""
    return lambda script, **env: run_command([sys.executable, "-c", script], 60, {**rank_environment, **env})


def test_a_job_that_mpirun_did_not_start(python):
    torchrun = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    code, output = python("import ringgrad.distributed as d; d.init_process_group('gloo')", **torchrun)
    assert code == 1
    assert "this job of 2 ranks was not started by an MPI launcher (its ranks come from torchrun)" in output
    assert "ringgrad-run --nproc-per-node 2" in output and "mpirun -n 2 python script.py" in output


def test_mpi4py_missing(python):
    script = "import sys; sys.modules['mpi4py'] = None; import ringgrad.distributed as d; print(d.is_mpi_available(), flush=True)\n"
    script += "d.init_process_group('mpi')"
    code, output = python(script, PMI_RANK="0", PMI_SIZE="2", MPI_LOCALRANKID="0", MPI_LOCALNRANKS="2")
    assert code == 1 and output.startswith("False")
    assert "RuntimeError: the mpi backend needs mpi4py, but this Python has none" in output and "pip install 'ringgrad[mpi]'" in output


def test_mpi_library_missing(python, tmp_path):
    environment = {"PMI_RANK": "0", "PMI_SIZE": "2", "MPI4PY_LIBMPI": str(tmp_path / "no-such-libmpi.so")}
    code, output = python("import ringgrad.distributed as d; d.init_process_group('mpi')", **environment)
    assert code == 1
    assert "RuntimeError: the mpi backend needs an MPI library, but mpi4py could not load one" in output, output


def test_one_rank_needs_no_library(python):
    script = """
import sys
sys.modules['mpi4py'] = None
import numpy as np, ringgrad.distributed as d
for backend in ("mpi", "gloo", None, "cpu:gloo,cuda:gloo"):
    d.init_process_group(backend)
    array = np.ones(2)
    d.all_reduce(array)
    d.barrier()
    print(d.get_backend(), d.get_rank(), d.get_world_size(), array.tolist())
    d.destroy_process_group()
"""
    code, output = python(script)
    assert code == 0, output
    assert output.split("\n")[:4] == ["local 0 1 [1.0, 1.0]"] * 4


def test_the_import_loads_neither_mpi4py_nor_cupy(python):
    code, output = python("import sys, ringgrad.distributed; print(sorted({'mpi4py', 'cupy'} & set(sys.modules)))")
    assert (code, output.strip()) == (0, "[]")


def test_ranks_that_mpi_numbers_otherwise(world):
    """RANK and WORLD_SIZE, exported by a launcher of torchrun's kind, that are not what MPI says."""
    script = "import os, ringgrad.distributed as d\nos.environ['RANK'] = '0'\nos.environ['WORLD_SIZE'] = '4'\nd.init_process_group('mpi')"
    ran = world(2).run(script, check=False, env={"TORCHELASTIC_RUN_ID": "x"}, timeout_s=30)
    assert ran.returncode != 0
    assert any("the environment says rank 0 of 4 (torchrun), but MPI says rank" in output for output in ran.outputs), ran

"""The fixtures of conftest.py: each kind of leak fails the test that leaks, and a world shows what its ranks printed."""

import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

LEAKS = {
    "processes": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])",
    "threads": "threading.Thread(target=time.sleep, args=(20,), daemon=True, name='forgotten').start()",
    "environment variables": "os.environ['FORGOTTEN'] = '1'",
    "sockets": "kept.append(socket.socket())",
    "files": "open('forgotten.txt', 'w').close()",
    None: "threading.Thread(target=time.sleep, args=(0.05,)).start(); subprocess.run([sys.executable, '-c', ''])",
}
NEEDS_A_GPU = "@pytest.mark.gpu\n"


@pytest.mark.parametrize("kind", LEAKS, ids=str)
def test_leaks_are_found(kind, tmp_path, run_command, rank_environment):
    """A test file of its own, run by a pytest of its own with this conftest as a plugin and little patience."""
    code, output = run_leaky(LEAKS[kind], "", tmp_path, run_command, rank_environment)
    assert code == (0 if kind is None else 1), output
    assert kind is None or f"test_it left behind {kind}: " in output, output


@pytest.mark.parametrize("kind", ["sockets", "threads"])
def test_a_gpu_may_keep_its_sockets_and_nothing_else(kind, tmp_path, run_command, rank_environment):
    code, output = run_leaky(LEAKS[kind], NEEDS_A_GPU, tmp_path, run_command, rank_environment)
    assert code == (0 if kind == "sockets" else 1), output


def run_leaky(body, mark, folder, run_command, environment):
    """(exit code, output) of a pytest that runs a test with this body, marked so."""
    imports = "import conftest, os, pytest, socket, subprocess, sys, threading, time, warnings\nconftest._PATIENCE_S = 0.3\nkept = []\n"
    silence = "    warnings.simplefilter('ignore')\n"
    (folder / "test_leaky.py").write_text(f"{imports}{mark}def test_it():\n{silence}    {body}\n")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(folder), "test_leaky.py"]
    return run_command(command, 60, {**environment, "PYTHONPATH": str(TESTS)}, cwd=folder)


def square_of_the_rank(offset):
    rank = int(next(os.environ[name] for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK") if name in os.environ))
    print(f"I am {rank}")
    if offset == "fail" and rank == 1:
        raise ValueError("the cause")
    return rank**2 + (offset if offset != "fail" else 0)


@pytest.mark.mpi
def test_a_world_returns_results_and_shows_failures(world):
    ran = world(3).run(square_of_the_rank, 10)
    assert (ran.results, ran.returncode) == ([10, 11, 14], 0)
    assert [output.strip() for output in ran.outputs] == ["I am 0", "I am 1", "I am 2"]
    with pytest.raises(pytest.fail.Exception) as failed:
        world(2).run(square_of_the_rank, "fail")
    assert "--- rank 1 ---" in str(failed.value) and "ValueError: the cause" in str(failed.value) and "I am 0" in str(failed.value)


@pytest.mark.mpi
def test_a_world_that_hangs_is_stopped(world):
    with pytest.raises(pytest.fail.Exception, match="2 ranks did not end within 1 s"):
        world(2).run("import time; print('started', flush=True); time.sleep(60)", timeout_s=1)


@pytest.mark.mpi
def test_a_world_runs_scripts_with_arguments(world):
    ran = world(2).run("import sys; print(sys.argv[1:])\nsys.exit(3)", "a", 1, check=False)
    assert ran.returncode == 3 and [output.strip() for output in ran.outputs] == ["['a', '1']"] * 2

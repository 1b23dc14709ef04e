"""When things go wrong: the first failure stops the rest, is told last, and no process is left (the `launch` fixture looks)."""
import os
import re
import shutil
import signal
import sys

import pytest

FOUR = ["--nproc-per-node", "4"]
WAIT = """
    import os, signal, subprocess, sys
    child = subprocess.Popen(["sleep", "600"])  # in the rank's group: it must go, too
    print("pid", os.getpid())
    if "mpi4py" in sys.argv:
        from mpi4py import MPI
        if MPI.COMM_WORLD.rank < 3:
            MPI.COMM_WORLD.Barrier()
    signal.pause()
"""


def pids(one, count):
    one.wait_for("pid ", count)
    return {line.split("]")[0].lstrip("["): int(line.split()[-1]) for line in one.stdout.splitlines()}


def last_lines(one, count):
    return one.stderr.splitlines()[-count:]


@pytest.mark.parametrize(
    ("mpi", "library"),
    [("none", ""), pytest.param("mpirun", "", marks=pytest.mark.mpi), pytest.param("mpirun", "mpi4py", marks=pytest.mark.mpi)],
)
def test_one_of_four_ranks_is_killed(launch, mpi, library):
    if library:
        pytest.importorskip(library)
    one = launch(WAIT, library, flags=[*FOUR, "--mpi", mpi])
    victim = pids(one, 4)["rank2"]
    os.kill(victim, signal.SIGKILL)
    assert one.wait(timeout_s=5) == 128 + 9
    assert one.left() == {}
    assert f"rank 2 (local rank 2, pid {victim}) was killed by SIGKILL; ranks 0, 1 and 3 were stopped. If nobody" in last_lines(one, 1)[0]


def test_the_launcher_is_killed(launch, mpi):
    """Nothing it started may survive it: no rank, no child of a rank, no mpirun and none of its helpers. The fixture waits 5 s."""
    one = launch(WAIT, flags=[*FOUR, "--mpi", mpi])
    pids(one, 4)
    assert len(one.left()) >= 9  # 4 ranks with a child each, and the launcher
    one.process.kill()
    one.wait()


def test_the_guardian_and_the_launcher_are_killed(launch):
    """Without the guardian the kernel's parent-death signal still ends the ranks."""
    one = launch("import os, signal; print('pid', os.getpid()); signal.pause()", flags=[*FOUR, "--mpi", "none"])
    pids(one, 4)
    guardians = [pid for pid, command in one.left().items() if "_guardian.py" in command]
    os.kill(guardians[0], signal.SIGKILL)
    one.process.kill()
    one.wait()
    for folder in one.scratch.iterdir():  # nobody is left to do it
        shutil.rmtree(folder)


@pytest.mark.mpi
def test_shared_memory_of_killed_ranks_is_removed(launch):
    pytest.importorskip("mpi4py")
    script = """
        import os, signal
        from mpi4py import MPI
        MPI.COMM_WORLD.Barrier()
        maps = open("/proc/self/maps").read().split()
        print("pid", os.getpid(), *{path for path in maps if path.startswith("/dev/shm/mpich")})
        signal.pause()
    """
    one = launch(script, flags=["--nproc-per-node", "2", "--mpi", "mpirun"])
    one.wait_for("pid ", 2)
    words = one.stdout.split()
    segments = {word for word in words if word.startswith("/dev/shm/")}
    if not segments:
        one.process.terminate()
        one.wait()
        pytest.skip("this MPI keeps no file in /dev/shm")
    os.kill(int(words[2]), signal.SIGKILL)
    one.wait()
    assert [path for path in segments if os.path.exists(path)] == []


def test_the_traceback_of_the_first_failure_comes_last(launch, mpi, wait_until):
    """Rank 2 fails; rank 0 fails of it; rank 1 goes on talking. The launcher sleeps meanwhile, so it must tell who was first."""
    script = """
        import os, sys, time
        here = os.environ["RINGGRAD_ERROR_FILE"]
        of_rank_2 = os.path.join(os.path.dirname(os.path.dirname(here)), "2", "error.json")
        print("pid", os.getpid())
        while not os.path.exists("go"):
            time.sleep(0.01)
        if os.environ["RANK"] == "2":
            raise ValueError("the cause")
        while not os.path.exists(of_rank_2):
            time.sleep(0.01)
        if os.environ["RANK"] == "0":
            raise ConnectionError("a consequence")
        while True:
            print("noise", file=sys.stderr)
            time.sleep(0.01)
    """
    one = launch(script, flags=["--nproc-per-node", "3", "--mpi", mpi])
    ranks = pids(one, 3)
    one.process.send_signal(signal.SIGSTOP)
    (one.out.parent / "go").touch()
    wait_until(lambda: not {ranks["rank0"], ranks["rank2"]} & set(one.left()), "the end of ranks 0 and 2")
    one.process.send_signal(signal.SIGCONT)
    assert one.wait() == 1
    number = 1 + script.splitlines().index('            raise ValueError("the cause")')
    assert last_lines(one, 5) == [
        "Traceback of rank 2:",
        "Traceback (most recent call last):",
        f'  File "{one.out.parent}/script.py", line {number}, in <module>',
        '    raise ValueError("the cause")',
        "ValueError: the cause",
    ]
    sentence = last_lines(one, 6)[0]
    assert sentence.startswith("ringgrad-run: rank 2 (local rank 2, pid ")
    assert "failed with exit code 1; rank 1 was stopped; rank 0 failed after it" in sentence


def test_one_rank_alone_prints_its_traceback_once(finished):
    result = finished("import os\nraise ValueError('boom')")
    assert result.code == 1
    assert result.stderr == (
        'Traceback (most recent call last):\n'
        f'  File "{result.out.parent}/script.py", line 2, in <module>\n'
        "    raise ValueError('boom')\n"
        "ValueError: boom\n"
    )


ENDINGS = [
    ("sys.exit(5)", 5, "failed with exit code 5"),
    ("sys.exit('no data')", 1, "no data"),
    ("sys.exit(-1)", 255, "failed with exit code 255"),
    ("os._exit(7)", 7, "failed with exit code 7"),
    ("os.abort()", 134, "was killed by SIGABRT"),
    ("os.kill(os.getpid(), 11)", 139, "was killed by SIGSEGV"),
    ("os.kill(os.getpid(), 11)", 139, "Fatal Python error: Segmentation fault"),
    ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    ("exec('1 +')", 1, "SyntaxError"),
    ("import no_such_module", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
]


@pytest.mark.parametrize(("ending", "code", "words"), ENDINGS)
def test_exit_codes(finished, ending, code, words):
    """The failing rank's own code is returned, 128 + n after signal n, and said; the other rank waits for ever and is stopped."""
    script = f"""
        import os, signal, sys
        if os.environ["RANK"] == "0":
            signal.pause()
        {ending}
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"])
    assert result.code == code
    assert "ringgrad-run: rank 1 (local rank 1, pid " in result.stderr
    assert "rank 0 was stopped" in result.stderr
    assert words in result.stderr[result.stderr.index("ringgrad-run: "):]


def test_a_rank_that_cannot_end_after_its_failure(finished):
    """As after an exception under MPI, where the end of the interpreter waits for peers that never answer."""
    script = """
        import os, signal, threading
        if os.environ["RANK"] == "0":
            signal.pause()
        threading.Thread(target=threading.Event().wait).start()
        raise ValueError("heard at once")
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none", "--shutdown-timeout", "0.2"])
    assert result.code == 1
    assert last_lines(result, 1) == ["ValueError: heard at once"]
    assert "rank 1 (local rank 1" in result.stderr


def test_the_others_are_asked_to_end(finished):
    """A rank that is stopped may tidy up; its own exit code and message are not taken for a failure."""
    script = """
        import os, signal, sys
        def tidy(signum, frame):
            print("tidied up")
            sys.exit(9)
        if os.environ["RANK"] == "0":
            signal.signal(signal.SIGTERM, tidy)
            open("listening", "w").close()
            signal.pause()
        while not os.path.exists("listening"):
            pass
        os._exit(3)
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"])
    assert (result.code, result.stdout) == (3, "[rank0]: tidied up\n")
    assert "failed with exit code 3; rank 0 was stopped" in result.stderr


def test_a_rank_that_ignores_sigterm(finished):
    script = """
        import os, signal
        if os.environ["RANK"] == "0":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open("deaf", "w").close()
            while True:
                signal.pause()
        while not os.path.exists("deaf"):
            pass
        os._exit(3)
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none", "--shutdown-timeout", "0.2"])
    assert result.code == 3
    assert "rank 1 (local rank 1" in result.stderr


def test_a_hook_of_the_user_does_not_hide_the_failure(finished):
    script = """
        import os, signal, sys
        if os.environ["RANK"] == "0":
            signal.pause()
        sys.excepthook = lambda *_: print("hooked")
        raise ValueError("told anyway")
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"])
    assert (result.code, result.stdout) == (1, "[rank1]: hooked\n")
    assert last_lines(result, 1) == ["ValueError: told anyway"]


def test_a_forked_child_does_not_speak_for_the_rank(finished):
    script = """
        import os
        if os.fork() == 0:
            raise ValueError("the child's own business")
        os.wait()
        print("fine")
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"])
    assert result.code == 0
    assert sorted(result.stdout.splitlines()) == ["[rank0]: fine", "[rank1]: fine"]
    assert "ringgrad-run" not in result.stderr


@pytest.mark.mpi
@pytest.mark.parametrize(("ending", "code"), [("MPI.COMM_WORLD.Abort(3)", 3), ("raise ValueError('boom')", 1), ("sys.exit(4)", 4)])
def test_mpi_peers_in_a_barrier(finished, ending, code):
    """Under plain mpirun the last two hang; here the launcher hears of the failure before MPI_Finalize waits for the peers."""
    pytest.importorskip("mpi4py")
    script = f"""
        import sys
        from mpi4py import MPI
        if MPI.COMM_WORLD.rank == 1:
            {ending}
        MPI.COMM_WORLD.Barrier()
    """
    result = finished(script, flags=["--nproc-per-node", "3", "--mpi", "mpirun", "--shutdown-timeout", "0.5"])
    assert result.code == code
    assert "rank 1 (local rank 1, pid " in result.stderr
    assert "ranks 0 and 2 were stopped" in result.stderr
    if code == 1:
        assert last_lines(result, 1) == ["ValueError: boom"]


@pytest.mark.mpi
def test_mpirun_is_killed(launch):
    one = launch(WAIT, flags=["--nproc-per-node", "2", "--mpi", "mpirun"])
    pids(one, 2)
    named = re.compile(r"\S*/(mpirun|prterun) -n 2 ")  # MPICH's, Open MPI's
    mpirun = [pid for pid, command in one.left().items() if named.match(command)]
    assert len(mpirun) == 1, one.left()
    os.kill(mpirun[0], signal.SIGKILL)
    assert one.wait() == 128 + 9
    assert "mpirun ended with exit code 137 before the ranks did, and they were stopped" in one.stderr


def test_the_reader_goes_away(launch, tmp_path):
    """`ringgrad-run ... | head -1` ends the job, as it ends other programs."""
    (tmp_path / "talk.py").write_text("while True: print('y')\n")
    inner = f"{sys.executable} -m ringgrad.launch --nproc-per-node 2 --mpi none talk.py | head -1; exit ${{PIPESTATUS[0]}}"
    one = launch(None, "bash", "-c", inner, flags=["--no-python"])
    assert one.wait() == 128 + signal.SIGPIPE
    assert one.stdout in ("[rank0]: y\n", "[rank1]: y\n")


BROKEN_MPIRUNS = [
    ("echo no slots available; exit 7", "ended with exit code 7 before it had started 2 processes, and said no slots available"),
    ("shift 2; exec env -u PMI_RANK \"$@\"", "starts processes without telling them their rank"),
]


@pytest.mark.parametrize(("body", "words"), BROKEN_MPIRUNS)
def test_an_mpirun_that_does_not_work(finished, tmp_path, body, words):
    (tmp_path / "mpirun").write_text(f"#!/bin/sh\n{body}\n")
    (tmp_path / "mpirun").chmod(0o755)
    result = finished("print('never')", flags=["--nproc-per-node", "2", "--mpi", "./mpirun"])
    assert (result.code, result.stdout) == (2, "")
    assert words in result.stderr

"""Lines, progress bars and prefixes, with real pipes and a real terminal."""
import os
import pty
import signal

import pytest

from ringgrad.launch._logs import _LONGEST_LINE, LineCutter

CUTS = [
    (b"a\nb\n", [b"a\n", b"b\n"], []),
    (b"a\nb", [b"a\n"], [b"b\n"]),
    (b"\r 10%\r 20%\r 30%\n", [b"\r", b" 10%\r", b" 20%\r", b" 30%\n"], []),
    (b"one\r\ntwo\r\n", [b"one\r\n", b"two\r\n"], []),
    (b"10%\r", [], [b"10%\n"]),
    (b"\n\n", [b"\n", b"\n"], []),
    (b"", [], []),
]


@pytest.mark.parametrize(("data", "pieces", "rest"), CUTS)
def test_cutter(data, pieces, rest):
    whole, bytewise = LineCutter(), LineCutter()
    assert (whole.feed(data), whole.finish()) == (pieces, rest)
    one_by_one = [piece for i in range(len(data)) for piece in bytewise.feed(data[i:i + 1])]
    assert (one_by_one, bytewise.finish()) == (pieces, rest)


def test_an_endless_line_is_cut():
    cutter = LineCutter()
    assert cutter.feed(b"x" * _LONGEST_LINE) == []
    assert cutter.feed(b"y") == [b"x" * _LONGEST_LINE + b"y\n"]
    assert cutter.finish() == []


def test_lines_stay_whole(finished):
    script = """
        import os, sys
        for i in range(500):
            os.write(1, f"{os.environ['RANK']}:{i}:" .encode())
            os.write(1, b"x" * 300)
            os.write(1, b"\\n")
    """
    result = finished(script, flags=["--nproc-per-node", "4", "--mpi", "none"])
    assert result.code == 0
    lines = result.stdout.splitlines()
    for rank in range(4):
        prefix = f"[rank{rank}]: "
        assert [line for line in lines if line.startswith(prefix)] == [f"{prefix}{rank}:{i}:{'x' * 300}" for i in range(500)]
    assert len(lines) == 2000


def test_nothing_is_lost_at_the_end(finished, mpi):
    script = """
        import os, sys
        print("out", os.environ["RANK"])
        print("err", os.environ["RANK"], file=sys.stderr)
        os.write(1, b"z" * 200_000)
        os._exit(0)
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", mpi])
    assert result.code == 0
    assert sorted(result.stdout.splitlines()) == sorted(f"[rank{r}]: {text}" for r in range(2) for text in (f"out {r}", "z" * 200_000))
    assert sorted(result.stderr.splitlines()) == ["[rank0]: err 0", "[rank1]: err 1"]


def test_output_that_is_still_in_the_pipe_when_the_rank_ends(launch, wait_until):
    """More than the launcher reads at once, written while it is stopped."""
    script = """
        import fcntl, os, signal
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        print("pid", os.getpid())
        signal.sigwait([signal.SIGUSR1])
        os.write(1, b"z" * 500_000)
    """
    one = launch(script, flags=["--log-line-prefix-template=: "])
    one.wait_for("pid ")
    rank = int(one.stdout.split()[-1])
    one.process.send_signal(signal.SIGSTOP)
    os.kill(rank, signal.SIGUSR1)
    wait_until(lambda: rank not in one.left(), "the end of the rank")
    one.process.send_signal(signal.SIGCONT)
    assert one.wait() == 0
    assert one.stdout.split()[-1] == "z" * 500_000


def test_a_background_process_does_not_hold_the_launcher(finished):
    """A daemon that left the rank's session keeps the pipe open; the launcher must not wait for it."""
    script = """
        import subprocess, sys
        daemon = subprocess.Popen([sys.executable, "-c", "import signal; signal.alarm(20); signal.pause()"], start_new_session=True)
        print("daemon", daemon.pid)
    """
    result = finished(script, flags=["--nproc-per-node", "2", "--mpi", "none"])
    pids = [int(line.split()[-1]) for line in result.stdout.splitlines()]
    alive = [os.path.exists(f"/proc/{pid}") for pid in pids]
    for pid in pids:
        os.kill(pid, 9)
    assert (result.code, alive) == (0, [True, True])


def test_one_rank_keeps_its_streams(finished):
    script = """
        import os, sys
        print(os.readlink("/proc/self/fd/1"))
        print(os.readlink("/proc/self/fd/2"), file=sys.stderr)
    """
    result = finished(script)
    assert (result.stdout, result.stderr) == (f"{result.out}\n", f"{result.err}\n")


PROGRESS = """
    import os, time
    rank = os.environ["RANK"]
    if rank == "0":
        os.write(1, b"\\r 10%\\r 20%")
        open("half", "w").close()
    while not os.path.exists("half"):
        time.sleep(0.01)
    if rank == "1":
        os.write(1, b"hello\\n")
        open("said", "w").close()
    while not os.path.exists("said"):
        time.sleep(0.01)
    if rank == "0":
        os.write(1, b"\\r100%\\n")
"""


def test_progress_bars_in_a_file(finished):
    result = finished(PROGRESS, flags=["--nproc-per-node", "2", "--mpi", "none"])
    assert sorted(result.stdout.split("\n")) == sorted(["[rank0]:  10%\r", "[rank1]: hello", "[rank0]:  20%\r[rank0]: 100%", ""])


def test_progress_bars_on_a_terminal(launch):
    """On a terminal a line of another rank erases the bar."""
    ours, theirs = pty.openpty()
    assert launch(PROGRESS, flags=["--nproc-per-node", "2", "--mpi", "none"], terminal=theirs).wait() == 0
    os.close(theirs)
    text = os.read(ours, 10_000)
    os.close(ours)
    assert b"[rank0]:  10%\r" in text
    assert b"[rank1]: hello\r\n" in text
    assert text.endswith(b"\r\x1b[K[rank0]: 100%\r\n")

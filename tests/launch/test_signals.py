"""Signals to the launcher reach the ranks."""
import fcntl
import os
import signal
import sys
import termios

import pytest

TWO = ["--nproc-per-node", "2"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_ranks_die_of_it(launch, mpi, signum):
    one = launch("import signal; print('ready'); signal.pause()", flags=[*TWO, "--mpi", mpi])
    one.wait_for("ready", 2)
    one.process.send_signal(signum)
    assert one.wait() == 128 + signum
    assert one.stderr.splitlines()[-1] == f"ringgrad-run: ended by {signum.name}, which was passed on to the ranks"
    assert one.stderr.count("KeyboardInterrupt") == (2 if signum == signal.SIGINT else 0)


GRACEFUL = """
    import os, signal, sys
    def save(signum, frame):
        os.write(1, f"saved after {signal.Signals(signum).name}\\n".encode())  # print may be what the signal interrupted
        sys.exit(0)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(signum, save)
    print("ready")
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_the_ranks_end_well(launch, mpi, signum):
    one = launch(GRACEFUL, flags=[*TWO, "--mpi", mpi, "--signals-to-handle", "SIGINT,SIGTERM,SIGUSR1"])
    one.wait_for("ready", 2)
    one.process.send_signal(signum)
    assert one.wait() == 0, one.stderr
    assert one.stdout.count(f"saved after {signum.name}") == 2
    assert one.stderr == ""


def test_a_launcher_that_waits_for_its_reader_passes_signals_on(launch, tmp_path, wait_until):
    """Nobody reads the launcher's output, so it stands still in a write; Ctrl-C must reach the ranks all the same."""
    script = """
        import os, signal, threading
        def save(signum, frame):
            open("saved", "w").close()
            os._exit(0)
        signal.signal(signal.SIGINT, save)
        threading.Thread(target=os.write, args=(1, b"y\\n" * 500_000), daemon=True).start()
        while True:
            signal.pause()
    """
    ours, theirs = os.pipe()
    one = launch(script, flags=["--log-line-prefix-template=: "], terminal=theirs)
    os.close(theirs)
    full = fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ)
    wait_until(lambda: int.from_bytes(fcntl.ioctl(ours, termios.FIONREAD, b"1234"), sys.byteorder) == full, "a full pipe")
    one.process.send_signal(signal.SIGINT)
    wait_until((tmp_path / "saved").exists, "the rank's handler")
    while os.read(ours, 1 << 20):
        pass
    os.close(ours)
    assert one.wait() == 0


DEAF = """
    import signal
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda number, frame: print("heard", number))
    print("ready")
    while True:
        signal.pause()
"""


def test_deaf_ranks_are_killed_after_the_grace_period(launch):
    one = launch(DEAF, flags=[*TWO, "--mpi", "none", "--shutdown-timeout", "0.2"])
    one.wait_for("ready", 2)
    one.process.send_signal(signal.SIGTERM)
    assert one.wait() == 128 + signal.SIGTERM
    assert one.stdout.count("heard 15") == 2


def test_asking_again_kills_at_once(launch, wait_until):
    """A second Ctrl-C, later than the echo of a wrapper, does not wait for the 30 s of the first."""
    one = launch(DEAF, flags=[*TWO, "--mpi", "none"])
    one.wait_for("ready", 2)
    one.process.send_signal(signal.SIGINT)
    one.process.send_signal(signal.SIGINT)  # an echo
    one.wait_for("heard 2", 2)
    wait_until(lambda: one.process.poll() is not None or one.process.send_signal(signal.SIGINT), "end after many signals", 10)
    assert one.wait() == 128 + signal.SIGINT


def test_a_signal_while_mpirun_starts(launch, tmp_path, wait_until):
    """An mpirun that never starts anything: the launcher can still be ended."""
    (tmp_path / "mpirun").write_text("#!/bin/sh\necho waiting > started\nexec sleep 600\n")
    (tmp_path / "mpirun").chmod(0o755)
    one = launch("print('never')", flags=[*TWO, "--mpi", "./mpirun"])
    wait_until((tmp_path / "started").exists, "the start of mpirun")
    one.process.send_signal(signal.SIGTERM)
    assert one.wait() == 128 + signal.SIGTERM
    assert one.stdout == ""

"""--max-restarts, and what --log-dir keeps of each attempt."""
import json
import re
import socket

TRY = """
    import os, signal, socket, sys
    attempt = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    if os.environ["RANK"] == "0":
        port = socket.socket(fileno=int(os.environ["RINGGRAD_STORE_FD"])).getsockname()[1]
        print("attempt", attempt, "of", os.environ["TORCHELASTIC_MAX_RESTARTS"], port == int(os.environ["MASTER_PORT"]))
        os.mkdir(f"said-{attempt}")
    if attempt < int(sys.argv[1]):
        while os.environ["RANK"] == "1":
            if os.path.exists(f"said-{attempt}"):
                raise ValueError(f"attempt {attempt}")
        signal.pause()
"""


def test_a_later_attempt_succeeds(finished, mpi):
    result = finished(TRY, "2", flags=["--nproc-per-node", "2", "--mpi", mpi, "--max-restarts", "3"])
    assert result.code == 0
    assert result.stdout.splitlines() == [f"[rank0]: attempt {k} of 3 True" for k in range(3)]
    errors = [line for line in result.stderr.splitlines() if line.startswith("ValueError")]
    assert errors == ["ValueError: attempt 0", "ValueError: attempt 1"]
    assert re.findall(r"restart \d of \d follows", result.stderr) == ["restart 1 of 3 follows", "restart 2 of 3 follows"]


def test_a_fixed_port_can_be_used_again(finished):
    """The second attempt listens where the first did, although a connection of the first is still closing."""
    script = """
        import os, socket
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        server = socket.socket(fileno=int(os.environ["RINGGRAD_STORE_FD"]))
        client = socket.create_connection(address)
        server.accept()[0].close()
        if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os._exit(1)
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = finished(script, flags=["--max-restarts", "1", "--master-port", str(port)])
    assert result.code == 0, result.stderr


def test_restarts_run_out(finished):
    result = finished(TRY, "9", flags=["--nproc-per-node", "2", "--mpi", "none", "--max-restarts", "1"])
    assert result.code == 1
    assert result.stderr.splitlines()[-1] == "ValueError: attempt 1"
    assert result.stdout.count("attempt") == 2


def test_no_restart_after_a_signal(launch, tmp_path):
    flags = ["--nproc-per-node=2", "--mpi=none", "--max-restarts=5", "--log-dir=logs", "--rdzv-id=run"]
    one = launch("import signal; print('ready'); signal.pause()", flags=flags)
    one.wait_for("ready", 2)
    one.process.terminate()
    assert one.wait() == 143
    assert [folder.name for folder in (tmp_path / "logs" / "run").iterdir()] == ["attempt_0"]


def logs(tmp_path):
    return {str(path.relative_to(tmp_path / "logs")): path.read_text() for path in (tmp_path / "logs").rglob("*") if path.is_file()}


TALK = """
    import os, sys
    print("out", os.environ["RANK"])
    print("err", os.environ["RANK"], file=sys.stderr)
"""


def test_redirects_and_tee(finished, tmp_path):
    flags = ["--nproc-per-node=3", "--mpi=none", "--log-dir=logs", "--rdzv-id=run", "-r", "0:3,1:1", "-t", "1:2"]
    result = finished(TALK, flags=flags)
    assert result.code == 0
    assert logs(tmp_path) == {
        "run/attempt_0/0/stdout.log": "out 0\n",
        "run/attempt_0/0/stderr.log": "err 0\n",
        "run/attempt_0/1/stdout.log": "out 1\n",
        "run/attempt_0/1/stderr.log": "err 1\n",
    }
    assert result.stdout == "[rank2]: out 2\n"
    assert sorted(result.stderr.splitlines()) == ["[rank1]: err 1", "[rank2]: err 2"]


def test_the_filter_hides_but_keeps(finished, tmp_path):
    flags = ["--nproc-per-node=2", "--mpi=none", "--log-dir=logs", "--rdzv-id=run", "--tee=1", "--local-ranks-filter=1"]
    result = finished(TALK, flags=flags)
    assert (result.stdout, result.stderr) == ("[rank1]: out 1\n", "[rank1]: err 1\n")
    assert logs(tmp_path) == {"run/attempt_0/0/stdout.log": "out 0\n", "run/attempt_0/1/stdout.log": "out 1\n"}


def test_one_rank_teed_has_no_prefix(finished, tmp_path):
    result = finished(TALK, flags=["--log-dir=logs", "--rdzv-id=run", "--tee=3"])
    assert (result.stdout, result.stderr) == ("out 0\n", "err 0\n")
    assert logs(tmp_path) == {"run/attempt_0/0/stdout.log": "out 0\n", "run/attempt_0/0/stderr.log": "err 0\n"}


def test_error_files_and_runs_of_the_same_name(finished, tmp_path):
    for _ in range(2):
        result = finished("raise ValueError('boom')", flags=["--log-dir=logs", "--rdzv-id=run", "--max-restarts=1"])
        assert result.code == 1
    kept = logs(tmp_path)
    assert sorted(kept) == [f"{run}/attempt_{k}/0/error.json" for run in ("run", "run_2") for k in (0, 1)]
    message = json.loads(kept["run/attempt_0/0/error.json"])["message"]  # as torch's own tools read it
    assert message["message"] == "ValueError: boom"
    assert message["extraInfo"]["py_callstack"].endswith("ValueError: boom\n")
    assert message["extraInfo"]["timestamp"].isdigit()


def test_last_lines_come_from_a_redirected_file(finished):
    script = "import sys; print('the reason', file=sys.stderr); sys.exit(3)"
    result = finished(script, flags=["--nproc-per-node=2", "--mpi=none", "--log-dir=logs", "--redirects=2"])
    assert result.code == 3
    assert result.stderr.splitlines()[-1] == "the reason"


def test_a_log_folder_that_cannot_be_made(finished, tmp_path):
    (tmp_path / "logs").touch()
    result = finished("print('never')", flags=["--log-dir=logs"])
    assert (result.code, result.stdout) == (2, "")
    assert "--log-dir logs: cannot make a folder there" in result.stderr

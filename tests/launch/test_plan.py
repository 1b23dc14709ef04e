"""The plan: environments, command lines and routes as pure functions."""
import sys

import pytest

from ringgrad.launch import plan
from ringgrad.launch.plan import Job, LaunchError, Program, Route

SCRIPT = Program("script", "train.py", ("--lr", "0.1"))


def test_environment_contract():
    job = Job(SCRIPT, nproc=4, nnodes=3, node_rank=2, master_addr="node0", role="trainer", run_id="r7", token="secret", max_restarts=5)
    assert plan.rank_environment(job, 1, attempt=3, master_port=29500, error_file="/e.json") == {
        "RANK": "9",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "12",
        "LOCAL_WORLD_SIZE": "4",
        "GROUP_RANK": "2",
        "GROUP_WORLD_SIZE": "3",
        "ROLE_RANK": "9",
        "ROLE_NAME": "trainer",
        "ROLE_WORLD_SIZE": "12",
        "MASTER_ADDR": "node0",
        "MASTER_PORT": "29500",
        "TORCHELASTIC_RESTART_COUNT": "3",
        "TORCHELASTIC_MAX_RESTARTS": "5",
        "TORCHELASTIC_RUN_ID": "r7",
        "RINGGRAD_STORE_TOKEN": "secret",
        "RINGGRAD_ERROR_FILE": "/e.json",
    }


@pytest.mark.parametrize(
    ("nproc", "inherited", "threads"), [(1, {}, None), (2, {}, "1"), (2, {"OMP_NUM_THREADS": "8"}, "8"), (1, {"OMP_NUM_THREADS": "8"}, "8")]
)
def test_one_thread_per_rank_unless_told_otherwise(nproc, inherited, threads):
    assert plan.base_environment(Job(SCRIPT, nproc=nproc), inherited).get("OMP_NUM_THREADS") == threads


def test_a_foreign_mpi_identity_does_not_shine_through():
    foreign = {"PMI_RANK": "3", "PMIX_RANK": "3", "OMPI_COMM_WORLD_SIZE": "9", "RINGGRAD_STORE_FD": "7"}
    kept = {"CUDA_VISIBLE_DEVICES": "1", "SLURM_JOB_ID": "1"}
    assert plan.base_environment(Job(SCRIPT), foreign | kept) == kept


@pytest.mark.parametrize(("before", "after"), [
    ({}, "/aliases"), ({"PYTHONPATH": "/mine"}, "/aliases:/mine"), ({"PYTHONPATH": "/mine:/aliases:"}, "/aliases:/mine")])
def test_the_aliases_for_torch_come_first_and_once(before, after):
    assert plan.base_environment(Job(SCRIPT, aliases="/aliases"), before) == {"PYTHONPATH": after}
    assert plan.base_environment(Job(SCRIPT), before) == before


def test_mpirun_stays_on_this_machine():
    environment = plan.mpirun_environment({"HOME": "/h", "SLURM_NODELIST": "a,b", "TMPDIR": "/tmp"}, "/run")
    assert environment["HOME"] == "/h"
    assert "SLURM_NODELIST" not in environment
    assert (environment["HYDRA_LAUNCHER"], environment["TMPDIR"]) == ("fork", "/run")


def test_command_lines():
    worker = str(plan._HERE / "_worker.py")
    assert plan.program_command(SCRIPT, 42) == [sys.executable, worker, "42", "script", "train.py", "--lr", "0.1"]
    isolated = [sys.executable, "-I", "-S", worker, "42", "command"]
    assert plan.program_command(Program("command", "/bin/ls", ("-l",)), 42) == [*isolated, "/bin/ls", "-l"]
    command = plan.mpirun_command("/opt/mpirun", 3, "/run/seats", 42)
    assert command[3:10] == [worker, "42", "command", "/opt/mpirun", "-n", "3", sys.executable]
    assert command[-2:] == [str(plan._HERE / "_seat.py"), "/run/seats"]


@pytest.mark.parametrize(
    ("choice", "text", "nproc", "nnodes", "gpus", "expected"),
    [
        ("auto", "1", 1, 1, 0, False),
        ("auto", "2", 2, 1, 0, True),
        ("auto", "2", 2, 1, 2, False),
        ("auto", "cpu", 2, 1, 2, True),
        ("none", "2", 2, 1, 0, False),
        ("mpirun", "1", 1, 1, 8, True),
        ("auto", "8", 8, 2, 8, False),
        ("none", "2", 2, 2, 0, False),
    ],
)
def test_wants_mpirun(choice, text, nproc, nnodes, gpus, expected):
    assert plan.wants_mpirun(choice, text, nproc, nnodes, gpus) is expected


@pytest.mark.parametrize("choice", ["auto", "mpirun"])
def test_one_mpi_job_cannot_span_launchers(choice):
    with pytest.raises(LaunchError, match="with your own mpirun .`mpirun -n 4 "):
        plan.wants_mpirun(choice, "2", 2, 2, 0)


@pytest.mark.parametrize(
    ("redirects", "tee", "shown", "out", "err"),
    [
        (0, 0, None, Route(True, False), Route(True, False)),
        (1, 0, None, Route(False, True), Route(True, False)),
        (3, 2, None, Route(False, True), Route(True, True)),
        (0, 1, None, Route(True, True), Route(True, False)),
        (0, 1, frozenset({1}), Route(False, True), Route(False, False)),
        (0, 0, frozenset({0}), Route(True, False), Route(True, False)),
    ],
)
def test_routes(redirects, tee, shown, out, err):
    job = Job(SCRIPT, redirects=(redirects,), tee=(tee,), shown=shown)
    assert (plan.route(job, 0, plan.STDOUT), plan.route(job, 0, plan.STDERR)) == (out, err)


@pytest.mark.parametrize(
    ("nproc", "template", "expected"),
    [(1, None, ""), (2, None, "[rank3]: "), (1, "${rank}> ", "2> "), (2, "[${role_name}${local_rank}]:", "[actor1]:"), (2, "", "")],
)
def test_prefix(nproc, template, expected):
    job = Job(SCRIPT, nproc=nproc, nnodes=4, node_rank=2 // nproc, role="actor", prefix_template=template)
    assert plan.prefix(job, nproc - 1) == expected


@pytest.mark.parametrize("template", ["${node} ", "$ "])
def test_a_prefix_that_cannot_be_filled_in(template):
    with pytest.raises(LaunchError, match=r"it may contain \$\{role_name\}, \$\{rank\}, \$\{local_rank\}"):
        plan.prefix(Job(SCRIPT, prefix_template=template), 0)

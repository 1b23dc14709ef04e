"""A rank or the launcher dies in the middle of training: everybody stops soon, nobody is left, and the first failure is told last.

The ranks train with DistributedDataParallel and a DataLoader worker each, so the others are in a collective when it happens.
"""

import os
import shutil
import signal
import time
import uuid

import pytest

pytestmark = pytest.mark.mpi

RANKS, VICTIM = 4, 2
AT_MOST_S = 5  # the time in which a job must be over, from the fault
TIMEOUT_S = 120

TRAINING = """
import os
import sys

import numpy as np

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn, optim
from ringgrad.nn.parallel import DistributedDataParallel
from ringgrad.utils.data import DataLoader, Dataset, DistributedSampler


class Noise(Dataset):
    "So many images that nobody comes to the end of the epoch."

    def __len__(self):
        return 400_000

    def __getitem__(self, index):
        return np.random.default_rng(index).normal(size=(1, 12, 12)).astype("float32"), index % 10


def main():
    dist.init_process_group("mpi", timeout=60)
    dataset, rank = Noise(), dist.get_rank()
    loader = DataLoader(dataset, batch_size=4, sampler=DistributedSampler(dataset), num_workers=1)
    model = DistributedDataParallel(nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)))
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.01), nn.CrossEntropyLoss()
    for step, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if (rank, step) == (VICTIM, 20):
            TROUBLE
        loss.backward()
        optimizer.step()
        if step == 10:
            print("in training: pid", os.getpid(), flush=True)


if __name__ == "__main__":
    main()
"""


def training(trouble="pass"):
    return TRAINING.replace("VICTIM", str(VICTIM)).replace("TROUBLE", trouble)


@pytest.fixture
def launched(launch, mpirun):
    """launched() -> a launcher with four ranks in training, which the test ends by force."""
    launches = []

    def start():
        launches.append(launch(training(), flags=["--nproc-per-node", str(RANKS)]))
        launches[-1].wait_for("in training", RANKS)
        return launches[-1]

    yield start
    for one in launches:
        for folder in one.scratch.glob("pymp-*"):  # where Python's multiprocessing keeps a socket; a killed process cannot remove it
            shutil.rmtree(folder)


def test_one_of_four_ranks_is_killed_in_mid_epoch(launched):
    one = launched()
    pids = {line.split("]")[0].lstrip("["): int(line.split()[-1]) for line in one.stdout.splitlines()}
    assert len(one.left()) >= 1 + 2 * RANKS  # the launcher, the ranks and their workers
    victim = pids[f"rank{VICTIM}"]
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    assert one.wait(TIMEOUT_S) == 128 + signal.SIGKILL
    left = one.left()
    assert time.monotonic() - killed <= AT_MOST_S
    assert left == {}
    last = one.stderr.splitlines()[-1]
    assert f"rank {VICTIM} (local rank {VICTIM}, pid {victim}) was killed by SIGKILL; ranks 0, 1 and 3 were stopped" in last


def test_the_launcher_is_killed_in_mid_epoch(launched, wait_until):
    one = launched()
    one.process.kill()
    one.process.wait()
    wait_until(lambda: not one.left(), f"the end of {one.left()}", AT_MOST_S)


@pytest.fixture
def train(starter, run_command, rank_environment, marked, wait_until, tmp_path):
    """train(starter's name, trouble) -> (exit code, output as a terminal shows it); nothing of it is left."""

    def run(name, trouble):
        (tmp_path / "train.py").write_text(training(trouble))
        mark = uuid.uuid4().hex
        environment = {**rank_environment, "RINGGRAD_TEST_LAUNCH": mark}
        code, output = run_command(starter(name, RANKS)(tmp_path / "train.py"), TIMEOUT_S, environment)
        wait_until(lambda: not marked(mark), f"processes left behind: {marked(mark)}", AT_MOST_S)
        return code, output

    return run


@pytest.mark.parametrize("name", ["ringgrad-run", "mpirun", "Open MPI"])
def test_the_traceback_of_the_one_that_fails_is_the_last_thing_printed(train, tmp_path, name):
    code, output = train(name, "raise ValueError('the cause')")
    assert code == 1, output
    lines = output.rstrip().splitlines()
    assert "in training" in output, "it failed before it should"
    at = lines.index("ValueError: the cause")
    number = 1 + training("raise ValueError('the cause')").splitlines().index("            raise ValueError('the cause')")
    assert lines[at - 2:at] == [f'  File "{tmp_path}/train.py", line {number}, in main', "    raise ValueError('the cause')"]
    after = lines[at + 1:]
    assert after == [] or "MPI_ABORT" in "".join(after) or "prterun" in "".join(after), output  # Open MPI's mpirun has the last word
    assert not any("Traceback" in line for line in after), output


@pytest.mark.parametrize("name", ["ringgrad-run", "mpirun", "Open MPI"])
def test_a_clean_exit_with_a_code_in_one_rank_ends_the_job_with_it(train, name):
    code, output = train(name, "sys.exit(3)")
    assert code == 3, output
    assert f"rank {VICTIM}" in output, output

"""examples/mnist.py as a user starts it: with python, the launcher, both MPIs; killed and resumed; with no data and no network."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import ringgrad

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mnist.py"
NEEDED = ("tqdm", "matplotlib", "tensorboard", "sklearn")
TIMEOUT_S = 120
TRAIN, TEST, BATCH, EPOCHS = 300, 100, 20, 2
STEPS = TRAIN // BATCH * EPOCHS
ANY_NUMBER_OF_RANKS = 1e-4  # relative: float32 sums in another order, through all the steps

# The power goes off when the first checkpoint is in place.
POWER_CUT = """
import os, runpy, signal, sys
import ringgrad

save = ringgrad.save

def save_and_die(*args):
    save(*args)
    os.kill(os.getpid(), signal.SIGKILL)

ringgrad.save = save_and_die
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def write_idx(path, array):
    """An array of uint8 as an IDX file (http://yann.lecun.com/exdb/mnist/)."""
    head = b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with MNIST's four files, holding some of scikit-learn's digits."""
    digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed: pip install 'ringgrad[examples]'").load_digits()
    images = np.pad(np.kron(digits.images, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2))) * (255 / 16)
    folder = tmp_path_factory.mktemp("data")
    for name, rows in {"train": slice(0, TRAIN), "t10k": slice(TRAIN, TRAIN + TEST)}.items():
        write_idx(folder / f"{name}-images-idx3-ubyte", images[rows])
        write_idx(folder / f"{name}-labels-idx1-ubyte", digits.target[rows])
    return folder


@dataclass
class Training:
    """What one run of the example printed and left."""

    output: str
    out: Path

    def accuracies(self):
        """[(epoch, per cent)] as printed, each time that it was."""
        return [(int(epoch), float(percent)) for epoch, percent in re.findall(r"epoch (\d+): test accuracy (\d+\.\d+)%", self.output)]

    def checkpoint(self):
        return ringgrad.load(self.out / "checkpoint.pt")

    def scalars(self, name):
        """[(step, value)] of TensorBoard's events, as TensorBoard reads them."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray

        events = EventAccumulator(str(self.out / "events"), size_guidance={"tensors": 0}).Reload()
        assert events.SummaryMetadata(name).plugin_data.plugin_name == "scalars"
        return [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)]


@pytest.fixture(scope="module")
def trained():
    """The runs of this module that others compare theirs with, by starter."""
    return {}


@pytest.fixture
def train(starter, needs, run_command, rank_environment, data, trained, tmp_path_factory):
    """train("mpirun") -> Training: the example with that starter, on 2 ranks but for python; run once."""

    def run(name):
        if name not in trained:
            start = starter(name)
            needs(start, *NEEDED)
            out = tmp_path_factory.mktemp("out")
            flags = ["--data", data, "--out", out, "--epochs", EPOCHS, "--batch-size", BATCH]
            code, output = run_command(start(EXAMPLE, *flags), TIMEOUT_S, rank_environment)
            assert code == 0, output
            assert f"MNIST from {data}: {TRAIN} training and {TEST} test images, {start.ranks} rank" in output
            trained[name] = Training(output, out)
        return trained[name]

    return run


@pytest.mark.parametrize("name", ["python", "ringgrad-run", pytest.param("mpirun", marks=pytest.mark.mpi),
                                  pytest.param("Open MPI", marks=pytest.mark.mpi)])
def test_it_trains_and_leaves_checkpoint_picture_and_events(train, name):
    """The same result, however many ranks there were."""
    image = pytest.importorskip("PIL.Image")
    one, alone = train(name), train("python")

    accuracies = one.accuracies()
    assert [epoch for epoch, _ in accuracies] == [1, 2]  # each of them printed by one rank only
    assert accuracies[-1][1] > 50  # chance gives 10
    assert accuracies[-1][1] == pytest.approx(alone.accuracies()[-1][1], abs=100 / TEST)
    for file in ("checkpoint.pt", "loss.png", "events"):
        assert one.output.count(f" {one.out / file}") == 1

    state, expected = one.checkpoint(), alone.checkpoint()
    assert (state["epoch"], len(state["losses"])) == (EPOCHS, STEPS)
    np.testing.assert_allclose(state["losses"], expected["losses"], rtol=ANY_NUMBER_OF_RANKS)
    assert state["model"].keys() == expected["model"].keys()
    for key, value in state["model"].items():
        difference = np.linalg.norm(value.numpy() - expected["model"][key].numpy())
        assert difference <= ANY_NUMBER_OF_RANKS * np.linalg.norm(expected["model"][key].numpy()), key

    with image.open(one.out / "loss.png") as picture:
        pixels = np.asarray(picture.convert("L"))
        assert picture.format == "PNG" and min(picture.size) > 200 and len(np.unique(pixels)) > 2
    assert one.scalars("loss") == [(step, pytest.approx(loss)) for step, loss in enumerate(state["losses"])]
    assert [step for step, _ in one.scalars("test accuracy")] == [STEPS // EPOCHS, STEPS]


def test_killed_after_the_first_epoch_and_resumed_it_ends_as_if_nothing_had_happened(
        train, starter, data, run_command, rank_environment, tmp_path):
    whole = train("ringgrad-run")
    (tmp_path / "power_cut.py").write_text(POWER_CUT)
    flags = ["--data", data, "--out", tmp_path / "out", "--epochs", EPOCHS, "--batch-size", BATCH]
    start = starter("ringgrad-run")
    code, output = run_command(start(tmp_path / "power_cut.py", EXAMPLE, *flags), TIMEOUT_S, rank_environment)
    assert code == 128 + 9, output
    assert Training(output, tmp_path / "out").accuracies() == whole.accuracies()[:1]

    code, output = run_command(start(EXAMPLE, *flags, "--resume"), TIMEOUT_S, rank_environment)
    assert code == 0, output
    resumed = Training(output, tmp_path / "out")
    assert resumed.accuracies() == whole.accuracies()[1:]
    state, expected = resumed.checkpoint(), whole.checkpoint()
    assert state["losses"] == expected["losses"]
    assert all(np.array_equal(value.numpy(), expected["model"][key].numpy()) for key, value in state["model"].items())
    assert resumed.scalars("loss") == whole.scalars("loss")


@pytest.mark.slow
def test_without_data_and_network_it_takes_the_bundled_digits(starter, needs, run_command, rank_environment, tmp_path):
    start = starter("ringgrad-run")
    needs(start, *NEEDED)
    offline = {"https_proxy": "http://127.0.0.1:1", "no_proxy": "", "NO_PROXY": ""}  # a proxy that refuses at once, whatever the address
    code, output = run_command(start(EXAMPLE, "--epochs", 1), TIMEOUT_S, {**rank_environment, **offline}, cwd=tmp_path)
    assert code == 0, output
    assert "scikit-learn's bundled digits (MNIST was not found and could not be downloaded): 1500 training and 297 test images" in output
    one = Training(output, tmp_path / "runs" / "mnist")
    (epoch, percent), = one.accuracies()
    assert epoch == 1 and percent > 30
    assert one.checkpoint()["epoch"] == 1
    assert list((tmp_path / "runs" / "data").iterdir()) == []  # no half of a download

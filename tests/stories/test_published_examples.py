"""The examples that repeat published results, made small: they learn, and one rank and two give the same."""
import json
import re
from pathlib import Path

import numpy as np
import pytest

import ringgrad

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIMEOUT_S = 120
TEXT = "To be, or not to be, that is the question.\nWhether 'tis nobler in the mind to suffer\n" * 30
GPT = ["--layers", "1", "--heads", "2", "--width", "16", "--context", "16", "--batch", "4", "--steps", "200", "--evaluations", "2"]
SAME = 1e-4  # relative: float32 sums in another order

pytestmark = pytest.mark.slow


@pytest.fixture
def run(starter, needs, run_command, rank_environment):
    """run(example, *arguments, ranks=1): what it printed; with more ranks through the launcher."""
    def start(example, *arguments, ranks=1, code=0):
        command = starter("python" if ranks == 1 else "ringgrad-run")
        needs(command, "tqdm")
        found, output = run_command(command(EXAMPLES / example, *arguments), TIMEOUT_S, rank_environment)
        assert found == code, output
        return output
    return start


@pytest.mark.mpi
def test_a_gpt_learns_a_text_and_ranks_agree(run, tmp_path):
    (tmp_path / "input.txt").write_text(TEXT)
    curves = {}
    for ranks in (1, 2):
        run("shakespeare.py", "--data", tmp_path, "--out", tmp_path / str(ranks), *GPT, ranks=ranks)
        found = json.loads((tmp_path / str(ranks) / "losses.json").read_text())["history"]
        assert [row["step"] for row in found] == [0, 200]
        curves[ranks] = [row["validation"] for row in found]
    assert curves[1][0] == pytest.approx(np.log(len(set(TEXT))), rel=0.05)  # nothing learnt yet: every character alike
    assert curves[1][1] < 0.9 * curves[1][0]
    assert curves[2] == pytest.approx(curves[1], rel=SAME)
    best = ringgrad.load(tmp_path / "1" / "best.pt")
    assert best["step"] == 200 and best["characters"] == "".join(sorted(set(TEXT)))


def test_without_a_text_it_says_where_it_looked(run, tmp_path):
    output = run("shakespeare.py", "--data", tmp_path, code=1)
    assert f"there is no text in {tmp_path}" in output and "Traceback" not in output


def test_names_are_learnt_and_written(run, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(["anna", "otto", "hannah", "bob", "eve", "ada"] * 20))
    output = run("names.py", "--data", tmp_path, "--steps", "400", "--sample", "3")
    losses = [float(x) for x in re.findall(r"(?:training|validation|test) (\d+\.\d+)", output)]
    assert len(losses) == 3 and max(losses) < 1.2  # ln 9 = 2.2 for nine letters alike
    assert len(output.splitlines()[-3:]) == 3


@pytest.fixture
def images(tmp_path):
    """Two hundred images for training and forty for testing in CIFAR-10's format; the class shows in the colour."""
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        labels = rng.integers(0, 10, 40)
        pixels = (labels[:, None] * 20 + rng.integers(0, 20, (40, 3072))).astype(np.uint8)
        (tmp_path / name).write_bytes(np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1).tobytes())
    return tmp_path


@pytest.mark.mpi
def test_a_residual_network_learns_colours_and_ranks_agree(run, images):
    curves = {}
    for ranks in (1, 2):
        run("cifar10.py", "--data", images, "--out", images / str(ranks), "--steps", 6, "--every", 3, "--blocks", 1, ranks=ranks)
        found = json.loads((images / str(ranks) / "results.json").read_text())
        curves[ranks] = [row["training loss"] for row in found["history"]]
    assert curves[1][1] < curves[1][0]
    assert curves[2] == pytest.approx(curves[1], rel=1e-3)  # six steps at the published rate make the rounding grow


def test_without_images_it_says_where_it_looked(run, tmp_path):
    output = run("cifar10.py", "--data", tmp_path, code=1)
    assert f"CIFAR-10's binary files were not found in {tmp_path}" in output and "Traceback" not in output

"""Public PyTorch programs, unedited, under real torch and under ringgrad.compat: from the same weights and draws they print the same losses.

Their sources are no part of the repository. RINGGRAD_PROGRAMS names a folder with them: examples (pytorch/examples), nanoGPT, nlp-tutorial,
facenet-pytorch, pytorch-operator, pytorch_transformers (the wheel of 1.2.0, unpacked) and data/MNIST/raw. docs/programs.md has the figures.
"""
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.torch]

HERE = Path(__file__).parent
ABSENT = {  # packages that programs import for what these runs do not do
    "requests/__init__.py": "", "requests/adapters.py": "class HTTPAdapter: pass\n", "regex.py": "", "sentencepiece.py": "", "sacremoses.py": "",
    "boto3.py": "", "botocore/__init__.py": "", "botocore/config.py": "class Config: pass\n",
    "botocore/exceptions.py": "class ClientError(Exception): pass\n", "six.py": "PY2 = False\nstring_types = (str,)\n",
    "tensorboardX.py": "from torch.utils.tensorboard import SummaryWriter\n", "tiktoken.py": ""}
LOSS = re.compile(r"(?:loss|cost)\D*?(-?\d+\.\d+)", re.IGNORECASE)


@pytest.fixture
def programs():
    folder = os.environ.get("RINGGRAD_PROGRAMS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RINGGRAD_PROGRAMS does not name a folder with the public programs")
    pytest.importorskip("torch", reason="the other side of the comparison is torch")
    return Path(folder)


@pytest.fixture
def run(programs, plain_environment, tmp_path):
    """run("examples/vae", "main.py", ..., under="torch") -> stdout, started by same_start.py in a copy of the program's folder."""
    for name, text in ABSENT.items():
        path = tmp_path / "absent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(folder, *command, under, prepare=None, launcher=None):
        if not (programs / folder).is_dir():
            pytest.skip(f"there is no {folder} in RINGGRAD_PROGRAMS")
        work = tmp_path / under / folder
        shutil.copytree(programs / folder, work, dirs_exist_ok=True)
        if prepare:
            prepare(work)
        env = plain_environment | {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join([str(tmp_path / "absent"), str(work)])}
        through = launcher or [sys.executable, *(["-m", "ringgrad.compat"] if under == "ringgrad" else []), str(HERE / "same_start.py")]
        done = subprocess.run([*through, *map(str, command)], cwd=work, env=env, capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{command} under {under} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout
    return start


def first_lines(name, count):
    """Cuts the word model's text to its first lines, all of them of one kind."""
    def prepare(work):
        for part in ("train", "valid", "test"):
            path = work / "data" / "wikitext-2" / f"{part}.txt"
            path.write_text("".join((work / "data" / "wikitext-2" / name).read_text().splitlines(keepends=True)[:count]))
    return prepare


def characters(work):
    """What nanoGPT's prepare.py makes, of a text at hand."""
    text = "".join(p.read_text() for p in sorted(work.glob("*.py"))) * 4
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text], dtype=np.uint16)
    folder = work / "data" / "shakespeare_char"
    ids[: len(ids) * 9 // 10].tofile(folder / "train.bin")
    ids[len(ids) * 9 // 10:].tofile(folder / "val.bin")
    with open(folder / "meta.pkl", "wb") as file:
        pickle.dump({"vocab_size": len(letters), "itos": dict(enumerate(letters)), "stoi": {c: i for i, c in enumerate(letters)}}, file)


WORDS = ("main.py", "--epochs", "1", "--log-interval", "5", "--lr", "2", "--emsize", "64", "--nhid", "64", "--model")
NANO = ("train.py", "config/train_shakespeare_char.py", "--device=cpu", "--compile=False", "--eval_iters=2", "--log_interval=5", "--block_size=64",
        "--batch_size=12", "--n_layer=4", "--n_head=4", "--n_embd=128", "--max_iters=20", "--dropout=0.0", "--eval_interval=10")
SAME = {  # name: (folder, command, what to do to the copy, relative tolerance, losses printed at least)
    **{f"word_language_model-{m}": ("examples/word_language_model", (*WORDS, m), first_lines("valid.txt", 400), 2e-3, 5)
       for m in ("RNN_TANH", "LSTM", "GRU", "Transformer")},
    "nanoGPT": ("nanoGPT", NANO, characters, 1e-3, 8),
    "nlp-TextLSTM": ("nlp-tutorial/3-2.TextLSTM", ("TextLSTM.py",), None, 5e-2, 1),
    "nlp-Seq2Seq": ("nlp-tutorial/4-1.Seq2Seq", ("Seq2Seq.py",), None, 5e-2, 5),
    "nlp-Transformer": ("nlp-tutorial/5-1.Transformer", ("Transformer.py",), None, 1e-3, 20),
    "pytorch_transformers": ("pytorch_transformers", (HERE / "old_transformers.py", "xlnet", "roberta", "bert", "gpt2", "xlm"), None, 1e-4, 15),
    "facenet": ("facenet-pytorch", (HERE / "faces.py",), None, 5e-3, 6),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_losses_as_under_torch(name, run):
    folder, command, prepare, tolerance, at_least = SAME[name]
    seen = {}
    for under in ("torch", "ringgrad"):
        seen[under] = [float(x) for x in LOSS.findall(run(folder, *command, under=under, prepare=prepare))]
    assert len(seen["ringgrad"]) >= at_least
    np.testing.assert_allclose(seen["ringgrad"], seen["torch"], rtol=tolerance, atol=1e-5)


def test_regression_finds_its_polynomial_under_both(run):
    for under in ("torch", "ringgrad"):
        assert float(LOSS.search(run("examples/regression", "main.py", under=under))[1]) < 1e-3


def test_ranks_of_pytorch_operator_talk(run):
    launcher = [sys.executable, "-m", "ringgrad.launch", "--as-torch", "--nproc-per-node", "2"]
    folder = "pytorch-operator/examples/smoke-dist"
    script = "dist_sendrecv.py"
    run(folder, script, under="ringgrad", launcher=launcher)


def test_mnist_of_pytorch_operator_learns_on_two_ranks(run, programs):
    raw = programs / "data" / "MNIST" / "raw"
    if not raw.is_dir():
        pytest.skip("there is no data/MNIST/raw in RINGGRAD_PROGRAMS")

    def prepare(work):
        (work.parent / "data" / "FashionMNIST").mkdir(parents=True)
        (work.parent / "data" / "FashionMNIST" / "raw").symlink_to(raw)
    out = run("pytorch-operator/examples/mnist", "mnist.py", "--log-interval", "100", under="ringgrad", prepare=prepare,
              launcher=[sys.executable, "-m", "ringgrad.launch", "--as-torch", "--nproc-per-node", "2"])
    accuracies = [float(x) for x in re.findall(r"accuracy=(\d\.\d+)", out)]
    assert len(accuracies) == 2 and min(accuracies) > 0.95

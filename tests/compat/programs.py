"""Public programs written for torch, from a folder of the person who runs the tests: the environment variable RINGGRAD_PROGRAMS names it.

The folder holds clones under their repositories' names: examples (pytorch/examples), pytorch-cifar, facenet-pytorch, ...  Programs run in a copy,
so nothing is written there.
"""
import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("RINGGRAD_PROGRAMS")
_OUTER = ("RINGGRAD_", "TORCH", "PMI", "OMPI_", "PET_")


def program(name):
    """The folder of a program, such as "examples/mnist"; skips the test where it is not."""
    if not FOLDER:
        pytest.skip("RINGGRAD_PROGRAMS does not name a folder of public programs")
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        pytest.skip(f"there is no {name} in the folder RINGGRAD_PROGRAMS")
    return path


def copy_of(name, folder):
    """A copy of the program `name` in `folder`, under its last name."""
    return shutil.copytree(program(name), os.path.join(folder, os.path.basename(name)))


def run(*arguments, under, cwd, timeout_s=240, **environment):
    """Output (stdout, then stderr) of `python ARGUMENTS` with the real torch or with ringgrad as its torch, one thread; AssertionError with the
    program's last words where it fails."""
    through = ["-m", "ringgrad.compat"] if under == "ringgrad" else []
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OUTER)}
    settings = inherited | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run([sys.executable, "-W", "ignore", *through, *map(str, arguments)], cwd=cwd, env=settings, capture_output=True, text=True,
                          timeout=timeout_s, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{arguments} under {under} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout + done.stderr


def values(output, word="loss"):
    """The numbers behind `word` at the beginnings of lines."""
    return [float(x) for x in re.findall(rf"^{word} (\S+)$", output, re.MULTILINE)]

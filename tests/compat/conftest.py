"""Programs written for torch, run as a user runs them: run_program(text, *arguments) -> (exit code, stdout, stderr)."""
import os
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def plain_environment():
    """This process's environment without what would name another torch or another launch."""
    outer = ("RINGGRAD_", "TORCH", "PMI", "OMPI_", "PET_")
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith(outer)} | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def run_program(tmp_path, plain_environment):
    """Writes a program to a folder of its own and runs it there; under="torch" with the real one, under="ringgrad" through compat."""
    def run(text, *arguments, under="ringgrad", python=(), timeout_s=60):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text))
        through = ["-m", "ringgrad.compat"] if under == "ringgrad" else []
        done = subprocess.run([sys.executable, *python, *through, "program.py", *arguments], cwd=tmp_path, env=plain_environment,
                              capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
    return run


@pytest.fixture
def compat(tmp_path, plain_environment):
    """compat(*arguments) -> (exit code, stdout, stderr) of `python -m ringgrad.compat`."""
    def run(*arguments):
        done = subprocess.run([sys.executable, "-m", "ringgrad.compat", *arguments], cwd=tmp_path, env=plain_environment, capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
    return run

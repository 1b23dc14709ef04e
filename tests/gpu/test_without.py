"""`make gpu` and `make gpu-bench` where there is no GPU: they say so, and that is no failure.  This one runs on any machine."""
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def gpu():
    """In place of the fixture that skips without a GPU."""


@pytest.mark.parametrize(("what", "name"), [("checks", "gpu"), ("measure", "gpu-bench")])
def test_a_machine_without_a_gpu_says_so(what, name, tmp_path, run_command):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "benchmarks.gpu", what, "--out", str(tmp_path)]
    code, output = run_command(command, 120, environment, ROOT)
    assert code == 0, output
    found = json.loads((tmp_path / f"{name}.json").read_text())
    assert found["gpu"] is None and found["reason"]
    assert (tmp_path / f"{name}.txt").read_text() == output
    assert "Nothing was run: there is no GPU that CuPy can use on this machine" in output


def test_make_has_both():
    words = (ROOT / "Makefile").read_text()
    assert "benchmarks.gpu checks" in words and "benchmarks.gpu measure" in words


def test_every_part_of_the_checks_exists():
    from benchmarks.gpu.checks import PARTS
    for arguments, most, tool in PARTS.values():
        assert most > 0 and tool in (None, "memcheck", "racecheck")
        for argument in arguments:
            path = argument.partition("=")[2] or argument
            if path.startswith("tests"):
                assert (ROOT / path).exists(), path


def test_a_failing_part_is_told_with_its_first_failures(tmp_path):
    from benchmarks.gpu.checks import run
    (tmp_path / "test_red.py").write_text("import pytest\n@pytest.mark.gpu\ndef test_red():\n    assert 1 == 2\n"
                                          "@pytest.mark.gpu\ndef test_green():\n    assert 1 == 1\n")
    found = run(tmp_path / "logs", "a part", [str(tmp_path / "test_red.py"), "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")], 60, None,
                dict(os.environ))
    assert (found["outcome"], found["failed"], found["passed"]) == ("failed", 1, 1)
    assert any("test_red" in line for line in found["first failures"])
    (tmp_path / "test_red.py").write_text("import threading, pytest\n@pytest.mark.gpu\ndef test_hangs():\n    threading.Event().wait(60)\n")
    found = run(tmp_path / "logs", "a part", [str(tmp_path / "test_red.py"), "-c", str(ROOT / "pyproject.toml")], 4, None, dict(os.environ))
    assert found["outcome"] == "not done after 4 s"

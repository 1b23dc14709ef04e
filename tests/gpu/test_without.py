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


@pytest.mark.parametrize(("what", "name"), [("smoke", "gpu-smoke"), ("checks", "gpu"), ("measure", "gpu-bench"), ("published", "gpu-published")])
def test_a_machine_without_a_gpu_says_so(what, name, tmp_path, run_command):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "benchmarks.gpu", what, "--out", str(tmp_path), "a part, after the options"]
    code, output = run_command(command, 120, environment, ROOT)
    assert code == 0, output
    found = json.loads((tmp_path / f"{name}.json").read_text())
    assert found["gpu"] is None and found["reason"]
    assert (tmp_path / f"{name}.txt").read_text() == output
    assert "Nothing was run: there is no GPU that CuPy can use on this machine" in output


def test_make_has_all():
    words = (ROOT / "Makefile").read_text()
    assert all(f"benchmarks.gpu {what}" in words for what in ("smoke", "checks", "measure", "published"))


@pytest.mark.slow
def test_the_measuring_code_runs_on_the_cpu(tmp_path, run_command):
    """Every section that needs no GPU, with small sizes: no row is an error, and both libraries' first losses agree where both are there."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    code, output = run_command([sys.executable, "-m", "benchmarks.gpu", "rehearse", "--out", str(tmp_path)], 300, environment, ROOT)
    assert code == 0, output
    sections = json.loads((tmp_path / "rehearsal.json").read_text())["sections"]
    assert list(sections) == ["ceilings", "launch", "steps", "kernels", "feed_forward", "attention", "optimizers"]
    for rows in sections.values():
        for name, row in rows.items():
            assert not any("error" in key for key in row), (name, row)
    for name, row in sections["steps"].items():
        assert {"ringgrad ms", "ringgrad captured ms"} <= row.keys()
        if "torch ms" in row and "ResNet-50" not in name:  # so small a batch makes batch norm amplify the rounding
            assert row["loss difference"] < 1e-3, (name, row)


NCU = """==PROF== Connected to process 1
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","dram__bytes.sum",""" + \
    """"gpu__time_duration.sum","sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"
"","","","","","","","","","","","Mbyte","usecond","%"
"0","1","python3","h","gemm(float *, int)","1","7","(256, 1, 1)","(9, 1, 1)","0","9.0","40.0","20.0","50"
"1","1","python3","h","gemm(float *, int)","1","7","(256, 1, 1)","(9, 1, 1)","0","9.0","80.0","20.0","100"
"2","1","python3","h","softmax","1","7","(256, 1, 1)","(9, 1, 1)","0","9.0","1,000.0","1,000.0","0"
"""


def test_the_counters_are_read():
    from benchmarks.gpu.largest import table_of
    table = table_of(NCU, copy=4000.0)
    assert list(table) == ["softmax", "gemm", "all kernels"]
    assert table["gemm"] == {"calls": 2, "us": 40.0, "of the step": 0.038, "MB": 120.0, "of copy": 0.75, "tensor pipe": 0.75}
    assert table["softmax"]["us"] == 1000.0 and table["softmax"]["of copy"] == 0.25 and table["all kernels"]["calls"] == 3
    with pytest.raises(RuntimeError, match="ncu printed no table: ==ERROR=="):
        table_of("==ERROR== no permission", copy=4000.0)


def test_every_part_of_the_checks_exists():
    from benchmarks.gpu.checks import PARTS, SMOKE, TOOLS
    for arguments, most, how in (*PARTS.values(), *SMOKE.values()):
        assert most > 0 and how in (None, "parallel", "command", *TOOLS)
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

"""What an installation says about the libraries it computes with."""
import subprocess
import sys

import pytest

import ringgrad
from ringgrad._config import CUDNN, TF32
from ringgrad._libraries import choice, loading

SHOW = "import sys, ringgrad; ringgrad.show_config(); assert 'cupy' not in sys.modules or not ringgrad.cuda.is_initialized()"


def test_the_report_names_each_library_with_its_version(capsys):
    ringgrad.show_config()
    said = capsys.readouterr().out
    assert said == ringgrad.__config__.show() and f"NumPy {ringgrad.__config__.np.__version__}" in said
    assert [line.split("  ")[0] for line in said.splitlines()][:3] == ["ringgrad", "CPU: products of matrices", "CPU: compiled loops"]
    assert "ringgrad.get_num_threads() : " in ringgrad.__config__.parallel_info()


@pytest.mark.parametrize("switch, words", [("RINGGRAD_CUDNN", "cuDNN is not used: turned off by RINGGRAD_CUDNN=0"),
                                           ("RINGGRAD_CUBLASLT", "cuBLASLt is not used: turned off by RINGGRAD_CUBLASLT=0")])
def test_a_library_that_is_turned_off_says_so(monkeypatch, switch, words):
    monkeypatch.setenv(switch, "0")
    assert words in dict(choice.report()).values().__str__()


def test_a_library_that_is_missing_says_why(monkeypatch):
    monkeypatch.setitem(loading.NAMES, "absent", ("libabsent.so.1", "libabsent.so.2"))
    library, why = loading.open_library("absent")
    assert library is None and "libabsent.so.2: cannot open shared object file" in why


def test_a_machine_without_a_gpu_chooses_nothing(monkeypatch):
    class FakeCupy:
        """A module by the name of CuPy whose device does not exist."""

        __name__ = "cupy"

        class cuda:
            @staticmethod
            def Device(index):
                raise RuntimeError("no such device")
    monkeypatch.setattr(choice, "WHY", {})
    assert choice.matmul(FakeCupy(), 3) is None and choice.WHY == {"matmul": "no such device"}
    assert "cuBLAS through CuPy; cuBLASLt is not used: no such device" in dict(choice.report())["products of matrices"]


def test_the_report_needs_no_gpu_and_starts_none():
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_switches_of_the_backends_reach_the_kernels():
    cudnn = ringgrad.backends.cudnn
    with cudnn.flags(enabled=False, benchmark=True, benchmark_limit=3, deterministic=True, allow_tf32=False):
        assert CUDNN == {"enabled": False, "benchmark": True, "benchmark_limit": 3, "deterministic": True} and TF32["conv"] is False
        assert cudnn.conv.fp32_precision == "ieee"
    assert CUDNN == {"enabled": True, "benchmark": False, "benchmark_limit": 10, "deterministic": False} and TF32 == {"matmul": False, "conv": True}
    ringgrad.set_float32_matmul_precision("high")
    assert TF32["matmul"] and ringgrad.backends.cuda.matmul.allow_tf32
    ringgrad.backends.cuda.matmul.allow_tf32 = False
    assert not TF32["matmul"]

"""Checks that need a GPU: all of them skip, and say so, without one."""
import sys
from pathlib import Path

import pytest

import ringgrad

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernels"), str(HERE.parents[1])]  # networks here, rows of kernels there, benchmarks.models


@pytest.fixture(autouse=True)
def gpu():
    """A GPU that CuPy can use, with CuPy's arrays known: tests wrap some that no tensor was asked for."""
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA GPU that CuPy can use on this machine")
    ringgrad.cuda.init()

"""Checks under CuPy itself, over the stand-in: `make test-cupy` runs them."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # tests.ops, the table


@pytest.fixture(autouse=True)
def leaks():
    """In place of the watch for processes, threads and files in tests/conftest.py, which would take longer than the tests."""


@pytest.fixture(scope="session")
def mode(request):
    """How kernels run: "not-launched" or "executed"; None without the stand-in."""
    return request.config.getoption("cupy_host", None)


@pytest.fixture(scope="session")
def not_launched(mode):
    """Skips unless the stand-in is there and launches do nothing."""
    if mode != "not-launched":
        pytest.skip("runs under `make test-cupy`, with kernels that are not launched")


@pytest.fixture(scope="session")
def executed(mode):
    """Skips unless the stand-in is there and kernels are run."""
    if mode != "executed":
        pytest.skip("runs under `make test-cupy`, with kernels that are run")

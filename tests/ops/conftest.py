"""The rows of this folder run operations in this process, and there are many thousands of them."""
import pytest

import ringgrad


@pytest.fixture(autouse=True)
def leaks():
    """In place of the watch for processes, threads and files in tests/conftest.py, which would take longer than the tests."""


@pytest.fixture(scope="session")
def gpu():
    """Skips tests where there is no CUDA device; asked once."""
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA device")

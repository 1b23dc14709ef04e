"""The rows of this folder run operations in this process, and there are many thousands of them."""
import pytest


@pytest.fixture(autouse=True)
def leaks():
    """In place of the watch for processes, threads and files in tests/conftest.py, which would take longer than the tests."""

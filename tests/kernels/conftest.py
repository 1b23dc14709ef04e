"""Where the tests of this folder find the GPU on the host, its rows, and the table of ops."""
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """A folder for compiled kernels, which tests that plug an emulated device share."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def xp(compiled):
    """The GPU on the host with streams, graphs and an allocator; files that need less of it have an `xp` of their own."""
    import host_capture  # which needs the path above
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp

"""Every public name of torch.cuda is here, or stands in the list of what is left out with its reason."""
import importlib

import pytest

from ringgrad import cuda
from ringgrad._left_out import reason

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch


@pytest.mark.parametrize("module", ["cuda", "cuda.memory", "cuda.random", "cuda.graphs", "cuda.nvtx", "cuda.profiler", "cuda.amp"])
def test_torchs_names(module):
    theirs, ours = importlib.import_module(f"torch.{module}"), cuda
    for part in module.split(".")[1:]:
        ours = getattr(ours, part, ours)
    for name in theirs.__all__:
        assert name == "default_generators" or hasattr(ours, name) or reason(f"torch.cuda.{name}"), f"torch.{module}.{name}"


def test_a_name_that_is_left_out_says_why():
    with pytest.raises(AttributeError, match="CuPy's pool of pinned memory keeps no accounts"):
        _ = cuda.host_memory_stats
    with pytest.raises(AttributeError, match="has no attribute 'zork'$"):
        _ = cuda.zork


def test_generators_are_there_for_each_gpu():
    assert len(cuda.default_generators) == cuda.device_count()

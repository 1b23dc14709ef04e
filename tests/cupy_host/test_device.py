"""The device in the memory of the host, as ringgrad sees it: its questions are answered, memory and streams are counted, and mistakes are told."""
import numpy as np
import pytest

import ringgrad
from ringgrad.compat import version


@pytest.fixture(autouse=True)
def stand_in(mode):
    """Skips without the stand-in."""
    if mode is None:
        pytest.skip("runs under `make test-cupy`")


def test_properties():
    assert ringgrad.cuda.is_available() and ringgrad.cuda.device_count() == 2
    assert ringgrad.cuda.get_device_capability() == (9, 0)
    assert "H200" in ringgrad.cuda.get_device_name()
    properties = ringgrad.cuda.get_device_properties(0)
    assert (properties.multi_processor_count, properties.total_memory) == (132, 150754820096)


def test_programs_learn_the_version_of_cuda():
    assert version.cuda == "13.0"


def test_copies(executed):
    x = ringgrad.arange(12.0).reshape(3, 4)
    there = x.to("cuda")
    np.testing.assert_array_equal(there.cpu().numpy(), x.numpy())
    other = there.to("cuda:1")
    assert other.device.index == 1
    np.testing.assert_array_equal(other.cpu().numpy(), x.numpy())
    np.testing.assert_array_equal(x.pin_memory().to("cuda", non_blocking=True).to("cpu", non_blocking=True).numpy(), x.numpy())


def test_memory_is_counted():
    before = ringgrad.cuda.memory_allocated()
    x = ringgrad.empty(1 << 20, device="cuda")
    assert ringgrad.cuda.memory_allocated() - before == 4 << 20
    assert ringgrad.cuda.mem_get_info()[0] <= ringgrad.cuda.mem_get_info()[1] - (4 << 20)
    del x
    assert ringgrad.cuda.memory_allocated() == before
    with pytest.raises(ringgrad.cuda.OutOfMemoryError):
        ringgrad.empty(1 << 40, device="cuda")


def test_streams_and_events():
    side, start, end = ringgrad.cuda.Stream(), ringgrad.cuda.Event(enable_timing=True), ringgrad.cuda.Event(enable_timing=True)
    start.record()
    with ringgrad.cuda.stream(side):
        assert ringgrad.cuda.current_stream() == side
        x = ringgrad.ones(3, device="cuda")
        end.record()
    ringgrad.cuda.current_stream().wait_stream(side)
    x.record_stream(ringgrad.cuda.current_stream())
    end.synchronize()
    assert side.query() and start.elapsed_time(end) >= 0


def test_a_device_that_is_not_there():
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        ringgrad.ones(3, device="cuda:7")


def test_workers_of_a_process_that_uses_cuda_are_forked_and_do_without():
    ringgrad.ones(1, device="cuda").normal_()
    here = ringgrad.utils.data.DataLoader(range(3), collate_fn=lambda batch: batch, num_workers=1)
    assert list(here) == [[0], [1], [2]]
    there = ringgrad.utils.data.DataLoader(range(3), collate_fn=lambda batch: ringgrad.tensor(batch, device="cuda"), num_workers=1)
    with pytest.raises(RuntimeError, match="Cannot re-initialize CUDA in forked subprocess"):
        list(there)


def test_what_is_not_there_says_so(capfd):
    from cupy_backends.cuda.libs import cusparse
    with pytest.raises(RuntimeError, match="cusparseGetErrorName|cusparseGetErrorString"):
        cusparse.create()
    assert "cusparseCreate is not there" in capfd.readouterr().err

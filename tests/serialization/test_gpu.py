"""Checkpoints of tensors on a GPU."""
import io

import pytest

import ringgrad

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not ringgrad.cuda.is_available(), reason="no CUDA GPU that CuPy can use on this machine")]


def test_tensors_come_back_to_their_device():
    base = ringgrad.arange(6.0, device="cuda").reshape(2, 3)
    file = io.BytesIO()
    ringgrad.save({"base": base, "turned": base.t(), "row": base[1], "cpu": ringgrad.ones(2)}, file)
    file.seek(0)
    got = ringgrad.load(file)
    assert got["base"].is_cuda and got["turned"].tolist() == base.t().tolist() and not got["cpu"].is_cuda
    got["base"].add_(1)
    assert got["row"].tolist() == [4.0, 5.0, 6.0]
    file.seek(0)
    got = ringgrad.load(file, map_location="cpu")
    assert not got["base"].is_cuda and got["row"].tolist() == [3.0, 4.0, 5.0]
    file.seek(0)
    assert ringgrad.load(file, map_location=lambda storage, location: storage.cuda(0))["cpu"].is_cuda

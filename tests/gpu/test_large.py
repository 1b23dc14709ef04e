"""Arrays beyond 2^31 bytes and beyond 2^31 elements, where the memory of the GPU allows it.  Not run on a device yet."""
import pytest

import ringgrad
import ringgrad.nn.functional as F

pytestmark = pytest.mark.gpu
GIB = 2**30


def room_for(gib):
    free, _ = ringgrad.cuda.mem_get_info()
    if free < gib * GIB:
        pytest.skip(f"{gib} GiB of free GPU memory are needed, and {free / GIB:.1f} are free")


@pytest.fixture(autouse=True)
def tidy():
    yield
    ringgrad.cuda.empty_cache()


def test_elementwise_beyond_two_to_the_31_elements():
    room_for(16)
    x = ringgrad.full((2**31 + 5,), 2.0, dtype=ringgrad.float16, device="cuda")
    y = x.sigmoid()
    assert y[0].item() == y[-1].item() == pytest.approx(0.8808, abs=1e-3)


def test_sum_of_more_than_two_to_the_31_bytes():
    room_for(12)
    x = ringgrad.ones(3 * 2**28 + 7, dtype=ringgrad.float64, device="cuda")
    x[-1] = 5.0
    assert x.sum().item() == 3 * 2**28 + 11
    assert x.max().item() == 5.0


@pytest.mark.parametrize("function", [lambda x: F.softmax(x, -1), lambda x: F.layer_norm(x, x.shape[-1:]), lambda x: F.log_softmax(x, -1)],
                         ids=["softmax", "layer norm", "log softmax"])
def test_rows_beyond_two_to_the_31_bytes(function):
    room_for(20)
    row = ringgrad.randn(1, 1031, device="cuda")
    x = row.expand(600_000, 1031).contiguous().requires_grad_()
    y = function(x)
    y[-1].sum().backward()
    small = row.clone().requires_grad_()
    want = function(small)
    want.sum().backward()
    for a, b in ((y[-1], want[0]), (y[0], want[0]), (x.grad[-1], small.grad[0])):
        assert ringgrad.allclose(a, b, atol=1e-6)
    assert x.grad[0].abs().max().item() == 0

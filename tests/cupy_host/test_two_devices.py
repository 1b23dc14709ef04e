"""Tensors of the CPU beside tensors of a GPU, where a function computes with arrays before there is an operation: refused in torch's words."""
import pytest

import ringgrad as rg
from ringgrad.nn import functional as F

AT, MASK = rg.tensor([0, 2]), rg.tensor([True, False, True])
SAME, SOURCE = "Expected all tensors to be on the same device", "Expected a 'cuda' device type for generator but found 'cpu'"
ROWS = {  # name: (call with tensors on the GPU of shapes (3), (2) and (1, 1, 2, 2), words)
    "gather": (lambda x, y, image: x.gather(0, AT), SAME),
    "index_select": (lambda x, y, image: x.index_select(0, AT), SAME),
    "take": (lambda x, y, image: x.take(AT), SAME),
    "put_": (lambda x, y, image: x.put_(AT, y), SAME),
    "index_add_": (lambda x, y, image: x.index_add_(0, AT, y), SAME),
    "masked_select": (lambda x, y, image: x.masked_select(MASK), SAME),
    "masked_scatter_": (lambda x, y, image: x.masked_scatter_(MASK, x), SAME),
    "max_unpool2d": (lambda x, y, image: F.max_unpool2d(image, rg.zeros(1, 1, 2, 2, dtype=rg.int64), 2), SAME),
    "grid_sample": (lambda x, y, image: F.grid_sample(image, rg.zeros(1, 2, 2, 2), align_corners=False), "input is on cuda:0 and grid is on cpu"),
    "multinomial": (lambda x, y, image: rg.multinomial(x, 1, generator=rg.Generator()), SOURCE),
    "init.normal_": (lambda x, y, image: rg.nn.init.normal_(x, generator=rg.Generator()), SOURCE),
    "lengths": (lambda x, y, image: rg.nn.utils.rnn.pack_padded_sequence(image[0], y.long()), "1D CPU int64 tensor, but got .* on cuda:0"),
}


@pytest.mark.parametrize("name", ROWS)
def test_two_devices_are_refused(name, mode):
    if mode is None:
        pytest.skip("runs under `make test-cupy`")
    call, words = ROWS[name]
    with pytest.raises(RuntimeError, match=words):
        call(*(rg.zeros(*shape, device="cuda") for shape in ((3,), (2,), (1, 1, 2, 2))))

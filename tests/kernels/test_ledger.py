"""The ledger of launches (benchmarks/gpu/ledger.py, host_ledger.py): what it counts, and how many launches the steps are that launches decide."""
import host_ledger
import pytest

import ringgrad
import ringgrad.nn.functional as F
from benchmarks.gpu.ledger import COUNTED, count, rows_of

MLP, CHAR_GPT = "MLP 784-512-512-10, batch 128", "char-GPT 4x128, 12x64"
LAUNCHES = {MLP: 19, CHAR_GPT: 206}  # lower these with every launch that is saved; what raises them needs a reason


@pytest.fixture
def xp():
    with host_ledger.plugged(host_ledger.device()) as xp:
        yield xp


def launches(xp, function):
    """[(kind, name, bytes read, bytes written, flops)] of what `function` launches when it is captured."""
    graph = ringgrad.cuda.CUDAGraph()
    with ringgrad.cuda.graph(graph):
        function()
    return [(launch.kind, launch.name, launch.read, launch.written, launch.flops) for launch in xp.launches]


def new(*shape, **options):
    return ringgrad.empty(shape, device="cuda", **options)


def test_a_product_is_one_launch(xp):
    x, weight = new(8, 32), new(16, 32)
    assert launches(xp, lambda: F.linear(x, weight)) == [("products", "matmul", 4 * (8 * 32 + 16 * 32), 4 * 8 * 16, 2 * 8 * 16 * 32)]


def test_a_kernel_reads_what_is_const_and_writes_the_rest(xp):
    x = new(100, 3, dtype=ringgrad.bfloat16)
    assert launches(xp, lambda: F.softmax(x, -1)) == [("softmax", "softmax", 600, 600, 0)]


def test_what_is_repeated_counts_once(xp):
    x, row = new(64, 10), new(10)
    ((_, _, read, written, _),) = launches(xp, lambda: x * row)
    assert (read, written) == (4 * (640 + 10), 4 * 640)


def test_what_is_picked_counts_and_not_the_table(xp):
    table, places = new(1000, 8), new(5, dtype=ringgrad.int64)
    ((_, _, read, written, _),) = launches(xp, lambda: F.embedding(places, table))
    assert (read, written) == (4 * 5 * 8 + 8 * 5, 4 * 5 * 8)


def test_views_are_no_launches(xp):
    x = new(4, 6, 5)
    assert launches(xp, lambda: x.transpose(1, 2)[1:, ::2].unsqueeze(0).view(1, 3, 3, 6)) == []


def test_a_view_that_cannot_be_is_a_copy(xp):
    x = new(4, 6)
    assert launches(xp, lambda: x.t().reshape(-1)) == [("copies", "reshape", 96, 96, 0)]


def test_a_convolution_is_counted_with_its_products(xp):
    x, weight = new(2, 8, 10, 10), new(16, 8, 3, 3)
    assert launches(xp, lambda: F.conv2d(x, weight)) == [
        ("convolutions", "convolution forward", 4 * (2 * 8 * 100 + 16 * 8 * 9), 4 * 2 * 16 * 64, 2 * 2 * 16 * 64 * 8 * 9)]


def test_what_comes_with_a_product_is_no_launch_but_bytes(xp):
    x, g = new(8, 32, dtype=ringgrad.float16), new(8, 16, dtype=ringgrad.float16)
    weight, bias = new(16, 32, dtype=ringgrad.float16).requires_grad_(), new(16, dtype=ringgrad.float16).requires_grad_()
    found = launches(xp, lambda: F.linear_activation(x, weight, bias, "gelu_tanh"))
    assert found == [("products", "matmul", 2 * (8 * 32 + 16 * 32 + 16), 2 * 2 * 8 * 16, 2 * 8 * 16 * 32)], "the sum is written beside the result"
    found = launches(xp, lambda: ringgrad.autograd.grad(F.linear(x, weight, bias), (weight, bias), g))
    assert found[2:] == [("products", "matmul", 2 * (8 * 32 + 8 * 16), 2 * (16 * 32 + 16), 2 * 8 * 16 * 32)]


def test_one_launch_over_all_parameters_moves_all_of_them(xp):
    parameters = [new(10).requires_grad_(), new(7, 3).requires_grad_()]
    optimizer = ringgrad.optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)

    def step():
        for p in parameters:
            p.grad = ringgrad.empty_like(p)
        optimizer.step()
    step()
    ((kind, _, read, written, _),) = launches(xp, step)
    small = read - 4 * 31 * 3
    assert (kind, written, 0 < small < 1000) == ("optimizer", 4 * 31 * 2, True)


def test_memory_is_counted_while_somebody_holds_it(xp):
    before = xp.used
    x = new(1 << 20)
    y = x[:5]
    del x
    assert xp.used - before == 4 << 20
    del y
    assert (xp.used, xp.peak - before) == (before, 4 << 20)


def test_a_network_of_any_size_costs_nothing(xp):
    x = new(1 << 17, 1 << 17)
    ((_, _, read, _, _),) = launches(xp, lambda: x.exp())
    assert read == 1 << 36


@pytest.mark.parametrize("name", LAUNCHES)
def test_nobody_adds_launches_unnoticed(name):
    found, _, _ = count(COUNTED[name])
    assert len(found) == LAUNCHES[name], "\n".join(" ".join(map(str, row)) for row in rows_of(found))

"""Autocast regions: entering, leaving, nesting, threads, the cache of cast parameters, functions of one's own."""
import threading

import pytest

import ringgrad
from ringgrad import amp, nn
from ringgrad._state import state
from ringgrad.nn import functional as F
from ringgrad.utils.checkpoint import checkpoint

BF16, F16, F32, F64 = ringgrad.bfloat16, ringgrad.float16, ringgrad.float32, ringgrad.float64


def matrix(**kwargs):
    return ringgrad.ones(3, 3, **kwargs)


def product_type():
    return (matrix() @ matrix()).dtype


def test_a_region_begins_and_ends():
    assert product_type() is F32
    with ringgrad.autocast("cpu") as region:
        assert product_type() is BF16 and ringgrad.is_autocast_enabled("cpu") and not ringgrad.is_autocast_enabled("cuda")
        assert isinstance(region, amp.autocast)
    assert product_type() is F32 and not ringgrad.is_autocast_enabled("cpu") and state.tracer is None


def test_float64_and_integers_are_left_alone():
    with ringgrad.autocast("cpu"):
        assert (matrix(dtype=F64) @ matrix(dtype=F64)).dtype is F64
        assert (matrix(dtype=ringgrad.int64) @ matrix(dtype=ringgrad.int64)).dtype is ringgrad.int64


def test_regions_nest():
    with ringgrad.autocast("cpu", dtype=F16):
        with ringgrad.autocast("cpu", enabled=False):
            assert product_type() is F32
            with ringgrad.autocast("cpu"):
                assert product_type() is F16  # the type of the region around it
        with ringgrad.autocast("cpu", dtype=BF16):
            assert product_type() is BF16
        assert product_type() is F16 and ringgrad.get_autocast_dtype("cpu") is F16
    assert ringgrad.get_autocast_dtype("cpu") is BF16 and state.tracer is None


def test_an_exception_ends_the_region():
    with pytest.raises(ValueError, match="out"), ringgrad.autocast("cpu"):
        raise ValueError("out")
    assert product_type() is F32 and state.tracer is None


def test_decorated_functions_may_call_themselves():
    @ringgrad.autocast("cpu")
    def count(n):
        """Counts down."""
        return [product_type()] + (count(n - 1) if n else [])
    assert count(2) == [BF16] * 3 and product_type() is F32
    assert count.__name__ == "count" and count.__doc__ == "Counts down."


def test_a_decorated_function_in_two_threads_at_once():
    inside, go = threading.Barrier(2, timeout=10), threading.Event()
    seen = []

    @ringgrad.autocast("cpu")
    def work(first):
        inside.wait()
        if first:
            assert go.wait(10)
        seen.append(product_type())

    def run(first):
        work(first)
        seen.append((first, product_type(), state.tracer))
        go.set()
    threads = [threading.Thread(target=run, args=(first,)) for first in (True, False)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10)
    assert seen[0] is BF16 and (True, F32, None) in seen and (False, F32, None) in seen and seen.count(BF16) == 2


def test_other_threads_are_not_in_the_region():
    seen = []
    with ringgrad.autocast("cpu"):
        t = threading.Thread(target=lambda: seen.append(product_type()))
        t.start()
        t.join(10)
    assert seen == [F32]


@pytest.mark.parametrize("other", [lambda: ringgrad.inference_mode(), lambda: ringgrad.autograd.detect_anomaly(), lambda: ringgrad.no_grad()])
def test_other_modes_inside_and_around(other):
    with other(), ringgrad.autocast("cpu"):
        assert product_type() is BF16
        with other():
            assert product_type() is BF16
            with ringgrad.autocast("cpu", enabled=False):
                assert product_type() is F32
        assert product_type() is BF16
    assert state.tracer is None and product_type() is F32


def test_gradients_come_back_in_the_type_of_the_parameters():
    layer = nn.Linear(3, 2)
    with ringgrad.autocast("cpu"):
        out = layer(matrix())
        loss = F.mse_loss(out, ringgrad.zeros(3, 2))
    loss.backward()
    assert out.dtype is BF16 and loss.dtype is F32 and layer.weight.dtype is F32
    assert layer.weight.grad.dtype is F32 and layer.bias.grad.dtype is F32


def cast_parameters(layer, x):
    """The tensors that the product's node takes its gradients to, behind the casts."""
    return layer(x)._node.edges[1]


def test_parameters_are_cast_once_in_a_region():
    layer, x = nn.Linear(3, 2), matrix()
    with ringgrad.autocast("cpu"):
        first = cast_parameters(layer, x)
        assert cast_parameters(layer, x) is first
        with ringgrad.autocast("cpu"):
            assert cast_parameters(layer, x) is first
        assert cast_parameters(layer, x) is first
        with ringgrad.no_grad():
            assert layer(x)._node is None
        assert cast_parameters(layer, x) is first
        ringgrad.clear_autocast_cache()
        assert cast_parameters(layer, x) is not first
    with ringgrad.autocast("cpu", cache_enabled=False):
        assert cast_parameters(layer, x) is not cast_parameters(layer, x)
    assert amp._state.settings.cache == {}


def test_a_parameter_that_is_written_is_cast_anew():
    layer, x = nn.Linear(3, 2, bias=False), matrix()
    with ringgrad.autocast("cpu"):
        before = layer(x)
        with ringgrad.no_grad():
            layer.weight.zero_()
        assert before.abs().sum().item() > 0 and layer(x).abs().sum().item() == 0


def test_two_uses_of_a_cached_parameter_add_their_gradients():
    layer, x = nn.Linear(3, 2, bias=False), matrix()
    with ringgrad.autocast("cpu"):
        (layer(x).sum() + layer(2 * x).sum()).backward()
    assert layer.weight.grad.tolist() == [[9.0] * 3] * 2


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_function_is_recomputed_as_it_ran(reentrant):
    seen, layer = [], nn.Linear(3, 3)

    def part(x):
        seen.append(product_type())
        return layer(x)
    x = matrix(requires_grad=True)
    with ringgrad.autocast("cpu"):
        loss = checkpoint(part, x, use_reentrant=reentrant).float().sum()
    loss.backward()
    assert seen == [BF16, BF16] and x.grad.dtype is F32 and layer.weight.grad.tolist() == [[3.0] * 3] * 3


def test_switches():
    ringgrad.set_autocast_enabled("cpu", True)
    ringgrad.set_autocast_dtype("cpu", F16)
    try:
        assert product_type() is F16
    finally:
        ringgrad.set_autocast_dtype("cpu", BF16)
        ringgrad.set_autocast_enabled("cpu", False)
    assert product_type() is F32 and state.tracer is None
    assert ringgrad.get_autocast_dtype("cuda") is F16 and ringgrad.is_autocast_cache_enabled()
    ringgrad.set_autocast_enabled(False)
    assert not ringgrad.is_autocast_enabled()
    assert amp.is_autocast_available("mps")
    assert ringgrad.autocast_increment_nesting() == 1 and ringgrad.autocast_decrement_nesting() == 0


def test_older_switches_warn():
    with pytest.warns(DeprecationWarning, match="is_autocast_enabled"):
        assert ringgrad.is_autocast_cpu_enabled() is False
    with pytest.warns(DeprecationWarning, match="get_autocast_dtype"):
        assert ringgrad.get_autocast_gpu_dtype() is F16
    with pytest.warns(FutureWarning, match="amp.autocast"), pytest.warns(UserWarning, match="CUDA is not available"):
        if ringgrad.cuda.is_available():
            pytest.skip("there is a GPU")
        region = ringgrad.cuda.amp.autocast()
    with region:
        assert product_type() is F32


def test_wrong_use():
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        ringgrad.autocast(3)
    with pytest.raises(RuntimeError, match="device"):
        ringgrad.autocast("nowhere")
    with pytest.raises(TypeError, match="requires a callable, but got int"):
        ringgrad.autocast("cpu")(3)
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported. Disabling autocast"), \
            ringgrad.autocast("cpu", dtype=F32):
        assert product_type() is F32


class Product(ringgrad.autograd.Function):
    """Matrix product that notes the types it sees."""

    seen = []

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        Product.seen.append((a.dtype, product_type()))
        return a @ b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        Product.seen.append((g.dtype, product_type()))
        return (g @ b.t()).to(a.dtype), (a.t() @ g).to(b.dtype)


def variant(cast_inputs):
    class Decorated(Product):
        forward = staticmethod(amp.custom_fwd(Product.forward, device_type="cpu", cast_inputs=cast_inputs))
        backward = staticmethod(amp.custom_bwd(Product.backward, device_type="cpu"))
    return Decorated


def test_functions_of_ones_own_run_backward_as_forward():
    Product.seen.clear()
    x = matrix(requires_grad=True)
    with ringgrad.autocast("cpu"):
        out = variant(None).apply(x, x)
    out.sum().backward()
    assert Product.seen == [(F32, BF16), (BF16, BF16)] and x.grad.dtype is F32


def test_functions_of_ones_own_may_ask_for_a_type():
    Product.seen.clear()
    x = matrix(requires_grad=True)
    with ringgrad.autocast("cpu"):
        y = x @ x
        out = variant(F32).apply(y, y)
        out.sum().backward()
    assert Product.seen == [(F32, F32), (F32, F32)]
    Product.seen.clear()
    variant(F32).apply(x.to(BF16), x.to(BF16))
    assert Product.seen == [(BF16, F32)]  # outside of a region nothing is cast


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_lists_name_what_is_there(device):
    from ringgrad._core.op import REGISTRY
    from ringgrad.amp import _lists, _policies
    for key, names in {"cpu": _lists.CPU, "cuda": _lists.CUDA}[device].items():
        known = REGISTRY.__contains__ if key.endswith(" ops") else _policies._named
        assert [n for n in names.split() if not known(n)] == []
    policies = _policies.for_device(device)
    assert policies.ops["matmul"] == "lower" and policies.of_frame is not None


def test_names_of_cuda_amp():
    from ringgrad.cuda.amp import amp_definitely_not_available
    from ringgrad.cuda.amp.grad_scaler import GradScaler, OptState
    assert issubclass(GradScaler, amp.GradScaler) and OptState is amp.OptState
    assert amp_definitely_not_available() is not ringgrad.cuda.is_available()


@pytest.mark.torch
def test_public_names():
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    for theirs, ours in ((torch.amp, ringgrad.amp), (torch.cuda.amp, ringgrad.cuda.amp), (torch.amp.autocast_mode, amp.autocast_mode),
                         (torch.amp.grad_scaler, amp.grad_scaler)):
        assert [n for n in theirs.__all__ if not hasattr(ours, n)] == []
    top = [n for n in dir(torch) if "autocast" in n or n.startswith("_amp_")]
    assert [n for n in top if not hasattr(ringgrad, n)] == []

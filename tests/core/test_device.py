"""Where tensors live: the device value, default devices, and what is said when there is no GPU."""
import pickle
import threading

import pytest

import ringgrad


@pytest.mark.parametrize(("args", "type_", "index", "text"), [
    (("cpu",), "cpu", None, "cpu"), (("cuda",), "cuda", None, "cuda"), (("cuda:1",), "cuda", 1, "cuda:1"),
    (("cuda", 2), "cuda", 2, "cuda:2"), (("meta",), "meta", None, "meta"), (("mps:0",), "mps", 0, "mps:0"),
    ((3,), "cuda", 3, "cuda:3"), ((ringgrad.device("cuda:4"),), "cuda", 4, "cuda:4"), (("cpu", 0), "cpu", 0, "cpu:0"),
])
def test_a_device_is_a_value(args, type_, index, text):
    d = ringgrad.device(*args)
    assert (d.type, d.index, str(d)) == (type_, index, text)
    assert d == ringgrad.device(text) and hash(d) == hash(ringgrad.device(text)) and pickle.loads(pickle.dumps(d)) == d
    assert d != "cpu" and repr(d) == (f"device(type='{type_}', index={index})" if index is not None else f"device(type='{type_}')")


@pytest.mark.parametrize(("args", "words"), [
    (("gpu",), "Expected one of cpu, cuda, .* device type at start of device string: gpu"),
    (("cuda:",), "Invalid device string"), (("",), "Invalid device string"), (("cuda:-1",), "Invalid device string"),
    (("cuda", -1), "must not be negative"), (("cuda:1", 2), "must not include an index"),
])
def test_what_is_no_device(args, words):
    with pytest.raises(RuntimeError, match=words):
        ringgrad.device(*args)


def test_tensors_say_where_they_are():
    x = ringgrad.ones(2)
    assert x.device == ringgrad.device("cpu") and x.is_cpu and not x.is_cuda and x.get_device() == -1
    assert x.to("cpu") is x and x.cpu() is x
    assert (x + 1).device == x.device and ringgrad.zeros_like(x).device == x.device


def test_the_default_device_is_a_context_per_thread():
    seen = []
    with ringgrad.device("cpu") as d:
        assert d == ringgrad.device("cpu")
        with ringgrad.device("cpu"):
            thread = threading.Thread(target=lambda: seen.append(ringgrad._state.state.device))
            thread.start()
            thread.join(timeout=30)
        assert ringgrad._state.state.device == d
    assert ringgrad._state.state.device is None and seen == [None]


def test_without_a_gpu_the_error_tells_the_way_out():
    if ringgrad.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert ringgrad.cuda.device_count() == 0
    for ask in (lambda: ringgrad.ones(2, device="cuda"), lambda: ringgrad.ones(2).cuda(), lambda: ringgrad.ones(2).to("cuda:1"),
                lambda: ringgrad.tensor([1.0], device=0)):
        with pytest.raises(RuntimeError, match="device='cpu'"):
            ask()


def test_an_unknown_device_is_refused_by_every_creation_function():
    for make in (lambda d: ringgrad.zeros(2, device=d), lambda d: ringgrad.tensor([1.0], device=d), lambda d: ringgrad.ones(2).to(d)):
        with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
            make("tpu")


@pytest.mark.gpu
def test_tensors_of_two_devices_do_not_mix():
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA device")
    here, there = ringgrad.ones(2), ringgrad.ones(2, device="cuda")
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device.*cpu and cuda:0"):
        here + there
    assert (there * ringgrad.tensor(2.0).item()).device.type == "cuda"


@pytest.mark.gpu
def test_gradients_live_where_their_leaves_do():
    if not ringgrad.cuda.is_available():
        pytest.skip("no CUDA device")
    x = ringgrad.ones(2, requires_grad=True)
    w = ringgrad.full((2,), 3.0, device="cuda", requires_grad=True)
    (x.cuda() * w).sum().backward()
    assert x.grad.device.type == "cpu" and w.grad.device.type == "cuda" and x.grad.tolist() == [3, 3]


def test_other_kinds_can_be_named_and_not_used():
    assert ringgrad.ones(2).device != ringgrad.device("meta")
    with pytest.raises(NotImplementedError, match="tensors live on 'cpu', 'cuda' and 'meta' devices here, not on 'mps:0'"):
        ringgrad.ones(2, device="mps:0")
    with pytest.raises(NotImplementedError, match="not on 'xpu'"):
        ringgrad.ones(2).to("xpu")

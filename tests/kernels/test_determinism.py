"""use_deterministic_algorithms on the GPU on the host: sums into repeated places take the ordered way, and give what they give on the CPU."""
import warnings

import host_capture
import host_gpu
import numpy as np
import pytest

import ringgrad
import ringgrad.nn.functional as F
from ringgrad import _alert
from ringgrad.ops import _repeated

pytestmark = pytest.mark.skipif(host_gpu.compiler() is None, reason="no g++ on the PATH to compile the CUDA sources with")


@pytest.fixture
def asked():
    ringgrad.use_deterministic_algorithms(True)
    yield
    ringgrad.use_deterministic_algorithms(False)


@pytest.fixture
def xp(compiled):
    with host_capture.plugged(host_capture.device(compiled)) as xp:
        yield xp


def gradient(call):
    def run(x, i):
        x = x.detach().requires_grad_()
        call(x, i).abs().square().sum().backward()
        return x.grad
    return run


CALLS = {
    "index": gradient(lambda x, i: x[i]), "index of two": gradient(lambda x, i: x[i, i % 3]),
    "gather": gradient(lambda x, i: x.gather(0, i[:, None])),
    "index_select": gradient(lambda x, i: x.index_select(0, i)), "embedding": gradient(lambda x, i: F.embedding(i, x)),
    "repeat_interleave": gradient(lambda x, i: x.repeat_interleave(2, 0)), "expand": gradient(lambda x, i: x.as_strided((3, 3), (1, 1))),
    "index_add": lambda x, i: x.index_add(0, i, x[:1].expand(len(i), 3)),
    "scatter_add": lambda x, i: x.scatter_add(0, i[:, None].expand(-1, 3), x[:1].expand(len(i), 3) * 3),
    "scatter": lambda x, i: x.scatter(0, i[:, None].expand(-1, 3), ringgrad.arange(3.0 * len(i), device=x.device, dtype=x.dtype).reshape(-1, 3)),
    "scatter_reduce": lambda x, i: x.scatter_reduce(0, i[:, None].expand(-1, 3), x[:1].expand(len(i), 3), "mean"),
    "index_put": lambda x, i: x.index_put((i,), ringgrad.arange(3.0 * len(i), device=x.device, dtype=x.dtype).reshape(-1, 3)),
    "index_put, adding": lambda x, i: x.index_put((i,), x[:1] * 2, accumulate=True),
    "nothing": lambda x, i: x.index_put((i[:0],), x[:0]),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int64"])
@pytest.mark.parametrize("name", CALLS)
def test_the_ordered_way_gives_the_same(xp, asked, name, dtype):
    if dtype == "int64" and CALLS[name].__name__ == "run":
        pytest.skip("integers have no gradients")
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((5, 3)) * 4).astype(dtype)
    x = x + 1j * x[::-1] if dtype == "complex64" else x
    i = np.array([1, 4, 1, 0, 1, 4, 2])
    if name == "embedding" and dtype == "complex64":
        pytest.skip("tables are real")
    there, here = (CALLS[name](*(ringgrad.from_numpy(a.copy()).to(place) for a in (x, i))) for place in ("cuda", "cpu"))
    np.testing.assert_allclose(there._data.get(), here.numpy(), rtol=1e-2 if dtype == "float16" else 1e-5, atol=1e-6)


def test_nothing_is_added_atomically(xp, asked, monkeypatch):
    """No float goes through add.at."""
    at, used = host_capture._Ufunc.at, []
    monkeypatch.setattr(host_capture._Ufunc, "at", lambda self, target, *rest: used.append((self.ufunc, target.dtype)) or at(self, target, *rest))
    x, i = (ringgrad.from_numpy(np.array(a)).to("cuda") for a in (np.ones((5, 3), np.float32), [1, 4, 1]))
    for name in CALLS:
        if name != "scatter_reduce":  # it counts in floats, which is exact in any order
            CALLS[name](x, i)
    assert {(ufunc, dtype.kind) for ufunc, dtype in used} <= {(np.maximum, "i")}
    ringgrad.use_deterministic_algorithms(False)
    x.to(ringgrad.complex64).index_add(0, i, x[:3].to(ringgrad.complex64))  # which no kernel takes
    assert used[-1] == (np.add, np.float32)  # real and imaginary parts


REFUSED = {
    "_bincount_cuda": lambda i, x: ringgrad.bincount(i, x), "cumsum_cuda_kernel": lambda i, x: x.cumsum(0),
    "histogramdd": lambda i, x: ringgrad.histogram(x, 3, weight=x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_other_way_is_refused_in_torchs_words(xp, asked, name):
    i, x = (ringgrad.from_numpy(a).to("cuda") for a in (np.array([0, 1, 1]), np.array([1.0, 2.0, 4.0])))
    with pytest.raises(RuntimeError, match=rf"^{name} does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms"
                                           r"\(True\)'. You can turn off determinism just for this operation"):
        REFUSED[name](i, x)
    ringgrad.use_deterministic_algorithms(True, warn_only=True)
    with pytest.warns(UserWarning, match=f"^{name} does not have a deterministic implementation, .*warn_only=True"):
        REFUSED[name](i, x)
    ringgrad.use_deterministic_algorithms(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        REFUSED[name](i, x)


def test_integers_and_the_cpu_are_not_refused(xp, asked):
    i, x = ringgrad.tensor([0, 1, 1]), ringgrad.tensor([1.0, 2.0, 4.0])
    assert ringgrad.bincount(i, x).tolist() == [1, 6] and x.cumsum(0).tolist() == [1, 3, 7]
    assert i.to("cuda").cumsum(0).tolist() == [0, 1, 2] and ringgrad.bincount(i.to("cuda")).tolist() == [1, 2]


def test_of_several_values_the_last_stays():
    out = np.zeros(4)

    class Module:  # NumPy under another name: the way of a GPU
        def __getattr__(self, name):
            return getattr(np, name)
    ringgrad.use_deterministic_algorithms(True)
    _repeated.put_repeated(Module(), out, np.array([2, 0, 2]), np.array([1.0, 2.0, 3.0]))
    ringgrad.use_deterministic_algorithms(False)
    assert out.tolist() == [2, 0, 3, 0]


@pytest.mark.torch
def test_the_words_are_torchs():
    torch = pytest.importorskip("torch")
    torch.use_deterministic_algorithms(True)
    ringgrad.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError) as theirs:
            torch.zeros(4).put_(torch.tensor([0]), torch.tensor([1.0]))
        with pytest.raises(RuntimeError) as ours:
            _alert.alert_not_deterministic("put_")
        assert str(ours.value) == str(theirs.value)
    finally:
        torch.use_deterministic_algorithms(False)
        ringgrad.use_deterministic_algorithms(False)

"""Short programs on CuPy's own arrays, with kernels that are run: what they end with is what they end with on the CPU."""
import copy

import numpy as np
import pytest

import ringgrad
from ringgrad import _rng

# Programs in which D is the device and T the library; the last part is an expression.
PROGRAMS = """
S = T.eye(2, device=D).to_sparse(); S * 2
S = T.eye(2, device=D).to_sparse(); S.mul_(3.0)
S = T.eye(2, device=D).to_sparse(); T.ones(2, 2, device=D) * S
x = T.ones(2, device=D, requires_grad=True); y = x * 3; e = T.autograd.graph.get_gradient_edge(y); T.autograd.grad(y.sum(), e)
x = T.ones(2, 3, device=D); a, b = copy.deepcopy([x, x.T[1]]); b.zero_(); a
w = T.ones(3, 2, device=D).requires_grad_(); s = F.embedding(T.tensor([1], device=D), w, sparse=True).sum(); (s + w.sum()).backward(); w.grad
w = T.ones(3, 2, device=D).requires_grad_(); w.sum().backward(); F.embedding(T.tensor([1], device=D), w, sparse=True).sum().backward(); w.grad
T.asarray(np.arange(3), device=D, copy=True)
T.linalg.cholesky_ex(-T.eye(2, device=D))[1]
"""

# Also run on the second GPU while the first is the current one.
ON_THE_SECOND = """
x = T.arange(6.0, device=D).reshape(2, 3); [x * 2 + x, x.sqrt(), x.sum(1), x.double(), x.half() + 1, x.T.clone(), T.cat([x, x]), x @ x.T, x.sort()[0]]
x = T.arange(6.0, device=D); [x[x > 2], x[[1, 0]], T.where(x > 2, x, 0.0), x.masked_select(x > 3), x.cumsum(0), T.full_like(x, 3)]
x = T.arange(6.0, device=D); x.add_(1); x[x > 2] = 0.0; x[1:3] *= 3; x.put_(T.tensor([0], device=D), x[:1]); x.resize_(8)[:6]
x = T.arange(3.0, device=D).requires_grad_(); (x * x.detach()[[0, 0, 1]]).sum().backward(); x.grad
x = T.arange(3.0, device=D).requires_grad_(); y = x * 2; y.retain_grad(); y[x > 1] = 0.0; y.sum().backward(); [x.grad, y.grad]
x = T.arange(3.0, device=D).requires_grad_(); T.autograd.grad(T.autograd.grad((x ** 3).sum(), x, create_graph=True)[0].sum(), x)
T.func.jacrev(lambda a: a ** 2)(T.arange(3.0, device=D))
x = T.arange(3.0, device=D); [copy.deepcopy(x), x.int().bincount(), x.histc(3), x.repeat_interleave(T.tensor([1, 0, 2]))]
S = T.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2), device=D); [S.to_dense(), S.coalesce().values(), T.eye(2, device=D).to_sparse()]
"""


def outcome(program, device):
    """The values of a program's last expression."""
    *lines, last = program.split("; ")
    scope = {"T": ringgrad, "D": device, "F": ringgrad.nn.functional, "np": np, "copy": copy}
    exec("\n".join(lines), scope)
    found = eval(last, scope)
    found = [*found] if isinstance(found, (list, tuple)) else [found]
    assert [str(t.device) for t in found] == [str(ringgrad.empty(0, device=device).device)] * len(found)
    return [*map(described, found)]


def described(x):
    """(type, layout, requires_grad, values) of a tensor."""
    return str(x.dtype), str(x.layout), x.requires_grad, x.detach().to_dense().cpu().tolist()


@pytest.mark.parametrize("program", PROGRAMS.strip().splitlines())
def test_values_are_those_of_the_cpu(program, executed):
    assert outcome(program, "cuda") == outcome(program, "cpu")


@pytest.mark.parametrize("program", (PROGRAMS + ON_THE_SECOND.lstrip()).strip().splitlines())
def test_what_lies_on_another_gpu_is_computed_there(program, executed):
    """CuPy warns, which is an error here, where the current GPU reads another's memory."""
    assert ringgrad.cuda.current_device() == 0
    assert outcome(program, "cuda:1") == outcome(program, "cpu")


def three_steps(device):
    """The losses of three steps of a network on `device`, which nobody made the current one."""
    nn = ringgrad.nn
    ringgrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3)).to(device)
    optimizer = ringgrad.optim.AdamW(model.parameters(), lr=0.1)
    x, y, losses = ringgrad.arange(8.0).reshape(2, 4).to(device) / 8, ringgrad.tensor([0, 2], device=device), []
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_network_trains_on_another_gpu(executed):
    np.testing.assert_allclose(three_steps("cuda:1"), three_steps("cpu"), rtol=1e-5)


def test_two_gpus_in_one_operation_are_refused(executed):
    with pytest.raises(RuntimeError, match="found at least two devices, cuda:0 and cuda:1"):
        ringgrad.ones(2, device="cuda:0") + ringgrad.ones(2, device="cuda:1")


@pytest.mark.parametrize("function", ["inv", "cholesky"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2, 2)])
def test_matrices_that_cannot_be_factored_are_told(function, shape, executed):
    """CuPy itself would go on with what the library left behind."""
    with pytest.raises(ringgrad.linalg.LinAlgError, match=function):
        getattr(ringgrad.linalg, function)(ringgrad.zeros(shape, device="cuda"))


@pytest.fixture
def no_generators(executed, monkeypatch):
    """As in a program that has drawn no random number on a GPU yet."""
    monkeypatch.setattr(_rng, "_defaults", {})
    monkeypatch.setattr(_rng, "_seed", None)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_again_what_was_drawn_on_a_gpu_for_the_first_time(use_reentrant, no_generators):
    x = ringgrad.ones(8, device="cuda", requires_grad=True)
    y = ringgrad.utils.checkpoint.checkpoint(lambda x: x * ringgrad.rand(8, device="cuda"), x, use_reentrant=use_reentrant)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.cpu().numpy(), y.detach().cpu().numpy())


def test_vmap_sees_the_first_random_number_of_a_gpu(no_generators):
    with pytest.raises(RuntimeError, match="randomness error mode"):
        ringgrad.vmap(lambda a: a + ringgrad.rand(3, device="cuda"))(ringgrad.ones(2, 3, device="cuda"))


def test_fork_rng_keeps_a_generator_that_is_made_inside(no_generators):
    ringgrad.manual_seed(3)
    with ringgrad.random.fork_rng():
        ringgrad.manual_seed(4)
        ringgrad.rand(2, device="cuda")
    found = ringgrad.rand(2, device="cuda").tolist()
    ringgrad.manual_seed(3)
    assert found == ringgrad.rand(2, device="cuda").tolist()

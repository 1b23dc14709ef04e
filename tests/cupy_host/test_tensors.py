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
T.asarray(np.arange(3), device=D, copy=True)
T.linalg.cholesky_ex(-T.eye(2, device=D))[1]
"""


def outcome(program, device):
    """The values of a program's last expression."""
    *lines, last = program.split("; ")
    scope = {"T": ringgrad, "D": device, "np": np, "copy": copy}
    exec("\n".join(lines), scope)
    found = eval(last, scope)
    return [*map(described, found)] if isinstance(found, (list, tuple)) else described(found)


def described(x):
    """(type, layout, requires_grad, values) of a tensor."""
    return str(x.dtype), str(x.layout), x.requires_grad, x.detach().to_dense().cpu().tolist()


@pytest.mark.parametrize("program", PROGRAMS.strip().splitlines())
def test_values_are_those_of_the_cpu(program, executed):
    assert outcome(program, "cuda") == outcome(program, "cpu")


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

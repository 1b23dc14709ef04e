"""ringgrad.distributed.nn: gradients go through the collectives as through the sums that they are; and checkpoint wrappers."""
import numpy as np
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad import nn
from ringgrad.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    CheckpointWrapper,
    apply_activation_checkpointing,
    checkpoint_wrapper,
    offload_wrapper,
)

SIZE = 3
GIVEN = np.random.default_rng(0).normal(size=(SIZE, SIZE, 2))  # rank, part for rank, elements
WEIGHTS = np.random.default_rng(1).normal(size=(SIZE, SIZE, 2))  # of the results, on each rank


def on_ranks(function):
    """[(result, gradient of the input)] of a collective on rank r's GIVEN[r], of which the loss is the WEIGHTS' sum."""
    def body():
        rank = dist.get_rank()
        x = ringgrad.tensor(GIVEN[rank], requires_grad=True)
        out = function(x)
        out = ringgrad.stack(list(out)) if isinstance(out, tuple) else out
        (out * ringgrad.tensor(WEIGHTS[rank][:len(out)])).sum().backward()
        return out.detach().numpy(), x.grad.numpy()
    return dist.spawn_local(body, SIZE)


@pytest.mark.parametrize(("function", "result", "gradient"), [
    (lambda x: dist.nn.all_reduce(x), lambda r: GIVEN.sum(0), lambda r: WEIGHTS.sum(0)),
    (lambda x: dist.nn.broadcast(x, 1), lambda r: GIVEN[1], lambda r: WEIGHTS.sum(0) if r == 1 else 0 * WEIGHTS[0]),
    (lambda x: dist.nn.all_gather(x[0]), lambda r: GIVEN[:, 0], lambda r: np.stack([WEIGHTS[:, r].sum(0), *0 * WEIGHTS[0, 1:]])),
    (lambda x: dist.nn.reduce_scatter(x[0], list(x.unbind()))[None], lambda r: GIVEN[:, r].sum(0)[None], lambda r: WEIGHTS[:, 0]),
    (lambda x: dist.nn.scatter(list(x.unbind()), 2)[None], lambda r: GIVEN[2, r][None], lambda r: WEIGHTS[:, 0] if r == 2 else 0 * WEIGHTS[0]),
    (lambda x: dist.nn.all_to_all(list(ringgrad.empty(SIZE, 2).double().unbind()), list(x.unbind())), lambda r: GIVEN[:, r], lambda r: WEIGHTS[:, r]),
    (lambda x: dist.nn.all_to_all_single(ringgrad.empty(SIZE, 2).double(), x), lambda r: GIVEN[:, r], lambda r: WEIGHTS[:, r]),
])
def test_results_and_gradients(function, result, gradient):
    for rank, (out, grad) in enumerate(on_ranks(function)):
        np.testing.assert_allclose(out, result(rank))
        np.testing.assert_allclose(grad, gradient(rank))


def test_reduce_and_gather_end_on_one_rank():
    ends = on_ranks(lambda x: dist.nn.reduce(x, 1))
    np.testing.assert_allclose(ends[1][0], GIVEN.sum(0))
    assert all(np.allclose(grad, WEIGHTS[1]) for _, grad in ends)
    ends = on_ranks(lambda x: dist.nn.gather(x[0], 1))
    np.testing.assert_allclose(ends[1][0], GIVEN[:, 0])
    assert all(np.allclose(grad[0], WEIGHTS[1, rank]) for rank, (_, grad) in enumerate(ends))


def model():
    ringgrad.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 1))


@pytest.mark.parametrize("wrap", [checkpoint_wrapper, lambda m: checkpoint_wrapper(m, CheckpointImpl.REENTRANT), offload_wrapper])
def test_a_wrapped_model_is_the_model(wrap):
    plain, wrapped = model(), model()
    apply_activation_checkpointing(wrapped, wrap, lambda part: isinstance(part, nn.Sequential))
    assert list(dict(wrapped[1].named_parameters())) == ["0.weight", "0.bias"]
    assert wrapped[1][0].weight is wrapped[1]._checkpoint_wrapped_module[0].weight
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    wrapped.load_state_dict(plain.state_dict())
    x = ringgrad.randn(5, 3)
    for m in (plain, wrapped):
        m(x).square().sum().backward()
    for p, q in zip(plain.parameters(), wrapped.parameters(), strict=True):
        assert ringgrad.equal(p.grad, q.grad)


def test_a_wrapped_part_runs_twice():
    calls = []
    part = nn.Linear(2, 2)
    part.register_forward_pre_hook(lambda *_: calls.append(1))
    wrapped = CheckpointWrapper(part)
    wrapped(ringgrad.ones(1, 2)).sum().backward()
    assert len(calls) == 2

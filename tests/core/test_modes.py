"""Tracers and modes together: what enters through the slot sees every operation, nests, and leaves no trace."""
import pytest

import ringgrad
from ringgrad._state import state

from ..ops.checks import Recorder


@pytest.fixture(autouse=True)
def nothing_stays_switched():
    yield
    assert (state.grad, state.inference, state.tracer, state.device, state.devices, state.anomaly) == (True, False, None, None, (), False)


def test_a_tracer_sees_every_operation_with_its_attributes():
    x = ringgrad.ones(2, 3)
    with Recorder() as seen:
        y = (x + 1).sum(1)
        y.mul_(2)
    assert [(op.name, inplace) for op, _, _, inplace in seen.calls] == [("add", False), ("sum", False), ("multiply", True)]
    assert seen.calls[1][2]["axis"] in (1, (1,)) and seen.calls[0][1] == (x, 1)


def test_a_tracer_sees_the_recorded_backward_pass():
    x = ringgrad.ones(2, requires_grad=True)
    y = x.exp().sum()
    with Recorder() as seen:
        ringgrad.autograd.grad(y, x, create_graph=True)
    assert "multiply" in seen.names


def test_a_tracer_may_answer_itself():
    state.tracer = lambda op, inputs, attrs, inplace=False: op.name
    try:
        assert ringgrad.ops.exp(5.0) == "exp"
    finally:
        state.tracer = None


def test_inference_mode_inside_anomaly_mode_and_back():
    x = ringgrad.ones(2, requires_grad=True)
    with ringgrad.autograd.detect_anomaly():
        with ringgrad.inference_mode():
            assert (x * 2).is_inference()
        y = x * 3
        assert y.grad_fn.trace and not y.is_inference()


def test_anomaly_mode_inside_inference_mode():
    x = ringgrad.ones(2, requires_grad=True)
    with ringgrad.inference_mode():
        with ringgrad.autograd.detect_anomaly():
            assert (x * 2).is_inference()
        assert (x * 2).is_inference()
    assert not (x * 2).is_inference()


def test_set_detect_anomaly_as_a_function():
    ringgrad.autograd.set_detect_anomaly(True)
    assert ringgrad.autograd.is_anomaly_enabled()
    ringgrad.autograd.set_detect_anomaly(False)
    assert not ringgrad.autograd.is_anomaly_enabled()


def test_modes_nest_in_any_order():
    with ringgrad.no_grad(), ringgrad.inference_mode(), ringgrad.enable_grad(), ringgrad.device("cpu"):
        assert state.grad and state.inference and state.device == ringgrad.device("cpu")
    with ringgrad.inference_mode(), ringgrad.inference_mode(False):
        assert not state.inference and state.grad and not (ringgrad.ones(2) + 1).is_inference()


@pytest.mark.parametrize("mode", [ringgrad.no_grad, ringgrad.enable_grad, ringgrad.inference_mode, ringgrad.autograd.detect_anomaly,
                                  lambda: ringgrad.set_grad_enabled(False), lambda: ringgrad.device("cpu")])
def test_an_exception_inside_restores_everything(mode):
    with pytest.raises(KeyError), mode():
        raise KeyError

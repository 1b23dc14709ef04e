"""NumPy's floating-point warnings: none from ringgrad, and the user's own are left as they were."""
import threading
import warnings

import numpy as np
import pytest

import ringgrad
from ringgrad._core.quiet import quiet


def overflow():
    """Every kind of floating-point error, forward, backward, with half precision, integers and in place."""
    x = ringgrad.tensor([0.0, -1.0, 1e30, 3e38], requires_grad=True)
    y = x.log() + x / 0.0 + x * x + x.exp() + (x - x.sqrt()) / (x * 0)
    y.sum().backward()
    ringgrad.tensor([60000.0]).half().exp() * 2
    ringgrad.tensor([100], dtype=ringgrad.int8) * 100
    ringgrad.zeros(1).div_(0.0).add_(1e39)
    ringgrad.zeros(1, dtype=ringgrad.float16).add_(ringgrad.tensor([1e30]))
    return y


def numpy_warns():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.float64(1) / np.zeros(1)
    return len(caught) == 1


def test_nothing_is_said_and_nothing_changes_outside():
    before = np.geterr()
    out = overflow()
    assert not np.isfinite(out.detach().numpy()).any(), "the values chosen provoke nothing"
    assert np.geterr() == before
    assert numpy_warns()


def test_the_users_own_setting_survives_and_does_not_reach_in():
    with np.errstate(all="raise"):
        overflow()
        with pytest.raises(FloatingPointError):
            np.float64(1) / np.zeros(1)


def test_it_is_restored_after_an_error():
    before = np.geterr()
    with pytest.raises(RuntimeError):
        ringgrad.zeros(2) + ringgrad.zeros(3)
    with pytest.raises(RuntimeError):
        ringgrad.zeros(2, dtype=ringgrad.int64) + ringgrad.zeros(3)
    x = ringgrad.zeros(2, requires_grad=True)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        x.sum().backward()
    assert np.geterr() == before


def test_other_threads_too():
    seen = []

    def work():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            overflow()
        seen.append(np.geterr())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [np.geterr()]


def test_quiet_block():
    with quiet():
        assert set(np.geterr().values()) == {"ignore"}
        np.float64(1) / np.zeros(1)
    assert numpy_warns()

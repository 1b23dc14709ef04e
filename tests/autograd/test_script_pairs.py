"""Small scripts, run with the same text on ringgrad and on torch: every value they end with, or the error they end in, is the same."""
import re

import pytest

import ringgrad

from . import (
    scripts_backward,
    scripts_engine,
    scripts_func,
    scripts_function,
    scripts_functional,
    scripts_graph,
    scripts_hooks,
    scripts_inplace,
    scripts_modes,
    scripts_printing,
)
from .script import assert_same, plain

SCRIPTS = [s for family in (scripts_backward, scripts_inplace, scripts_modes, scripts_hooks, scripts_function, scripts_functional, scripts_func,
                               scripts_graph, scripts_engine, scripts_printing)
           for s in family.SCRIPTS]


@pytest.fixture(autouse=True)
def modes_are_left_as_found():
    yield
    assert ringgrad.is_grad_enabled() and not ringgrad.is_inference_mode_enabled()
    ringgrad.set_grad_enabled(True)


@pytest.mark.torch
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_the_same_script_gives_the_same(script):
    torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
    theirs, their_error = script.run(torch)
    ours, our_error = script.run(ringgrad)
    if script.raises:
        assert their_error is not None, "torch raised nothing"
        assert re.search(script.raises, str(their_error)), f"torch said: {their_error}"
        assert our_error is not None, f"raised nothing, but torch: {type(their_error).__name__}: {their_error}"
        assert type(our_error) is type(their_error), f"{type(our_error).__name__}: {our_error}; torch: {type(their_error).__name__}"
        assert re.search(script.ours or script.raises, str(our_error)), f"said: {our_error}; torch: {their_error}"
        return
    expressions = [e.strip() for e in script.compare.split(";")]
    assert len(ours) == len(theirs) == len(expressions) > 0
    for expression, a, b in zip(expressions, ours, theirs, strict=True):
        assert_same(plain(a), plain(b), expression)

"""Small scripts on modules, run with the same text on ringgrad and on torch: the same values, or the same kind of error."""
import re

import pytest

import ringgrad

from ..autograd.script import assert_same, plain
from . import (
    scripts_containers,
    scripts_functional,
    scripts_hooks,
    scripts_lazy,
    scripts_members,
    scripts_meta,
    scripts_parametrizations,
    scripts_prune,
    scripts_state_dict,
    scripts_tails,
)

SCRIPTS = [s for family in (scripts_members, scripts_hooks, scripts_state_dict, scripts_containers,
                                scripts_lazy, scripts_parametrizations, scripts_prune, scripts_tails, scripts_functional,
                                scripts_meta) for s in family.SCRIPTS]


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

"""docs/compatibility.md promises nothing that is not there."""
import re

import pytest

import ringgrad

from . import census

TEXT = census.TARGET.read_text()


def listed_as_missing():
    return set(re.findall(r"`([^`]+)` \(\d+\)", TEXT.partition("## Missing")[2].partition("##")[0]))


def test_what_is_not_listed_as_missing_is_there():
    missing = {name for name in census.census() if census.found(name) is None}
    assert not missing - listed_as_missing(), "gone since `make compatibility` was last run"


def test_the_page_is_one_that_make_compatibility_wrote():
    assert TEXT.startswith(census.HEAD) and len(census.census()) == 602
    assert re.search(r"\*\*all\*\* \| 602 \| \d+ \| \d+ \| \d+ \|", TEXT)


def test_what_is_left_out_is_not_there_or_says_so():
    arguments = {"Tensor.reinforce": (1.0,), "Tensor.to_padded_tensor": (0.0,)}
    for name in census.LEFT_OUT:
        thing = None if name.endswith("*") else census.found(name)
        if callable(thing):  # a module may stand there whose names refuse
            with pytest.raises((RuntimeError, NotImplementedError), match=name.partition(".")[2]):
                thing(ringgrad.ones(2), *arguments.get(name, ()))

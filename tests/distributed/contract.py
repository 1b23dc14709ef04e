"""The contract as a pytest class: a subclass says how to run one rule on n ranks, and inherits one test per rule and world size."""

import pytest
from contract_rules import RULES


def cases(backend, sizes=(1, 2, 3, 4)):
    """(rule, world size) for one backend."""
    return [(name, size) for name, each in RULES.items() if backend not in each.never for size in each.ranks if size in sizes]


class CollectiveContract:
    """backend: its name.  sizes: world sizes to run.  run(rule, size): raise or fail if the rule does not hold."""

    backend = ""
    sizes = (1, 2, 3, 4)

    def run(self, rule, size):
        raise AssertionError("a subclass says how")

    def test_rule(self, rule, size):
        self.run(rule, size)


def one_test_per_rule_and_size(metafunc):
    """To be called from a conftest's pytest_generate_tests: one test per rule and size of the class."""
    if metafunc.cls is not None and issubclass(metafunc.cls, CollectiveContract) and "rule" in metafunc.fixturenames:
        rows = cases(metafunc.cls.backend, metafunc.cls.sizes)
        metafunc.parametrize(("rule", "size"), [pytest.param(rule, size, id=f"{rule}-{size}") for rule, size in rows])

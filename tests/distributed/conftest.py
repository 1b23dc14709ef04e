"""Fixtures of the tests of ringgrad.distributed; the contract lies beside them as modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from contract import one_test_per_rule_and_size  # noqa: E402


def pytest_generate_tests(metafunc):
    one_test_per_rule_and_size(metafunc)

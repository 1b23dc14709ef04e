"""A plugin of pytest's: `-p tests.cupy_host.plugin --cupy-host not-launched` gives CuPy a device in the memory of the host (stand_in.py).

not-launched: kernels are neither compiled nor run, so results have types and shapes but no values.  executed: they are compiled by g++ and run.
Python processes that tests start have the device too: CUPY_HOST says how, children/ is on their path.
"""
import os
from pathlib import Path

import pytest

from . import stand_in

CHILDREN = str(Path(__file__).parent / "children")


def pytest_addoption(parser):
    parser.addoption("--cupy-host", choices=("not-launched", "executed"), help="run CuPy without a GPU, over a stand-in for the CUDA runtime")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Before any conftest imports ringgrad, and somebody asks it for devices."""
    mode = early_config.known_args_namespace.cupy_host
    if mode and not stand_in.missing():
        stand_in.install(execute=mode == "executed")
        os.environ.update(CUPY_HOST=mode, PYTHONPATH=os.pathsep.join([CHILDREN, *filter(None, [os.environ.get("PYTHONPATH")])]))


def pytest_report_header(config):
    """Says in what way CuPy runs, or why it does not."""
    mode = config.getoption("cupy_host")
    return f"CuPy on the host: {stand_in.missing() or 'kernels ' + mode.replace('-', ' ')}" if mode else None

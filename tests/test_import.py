"""`import ringgrad` is quick and quiet: NumPy and little else, no CuPy, no MPI, no threads, no CUDA context."""
import importlib
import os
import pkgutil
import subprocess
import sys
import textwrap
import types

import pytest

import ringgrad

OPTIONAL = ("cupy", "mpi4py", "cuda", "torch", "numba", "matplotlib", "tensorboard", "sklearn", "tqdm", "onnx", "safetensors")


def fresh(code, **environment):
    """What a new interpreter prints when it runs `code`."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_does_little_over_numpys(tmp_path):
    """Counted, for a time on a busy machine says little: `make bench` prints it, at most 150 ms.

    The first process keeps the byte code for the second, whatever this one was told.
    """
    for _ in range(2):
        counted = fresh("""
            import sys, numpy
            calls, before = 0, len(sys.modules)
            def count(frame, event, argument):
                global calls
                calls += event in ("call", "c_call")
            sys.setprofile(count)
            import ringgrad
            sys.setprofile(None)
            print(calls, len(sys.modules) - before)
        """, PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(tmp_path))
    calls, modules = map(int, counted.split())
    assert calls < 90_000, f"import ringgrad calls {calls} functions"
    assert modules < 210, f"import ringgrad loads {modules} modules beside NumPy's"


def test_import_loads_no_optional_library():
    loaded = fresh("""
        import sys, ringgrad
        print(*{m.partition('.')[0] for m in sys.modules})
    """).split()
    assert "ringgrad" in loaded and "numpy" in loaded
    assert not set(OPTIONAL) & set(loaded)


def test_work_on_the_cpu_loads_no_optional_library():
    loaded = fresh("""
        import sys, ringgrad
        from ringgrad import nn, optim, distributed
        x = ringgrad.ones(3, requires_grad=True)
        (x * x).sum().backward()
        assert x.grad.tolist() == [2, 2, 2]
        print(*{m.partition('.')[0] for m in sys.modules})
    """).split()
    assert not set(OPTIONAL) & set(loaded)


def test_import_starts_no_thread_and_touches_no_driver():
    assert fresh("""
        import os, threading, ringgrad
        maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
        print(threading.active_count(), "libcuda" in maps, "libmpi" in maps)
    """) == "1 False False"


def test_import_leaves_the_users_numpy_alone():
    assert fresh("""
        import warnings, numpy as np
        def settings():
            return np.geterr(), np.get_printoptions(), list(warnings.filters), np.random.get_state()[1].tobytes()
        before = settings()
        import ringgrad
        ringgrad.manual_seed(1)
        x = ringgrad.randn(3, requires_grad=True)
        (x / 0).sum().backward()
        print(settings() == before)
    """) == "True"


@pytest.mark.parametrize("name", ["autograd", "nn", "optim", "cuda", "distributed", "launch", "utils"])
def test_packages_come_by_attribute_and_by_import(name):
    assert getattr(ringgrad, name) is importlib.import_module(f"ringgrad.{name}")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ringgrad' has no attribute 'tensro'"):
        ringgrad.tensro  # noqa: B018


def test_everything_in_all_exists():
    missing = [name for name in ringgrad.__all__ if not hasattr(ringgrad, name)]
    assert not missing
    assert set(ringgrad.__all__) <= set(dir(ringgrad))


def test_no_module_hides_a_function_of_its_package():
    """Importing package/name.py sets package.name: a function of that name would be gone."""
    assert fresh("""
        import importlib, pkgutil, ringgrad
        for name in [m.name for m in pkgutil.walk_packages(ringgrad.__path__, "ringgrad.")]:
            parent, _, last = name.rpartition(".")
            package = importlib.import_module(parent)
            before = vars(package).get(last)
            try:
                importlib.import_module(name)
            except (ImportError, RuntimeError):
                continue  # needs a library or a device that is not here
            if before is not None and vars(package)[last] is not before:
                print(name)
    """) == ""


def test_the_public_functions_are_not_modules():
    for info in pkgutil.iter_modules(ringgrad.__path__):
        if not info.name.startswith("_") and info.name in ringgrad._methods.FUNCTIONS:
            assert not isinstance(getattr(ringgrad, info.name), types.ModuleType), f"ringgrad.{info.name} is a file and a function"

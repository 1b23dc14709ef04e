"""Every public name of torch.optim and its modules is here, with torch's arguments and defaults."""
import inspect

import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

LEFT_OUT = {}  # {module: {name: why}}
MODULES = {"optim": "optim", "optim.lr_scheduler": "optim.lr_scheduler", "optim.swa_utils": "optim.swa_utils", "optim.optimizer": "optim.optimizer"}


def module(library, path):
    for part in path.split("."):
        library = getattr(library, part)
    return library


def theirs(path):
    import sys
    return sys.modules[f"torch.{path}"]


@pytest.mark.parametrize("path", MODULES)
def test_public_names(path):
    ours, left_out = module(ringgrad, path), LEFT_OUT.get(path, {})
    missing = [n for n in theirs(path).__all__ if not hasattr(ours, n)]
    assert missing == list(left_out)
    assert [n for n in theirs(path).__all__ if n not in ours.__all__ and n not in left_out] == []


CLASSES = [(path, n) for path in ("optim", "optim.lr_scheduler", "optim.swa_utils") for n in theirs(path).__all__
           if callable(getattr(theirs(path), n)) and n not in LEFT_OUT.get(path, {})]


@pytest.mark.parametrize(("path", "name"), CLASSES)
def test_arguments_and_defaults(path, name):
    def arguments(f):
        return [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]
    assert arguments(getattr(module(ringgrad, path), name)) == arguments(getattr(theirs(path), name))


@pytest.mark.parametrize("name", [n for n in torch.optim.__all__ if inspect.isclass(getattr(torch.optim, n)) and n != "Optimizer"])
def test_methods_defaults_and_representation(name):
    def made(library):
        return getattr(library.optim, name)([library.zeros(2, 2, requires_grad=True)])
    ours, other = made(ringgrad), made(torch)
    public = [m for m in dir(other) if not m.startswith("_")]
    assert [m for m in public if not hasattr(ours, m)] == []
    assert ours.defaults == other.defaults and list(ours.defaults) == list(other.defaults)
    assert repr(ours) == repr(other)
    assert list(ours.param_groups[0]) == list(other.param_groups[0])

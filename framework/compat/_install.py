"""The aliases: a finder at the head of `sys.meta_path` that answers every import of torch and torchvision with ringgrad's modules."""
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

from .. import _config
from . import _missing, _modules
from ._tables import ALIASES, ROOTS, UNBUILT, VIEWS

SHADOW = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shadow")


def install():
    """Make `import torch` and `import torchvision` mean ringgrad, in this process and in Python processes that it starts.

    Calling it again changes nothing.  RuntimeError where a real torch is imported already: its tensors are in use, and stay as they are.
    """
    for root in ROOTS:
        loaded = sys.modules.get(root)
        if loaded is not None and not _is_ours(loaded):
            raise RuntimeError(f"{root} is already imported here, from {getattr(loaded, '__file__', None)}, and ringgrad.compat leaves it alone; "
                               "call ringgrad.compat.install() before anything imports it, or start the program with "
                               "`python -m ringgrad.compat`")
    if not _modules.Installed.now:
        _modules.Installed.now = True
        sys.meta_path.insert(0, Finder())
        _missing.watch_uncaught(_modules.names_of_torch)
    put_root("torch")
    _config.NAME = "torch"
    os.environ.update(environment(os.environ))
    if SHADOW not in sys.path:
        sys.path.insert(1, SHADOW)


def environment(inherited):
    """{"PYTHONPATH": ...} that makes Python processes started with it see the aliases: `shadow/` comes first in it."""
    others = [p for p in inherited.get("PYTHONPATH", "").split(os.pathsep) if p and p != SHADOW]
    return {"PYTHONPATH": os.pathsep.join([SHADOW, *others])}


def _is_ours(module):
    return hasattr(module, "__ringgrad__") or os.path.dirname(getattr(module, "__file__", None) or "") == SHADOW


def put_root(root):
    """Put the facade of `torch` or `torchvision` into sys.modules."""
    module = _modules.facade(root)
    if sys.modules.get(root) is not module:
        sys.modules[root] = module
        spec = importlib.machinery.ModuleSpec(root, _Loader(ROOTS[root]), origin=module.__file__, is_package=True)
        spec.submodule_search_locations = module.__path__
        module.__spec__, module.__loader__ = spec, spec.loader
        _modules.register_below(root, module.__ringgrad__)


class Finder(importlib.abc.MetaPathFinder):
    """Finds every module below torch and torchvision, or raises ModuleNotFoundError: nobody else is asked for them."""

    def find_spec(self, fullname, path=None, target=None):
        """A spec whose loader puts ringgrad's module into sys.modules."""
        root = fullname.partition(".")[0]
        if root not in ROOTS:
            return None
        kind = _modules.kind(fullname)
        if kind is not None:
            home = _modules.target(fullname)
            return importlib.machinery.ModuleSpec(fullname, _Loader(home), is_package=kind != "module" or _is_package(home))
        caller = sys._getframe(1)
        if caller.f_back is not None and caller.f_back.f_code is importlib.util.find_spec.__code__:
            return None  # somebody asks whether it exists
        place = _missing.place_of(_missing.program_frame(caller))
        words = _missing.sentence(fullname, place, [*(n for n in sys.modules if n.partition(".")[0] in ROOTS), *VIEWS, *ALIASES, *UNBUILT])
        raise _missing.MissingModule(f"No module named {fullname!r}: {words}", name=fullname)


def _is_package(home):
    real = sys.modules.get(home)
    if real is not None:
        return hasattr(real, "__path__")
    return importlib.util.find_spec(home).submodule_search_locations is not None


class _Loader(importlib.abc.InspectLoader):
    """Puts the module `home` of ringgrad, or a view, into sys.modules under the name of the spec."""

    def __init__(self, home):
        self.home = home

    def exec_module(self, module):
        """Replace `module`, which importlib has made, by ringgrad's; importlib takes it from sys.modules."""
        name = module.__spec__.name
        if name in ROOTS:
            del sys.modules[name]
            put_root(name)
            return
        sys.modules[name] = _modules.make(name)
        if self.home is not None:
            _modules.wire(sys.modules[name], name)

    def get_code(self, fullname):
        """For `python -m torch.distributed.run`."""
        return importlib.util.find_spec(self.home).loader.get_code(self.home)

    def get_source(self, fullname):
        """The source of ringgrad's module."""
        return importlib.util.find_spec(self.home).loader.get_source(self.home)

    def is_package(self, fullname):
        """Whether ringgrad's module is a package."""
        return _is_package(self.home)

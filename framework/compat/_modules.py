"""torch's modules as ringgrad has them: what stands for a path, what a name in it is, and what a program is told when there is nothing."""
import functools
import importlib
import importlib.machinery
import importlib.util
import sys
import types

from . import _missing, version
from ._refuse import is_built, stand_in
from ._tables import ALIASES, BORROWED, HIDDEN, MENTIONED, ROOTS, UNBUILT, UNBUILT_PARENTS, VIEWS

_NOTHING = object()
_original = {}  # a module's own __getattr__, by the module's name, where `wire` has put another in front of it
_VERSIONS = {"torch": version.__version__, "torchvision": version.torchvision_version}
_INDEXED = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.utils", "torch.nn.init", "torch.optim", "torch.optim.lr_scheduler",
            "torch.linalg", "torch.special", "torch.fft", "torch.cuda", "torch.autograd", "torch.distributed", "torch.utils.data",
            "torch.distributions", "torchvision.transforms", "torchvision.models", "torchvision.datasets", "torchvision.ops", "torchvision.utils")


class Missing(LookupError):  # noqa: N818 - a fact, not a failure
    """ringgrad has nothing under the dotted name that is its argument."""


class Installed:
    """Whether `install` has been called: only then do the aliases stand in sys.modules."""

    now = False


# What stands for a path


def target(path):
    """The name of ringgrad's own module for torch's `path`; None when it has none."""
    parts = path.split(".")
    for size in range(len(parts), 0, -1):
        prefix = ".".join(parts[:size])
        home = ALIASES.get(prefix) or ROOTS.get(prefix)
        if home is not None:
            rest = parts[size:]
            if prefix in ROOTS and rest and (rest[0] in HIDDEN.get(prefix, ()) or rest[0].startswith("_")):
                return None
            name = ".".join([home, *rest])
            return name if _exists(name) else None
    return None


def _exists(name):
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def kind(path):
    """How torch's `path` is answered: "module" (ringgrad's own), "view", "unbuilt", or None."""
    if target(path) is not None:
        return "module"
    if path in VIEWS and any(_exists(home) for home in VIEWS[path].split()):
        return "view"
    return "unbuilt" if path in UNBUILT or path in UNBUILT_PARENTS else None


def module(path):
    """The module object for torch's `path`, from sys.modules where the aliases are installed.  ModuleNotFoundError when there is none."""
    if Installed.now:
        return importlib.import_module(path)
    return make(path)


def make(path):
    """The module object for torch's `path`, which has a `kind`."""
    if path in ROOTS:
        return facade(path)
    home = target(path)
    if home is not None:
        return importlib.import_module(home)
    return _view(path) if kind(path) == "view" else _unbuilt(path)


def facade(root):
    """The module object behind `torch` (or `torchvision`): its own name and version, everything else ringgrad's."""
    known = sys.modules.get(root)
    if known is not None and hasattr(known, "__ringgrad__"):
        return known
    real = importlib.import_module(ROOTS[root])
    made = types.ModuleType(root, real.__doc__)
    made.__dict__.update(__ringgrad__=real, __file__=real.__file__, __path__=list(real.__path__), __package__=root, __version__=_VERSIONS[root])

    def __getattr__(name):
        if name == "__all__":
            lazy = getattr(real, "_LAZY", ())  # modules: torch's own list holds none
            return [n for n in getattr(real, "__all__", dir(real)) if not n.startswith("_") and n not in lazy and n not in HIDDEN.get(root, ())]
        value = attribute(real, name, root)
        made.__dict__[name] = value
        return value

    def __dir__():
        return sorted({*made.__dict__, *(n for n in dir(real) if n not in HIDDEN.get(root, ()))})

    made.__dict__.update(__getattr__=__getattr__, __dir__=__dir__)
    if root == "torch":
        made.__dict__["torch"] = made  # torch.torch is torch
    return made


def _view(path):
    """A module named like torch's whose names come from the modules where ringgrad keeps them."""
    made = types.ModuleType(path)
    homes = [home for home in VIEWS[path].split() if _exists(home)]

    def __getattr__(name):
        if name == "__all__":
            first = importlib.import_module(homes[0])
            return [n for n in getattr(first, "__all__", dir(first)) if not n.startswith("_") and not isinstance(_value(first, n), types.ModuleType)]
        for home in homes if not name.startswith("__") else ():
            value = _value(importlib.import_module(home), name)
            if value is not _NOTHING and not isinstance(value, types.ModuleType):
                return value
        if kind(f"{path}.{name}"):
            return module(f"{path}.{name}")
        return _missing.raise_missing(f"{path}.{name}", sys._getframe(1), lambda: [
            *(n for home in homes for n in _names_in(importlib.import_module(home), path)), *names_of_torch()])

    made.__dict__.update(__ringgrad__=homes, __file__=__file__, __path__=[], __getattr__=__getattr__,
                         __dir__=lambda: sorted(n for home in homes for n in dir(importlib.import_module(home))))
    return made


def _unbuilt(path):
    """A module of torch that is not built here: its names import, and refuse when they are used."""
    made = types.ModuleType(path, f"{path} is not built in ringgrad; its names refuse with a sentence when they are used.")
    names = UNBUILT.get(path, "").split()
    made.__dict__.update({name: stand_in(path, name) for name in names})
    if path in BORROWED:
        home, borrowed = BORROWED[path]
        made.__dict__.update({name: getattr(importlib.import_module(home), name) for name in borrowed})

    def __getattr__(name):
        if name == "__all__":
            return names
        if not name.startswith("__") and kind(f"{path}.{name}"):
            return module(f"{path}.{name}")
        return _missing.raise_missing(f"{path}.{name}", sys._getframe(1), lambda: [*_names_in(made, path), *names_of_torch()])

    made.__dict__.update(__ringgrad__=None, __file__=__file__, __path__=[], __getattr__=__getattr__)
    return made


# What a name in a module is


def attribute(real, name, path):
    """`real.name`, where `real` stands for torch's module `path`; a module comes as the alias it is imported under."""
    child = f"{path}.{name}"
    hidden = name in HIDDEN.get(path, ()) or child in ALIASES
    if not hidden and not (name.startswith("__") and name.endswith("__")):
        value = _value(real, name)
        if isinstance(value, types.ModuleType):
            hidden = path in ROOTS and name.startswith("_")
            if not hidden and value.__name__ == f"{real.__name__}.{name}":
                return module(child)
        if value is not _NOTHING and not hidden:
            return value
    if (not name.startswith("__") or child in ALIASES) and kind(child) is not None:
        return module(child)
    if name in MENTIONED.get(path, ()):
        return stand_in(path, name)
    return _missing.raise_missing(child, sys._getframe(2), lambda: [*_names_in(real, path), *names_of_torch()])


def _value(real, name):
    """What the module itself has under a name, with the help of its own `__getattr__`."""
    try:
        return real.__dict__[name]
    except KeyError:
        pass
    if isinstance(type(real).__dict__.get(name), property):  # a switch that lives elsewhere
        return getattr(real, name)
    ask = _original.get(real.__name__, real.__dict__.get("__getattr__"))
    if ask is None:
        return _NOTHING
    try:
        return ask(name)
    except AttributeError:
        return _NOTHING


def wire(real, path):
    """Give a module of ringgrad that stands for torch's `path` the words for what is missing, and register what lies below it."""
    if real.__name__ in _original or hasattr(real, "__ringgrad__"):
        return
    _original[real.__name__] = real.__dict__.get("__getattr__")

    def __getattr__(name):
        return attribute(real, name, path)

    real.__getattr__ = __getattr__
    register_below(path, real)


def register_below(path, real):
    """Enter what is loaded below `path` into sys.modules, and the views, so that importing one never sets an attribute of its parent:
    torch.nn.utils.weight_norm is a function and a module, and so are a few others."""
    prefix = f"{real.__name__}."
    for full, loaded in list(sys.modules.items()):
        name = full[len(prefix):]
        if not full.startswith(prefix) or "." in name or loaded is None:
            continue
        child = f"{path}.{name}"
        if child not in sys.modules and child not in ALIASES and not (path in ROOTS and (name in HIDDEN.get(path, ()) or name.startswith("_"))):
            sys.modules[child] = loaded
            wire(loaded, child)
    depth = path.count(".") + 1
    for child in VIEWS:
        if child.startswith(path + ".") and child.count(".") == depth and child not in sys.modules and kind(child) == "view":
            sys.modules[child] = _view(child)


# Looking names up


def resolve(dotted):
    """What a program gets for `dotted`, such as "torch.nn.functional.relu", whether the aliases are installed or not.

    Raises Missing (a LookupError), with the first part that is missing as its argument ("torch.nn.functional.relux"); parts behind something
    that is neither a module nor a class are not looked at, for only running the program tells what they are.
    """
    root, *parts = dotted.split(".")
    if root not in ROOTS or not _exists(ROOTS[root]):
        raise Missing(root)
    path, thing = root, facade(root)
    for part in parts:
        if not isinstance(thing, (types.ModuleType, type)) or (isinstance(thing, type) and not is_built(thing)):
            break
        try:
            own = isinstance(thing, types.ModuleType) and not hasattr(thing, "__ringgrad__") and not part.startswith("__")
            thing = attribute(thing, part, path) if own else getattr(thing, part)
        except (AttributeError, ImportError):
            raise Missing(f"{path}.{part}") from None
        path += f".{part}"
    return thing


@functools.cache
def names_of_torch():
    """Dotted names that suggestions are made from."""
    names = []
    for path in _INDEXED:
        try:
            names += _names_in(resolve(path), path)
        except Missing:
            continue
    return tuple(names)


def _names_in(thing, path):
    """The public names of a module, dotted."""
    names = getattr(thing, "__all__", None) or dir(thing)
    return [f"{path}.{n}" for n in names if not n.startswith("_") and n not in HIDDEN.get(path, ())]

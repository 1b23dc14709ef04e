"""script, trace and their kin: they return what they were given."""
import contextlib

from .._once import say_once
from ..nn.modules.module import Module

_WORDS = "torch.jit compiles nothing here: scripted and traced code runs as the Python that it is"


def _say():
    say_once("jit", _WORDS)


def _refuse(what):
    raise RuntimeError(f"{what} needs TorchScript's compiled form, which ringgrad does not make; save the state_dict and build the module from "
                       "its class")


def script(obj, optimize=None, _frames_up=0, _rcb=None, example_inputs=None):
    """`obj` itself: a module, function or class."""
    _say()
    return obj


def trace(func, example_inputs=None, *args, **kwargs):
    """`func` itself; `example_inputs` are not run."""
    _say()
    return func


def trace_module(mod, inputs, *args, **kwargs):
    """The module itself."""
    _say()
    return mod


def script_method(fn):
    """The method itself."""
    return fn


def script_if_tracing(fn):
    """The function itself."""
    return fn


_script_if_tracing = script_if_tracing


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """The module itself, which must be in evaluation mode."""
    if isinstance(mod, Module) and mod.training:
        raise RuntimeError("Freezing is currently only implemented for modules in eval mode. Please call .eval() on your module before freezing.")
    return mod


def optimize_for_inference(mod, other_methods=None):
    """The module itself."""
    return mod


def run_frozen_optimizations(mod, optimize_numerics=True, preserved_methods=None):
    """Nothing to optimise."""


def save(m, f, _extra_files=None):
    """Refuses: there is no TorchScript file to write."""
    _refuse("torch.jit.save")


def load(f, map_location=None, _extra_files=None, _restore_shapes=False):
    """Refuses: TorchScript files hold compiled code."""
    _refuse("torch.jit.load")


def export_opnames(m):
    """Refuses: there is no compiled form."""
    _refuse("torch.jit.export_opnames")


def last_executed_optimized_graph():
    """None: there is no graph."""
    return


def set_fusion_strategy(strategy):
    """Nothing is fused; returns the strategy."""
    return strategy


def enable_onednn_fusion(enabled):
    """Nothing is fused."""


def onednn_fusion_enabled():
    """False."""
    return False


@contextlib.contextmanager
def optimized_execution(should_optimize):
    """A `with` block that changes nothing."""
    yield


class strict_fusion(contextlib.nullcontext):  # noqa: N801 - torch's name
    """A `with` block that changes nothing."""


class ScriptModule(Module):
    """A module, for classes that derive from ScriptModule; nothing that `script` returns is one."""


class RecursiveScriptModule(ScriptModule):
    """For isinstance."""


class TopLevelTracedModule(ScriptModule):
    """For isinstance."""


class ScriptFunction:
    """For isinstance; nothing that `script` returns is one."""


class CompilationUnit:
    """Refuses: there is no compiler for source text."""

    def __init__(self, lang=None, _frames_up=0):
        _refuse("torch.jit.CompilationUnit")

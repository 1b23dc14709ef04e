"""torch.compile and torch.compiler as a pass-through: what is compiled stays the Python that it was, and says so once."""
import contextlib

from .._once import say_once
from . import config
from ._captured_step import compile_step

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "compile_step", "config", "cudagraph_mark_step_begin", "disable", "is_compiling",
           "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance", "substitute_in_graph", "wrap_numpy"]


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False, name=None,
            recompile_limit=None, isolate_recompiles=False, **kwargs):
    """The module or function itself; as a decorator with options, too.  Says once that nothing is compiled."""
    if model is None:
        return lambda fn: compile(fn, backend=backend, mode=mode, options=options, disable=disable)
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if not callable(model):
        raise RuntimeError(f"torch.compile takes a module or a function, but got {type(model).__name__}")
    if not disable:
        say_once("compile", "torch.compile compiles nothing here: the code runs as it is")
    return model


def is_compiling():
    """False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def disable(fn=None, recursive=True, *, reason=None):
    """The function itself; as a decorator with or without arguments."""
    return fn if fn is not None else lambda f: f


def allow_in_graph(fn):
    """The function itself."""
    return fn


assume_constant_result = nonstrict_trace = wrap_numpy = run = allow_in_graph
graph_break = contextlib.nullcontext


def substitute_in_graph(original_fn, **kwargs):
    """A decorator that returns its function."""
    return lambda fn: fn


def reset():
    """Nothing to forget."""


def cudagraph_mark_step_begin():
    """Nothing to mark."""


def mark_dynamic(t, index=None, **kwargs):
    """Nothing to mark: shapes may always change."""


mark_static = maybe_mark_dynamic = mark_dynamic


def list_backends(exclude_tags=("debug", "experimental")):
    """An empty list."""
    return []


class set_stance(contextlib.ContextDecorator):  # noqa: N801 - torch's name
    """A statement, `with` block or decorator that changes nothing."""

    def __init__(self, stance="default", **kwargs):
        self.stance = stance

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


class OptimizedModule:
    """For isinstance; nothing that `compile` returns is one."""

"""torch.fx: `wrap` passes through, and everything that needs a graph of a program refuses with a sentence."""

__all__ = ["Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "has_side_effect", "replace_pattern", "symbolic_trace",
           "wrap"]
_WORDS = "ringgrad does not record programs as torch.fx graphs; run the module as it is, or register forward hooks to see inside"


def wrap(fn_or_name):
    """The function itself (or the name): nothing is traced, so nothing has to be kept out of a trace."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    return fn_or_name


def has_side_effect(fn):
    """The function itself."""
    return fn


def symbolic_trace(root, concrete_args=None):
    """Refuses with NotImplementedError."""
    raise NotImplementedError(f"torch.fx.symbolic_trace: {_WORDS}")


def replace_pattern(gm, pattern, replacement):
    """Refuses with NotImplementedError."""
    raise NotImplementedError(f"torch.fx.replace_pattern: {_WORDS}")


def _class(name):
    def __init__(self, *args, **kwargs):
        raise NotImplementedError(f"torch.fx.{name}: {_WORDS}")

    return type(name, (), {"__init__": __init__, "__module__": __name__, "__doc__": "For isinstance and as a base; making one refuses.",
                           "__ringgrad_refuses__": _WORDS})


Graph, GraphModule, Interpreter, Node, Proxy, Tracer, Transformer = map(
    _class, ("Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer"))
symbolic_trace.__ringgrad_refuses__ = replace_pattern.__ringgrad_refuses__ = _WORDS

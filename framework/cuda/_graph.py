"""CUDA graphs under torch's names.  Capture is not built: the names exist so that programs which offer it can be imported."""
_WORDS = "CUDA graphs are not built in ringgrad: run the step without capturing it"


class CUDAGraph:
    """Refuses with NotImplementedError."""

    __ringgrad_refuses__ = _WORDS

    def __init__(self, keep_graph=False):
        raise NotImplementedError(_WORDS)


class graph:  # noqa: N801 - torch's name
    """Refuses with NotImplementedError."""

    __ringgrad_refuses__ = _WORDS

    def __init__(self, cuda_graph, pool=None, stream=None, capture_error_mode="global"):
        raise NotImplementedError(_WORDS)


def make_graphed_callables(callables, sample_args, num_warmup_iters=3, allow_unused_input=False, pool=None):
    """Refuses with NotImplementedError."""
    raise NotImplementedError(_WORDS)


def graph_pool_handle():
    """Refuses with NotImplementedError."""
    raise NotImplementedError(_WORDS)


make_graphed_callables.__ringgrad_refuses__ = graph_pool_handle.__ringgrad_refuses__ = _WORDS


def is_current_stream_capturing():
    """False."""
    return False

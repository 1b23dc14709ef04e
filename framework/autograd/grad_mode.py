"""The grad modes under torch's module name (torch.autograd.grad_mode)."""
from .._core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]


class set_multithreading_enabled:  # noqa: N801 - torch's name
    """Taken for torch's sake: a backward pass always runs in the thread that asked for it."""

    def __init__(self, mode):
        self.mode = bool(mode)

    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None

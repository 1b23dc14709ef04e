"""torch.utils.hooks: the handle that registering a hook returns."""
import warnings

from .._core.hooks import RemovableHandle

__all__ = ["RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


def unserializable_hook(f):
    """Mark a hook that is not saved with its tensor."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor):
    """Warn of hooks that saving the tensor would lose."""
    if tensor._hooks is not None and tensor._hooks.on_grad:
        warnings.warn(f"backward hooks of a tensor of shape {tuple(tensor.shape)} are not saved with it", UserWarning, stacklevel=2)

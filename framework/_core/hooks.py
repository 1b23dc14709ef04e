"""The sockets that `ringgrad.distributed` plugs into.  The framework knows no plug.

array, written     the memory behind a tensor, and the word that somebody wrote into it
on_backward_end    a callback at the end of the backward pass that is running
keep_while_captured    what a captured collective works on
on_stream          a moment on a stream of one's own
Tensor.register_post_accumulate_grad_hook and Module.register_forward_pre_hook are the other two, and public.
"""
from .._backends.streams import on_stream  # noqa: F401 - a socket
from .._state import state
from .tensor import count_write


def array(tensor):
    """The numpy.ndarray or cupy.ndarray a tensor lives in: no copy, any strides."""
    return tensor._data


def written(tensor):
    """Tell autograd that the memory of `tensor` was overwritten, so that a backward pass that saved the old value refuses it."""
    count_write(tensor)


def keep_while_captured(*things):
    """Keep things alive as long as the CUDA graph that is being captured, if one is: its kernels know only addresses."""
    if state.capture is not None:
        state.capture.keep(things)


def on_backward_end(callback):
    """Call `callback()` when the backward pass running in this thread has finished.  RuntimeError outside of one."""
    if state.backward is None:
        raise RuntimeError("on_backward_end was called outside of a backward pass; call it from a gradient hook")
    state.backward.callbacks.append(callback)


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away again, and leaving a `with` block does too."""

    _next_id = 0

    def __init__(self, hooks, hook, first=False):
        self.hooks = hooks
        self.id = RemovableHandle._next_id
        RemovableHandle._next_id += 1
        hooks[self.id] = hook
        if first:
            hooks.move_to_end(self.id, last=False)

    def remove(self):
        """Take the hook away.  Doing so twice is harmless."""
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

"""The switches of autograd, as context managers and decorators in torch's words.  All are per thread (see _state)."""
import functools
import inspect

from .._state import state
from .inplace import apply_inplace
from .tensor import InferenceVersion


def tracer_below(after, outer):
    """A tracer that runs each operation with the tracer `outer` (or none) in its place and then calls `after(result)`."""
    def tracer(op, inputs, attrs, inplace=False):
        inner, state.tracer = state.tracer, outer
        try:
            result = apply_inplace(op, inputs[0], inputs[1:], attrs) if inplace else op.apply(inputs, attrs)
        finally:
            state.tracer = inner
        after(result, inplace)
        return result
    return tracer


def _mark_inference(result, inplace):
    if inplace or not state.inference:
        return
    for t in result if type(result) is tuple else (result,):
        if t._view is None:  # a view of a normal tensor is one itself
            t._cell = InferenceVersion((0,))


class _Mode:
    """A context manager that is also a decorator: `@no_grad()` and `@no_grad` both work."""

    def __new__(cls, function=None, *args, **kwargs):
        if callable(function):
            return object.__new__(cls)(function)
        return object.__new__(cls)

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)

        @functools.wraps(function)
        def inside(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)
        return inside

    def _around_generator(self, function):
        """The mode holds while the generator runs, and not while its caller does."""
        @functools.wraps(function)
        def inside(*args, **kwargs):
            generator = function(*args, **kwargs)
            resume, value = generator.send, None
            try:
                while True:
                    with self.clone():
                        item = resume(value)
                    try:
                        resume, value = generator.send, (yield item)
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        resume, value = generator.throw, error
            except StopIteration as end:
                return end.value
            finally:
                with self.clone():
                    generator.close()
        return inside

    def clone(self):
        """A fresh context of the same kind: a decorated function may call itself."""
        return type(self)()


class no_grad(_Mode):  # noqa: N801 - torch's name
    """Inside, nothing is recorded for the backward pass."""

    value = False

    def __enter__(self):
        self.was = state.grad
        state.grad = self.value

    def __exit__(self, *_):
        state.grad = self.was


class enable_grad(no_grad):  # noqa: N801
    """Inside, operations are recorded even below a `no_grad`."""

    value = True


class set_grad_enabled(_Mode):  # noqa: N801
    """`set_grad_enabled(False)` switches recording at once; as a context manager it switches back at the end."""

    def __new__(cls, mode):
        return object.__new__(cls)

    def __init__(self, mode):
        self.mode, self.was = bool(mode), state.grad
        state.grad = self.mode

    def __call__(self, function):
        state.grad = self.was  # as a decorator it only acts inside the function
        return super().__call__(function)

    def clone(self):
        """A fresh context with the same mode."""
        return set_grad_enabled(self.mode)

    def __enter__(self):
        state.grad = self.mode

    def __exit__(self, *_):
        state.grad = self.was


class inference_mode(_Mode):  # noqa: N801
    """Like `no_grad`, and tensors made inside can never be saved for a backward pass.

    `inference_mode(False)` records again, below an `inference_mode` or a `no_grad`.
    """

    def __new__(cls, mode=True):
        return cls()(mode) if callable(mode) else object.__new__(cls)

    def __init__(self, mode=True):
        self.mode = mode if isinstance(mode, bool) else True

    def clone(self):
        """A fresh context with the same mode."""
        return inference_mode(self.mode)

    def __enter__(self):
        self.was = state.grad, state.inference, state.tracer
        state.grad, state.inference = not self.mode, self.mode
        if self.mode:
            state.tracer = tracer_below(_mark_inference, state.tracer)

    def __exit__(self, *_):
        state.grad, state.inference, state.tracer = self.was


def is_grad_enabled():
    """Whether operations are recorded in this thread."""
    return state.grad


def is_inference_mode_enabled():
    """Whether this thread is inside `inference_mode`."""
    return state.inference

"""What goes round every `__iter__` of an IterDataPipe: one valid iterator at a time, a count of elements, the pipe's name in errors and in
profiles."""
import functools
import inspect
from enum import Enum

from ....profiler import record_function
from ....profiler._profile import _running


class _SnapshotState(Enum):
    """NotStarted: may be restored;  Restored: the next `iter` does not reset;  Iterating: the next `iter` resets."""

    NotStarted = 0
    Restored = 1
    Iterating = 2


ONE_ITERATOR = "single iterator per IterDataPipe constraint"
_HINT = f"\nThis is the {ONE_ITERATOR}: a second iterator over the same data pipe starts it again, so the first one ends."


def _describe(pipe):
    """`Mapper...(datapipe=..., fn=...)`: the class and the arguments that the pipe keeps under their own names."""
    names = set(inspect.signature(type(pipe)).parameters)
    found = [(name, value) for name, value in inspect.getmembers(pipe) if name in names]
    arguments = ", ".join(f"{name}={value.__name__ if inspect.isfunction(value) else repr(value)}" for name, value in found)
    return f"{type(pipe).__name__}({arguments})"


def _profile_name(pipe):
    if not hasattr(pipe, "_profile_name"):
        pipe._profile_name = _describe(pipe).replace("IterDataPipe", "").replace("MapDataPipe", "")
    return pipe._profile_name


def _recorded(pipe, step, *args):
    """`step(*args)`, under the pipe's name in a profile where one is being taken."""
    if not getattr(_running, "profiles", None):
        return step(*args)
    with record_function(_profile_name(pipe)):
        return step(*args)


def _is_child(pipe):
    return getattr(pipe, "_is_child_datapipe", False) is True


def _check_iterator_valid(pipe, iterator_id):
    """RuntimeError when a newer iterator than number `iterator_id` has been made."""
    if _is_child(pipe):
        if not pipe._check_valid_iterator_id(iterator_id):
            raise RuntimeError("This iterator has been invalidated, because a new iterator has been created from one of the ChildDataPipes of "
                               f"{_describe(pipe.main_datapipe)}.{_HINT}")
    elif pipe._valid_iterator_id != iterator_id:
        raise RuntimeError("This iterator has been invalidated because another iterator has been created from the same IterDataPipe: "
                           f"{_describe(pipe)}\nThis may be caused by multiple references to the same IterDataPipe. We recommend using "
                           f"`.fork()` if that is necessary.{_HINT}")


def _set_datapipe_valid_iterator_id(pipe):
    """The number of a new iterator; earlier ones become invalid, and the pipe is reset."""
    if _is_child(pipe):
        pipe._set_main_datapipe_valid_iterator_id()
    else:
        pipe._valid_iterator_id = 0 if pipe._valid_iterator_id is None else pipe._valid_iterator_id + 1
        pipe.reset()
    return pipe._valid_iterator_id


def _name_the_pipe(error, pipe):
    """Add to an exception's message which pipe it came out of, unless one is named already."""
    mark = "thrown by __iter__ of"
    text = f"\nThis exception is {mark} {_describe(pipe)}"
    if not error.args or not isinstance(error.args[0], str):
        error.args = (text,)
    elif mark not in error.args[0] and ONE_ITERATOR not in error.args[0]:
        error.args = (error.args[0] + text, *error.args[1:])


class IteratorDecorator:
    """The iterator of an `__iter__` that is no generator function."""

    def __init__(self, iterator, datapipe, iterator_id, counts_itself):
        self.iterator, self.datapipe, self.iterator_id, self._counts_itself = iterator, datapipe, iterator_id, counts_itself

    def __iter__(self):
        return self

    def __next__(self):
        _check_iterator_valid(self.datapipe, self.iterator_id)
        result = _recorded(self.datapipe, next, self.iterator)
        if not self._counts_itself:
            self.datapipe._number_of_samples_yielded += 1
        return result

    def __getattr__(self, name):
        return getattr(self.iterator, name)


def _wrap_generator(function):
    @functools.wraps(function)
    def iterate(self, *args, **kwargs):
        elements = function(self, *args, **kwargs)
        if self._fast_forward_iterator:
            restored, self._fast_forward_iterator = self._fast_forward_iterator, None
            self._snapshot_state = _SnapshotState.Iterating
            yield from restored
            return
        iterator_id = _set_datapipe_valid_iterator_id(self)
        request = None
        try:
            while True:
                _check_iterator_valid(self, iterator_id)
                response = _recorded(self, elements.send, request)
                self._number_of_samples_yielded += 1
                request = yield response
        except StopIteration:
            return
        except Exception as error:
            _name_the_pipe(error, self)
            raise
    return iterate


def _wrap_iter(function, has_next):
    @functools.wraps(function)
    def iterate(self, *args, **kwargs):
        iterator = function(self, *args, **kwargs)
        self._snapshot_state = _SnapshotState.Iterating
        if self._fast_forward_iterator:
            restored, self._fast_forward_iterator = self._fast_forward_iterator, None
            return restored
        return IteratorDecorator(iterator, self, _set_datapipe_valid_iterator_id(self), iterator is self and has_next)
    return iterate


def _wrap_next(function):
    @functools.wraps(function)
    def step(self, *args, **kwargs):
        result = _recorded(self, function, self, *args, **kwargs)
        self._number_of_samples_yielded += 1
        return result
    return step


def hook_iterator(namespace):
    """Wrap `__iter__`, and `__next__` where there is one, in the namespace of a class that is being made."""
    function = namespace["__iter__"]
    if inspect.isgeneratorfunction(function):
        namespace["__iter__"] = _wrap_generator(function)
        return
    if "__next__" in namespace:
        namespace["__next__"] = _wrap_next(namespace["__next__"])
    namespace["__iter__"] = _wrap_iter(function, "__next__" in namespace)

"""One pipe out of several, and several out of one.

`fork` and `demux` give child pipes that share one container.  The container reads the source once and keeps, in a buffer, what a child has
not taken yet.  Making a second iterator of one child begins a new generation: the container starts again, and iterators of all children
from before become invalid.
"""
import copy as copying
import warnings
from abc import ABC, abstractmethod
from collections import deque

from .._decorator import functional_datapipe
from .._hook_iterator import _SnapshotState
from .._length import length_of
from ..datapipe import IterDataPipe, T_co
from ..utils.common import StreamWrapper, _check_unpickable_fn

__all__ = ["ConcaterIterDataPipe", "DemultiplexerIterDataPipe", "ForkerIterDataPipe", "MultiplexerIterDataPipe", "ZipperIterDataPipe"]

_COPIES = {None: lambda x: x, "shallow": copying.copy, "deep": copying.deepcopy}


@functional_datapipe("concat")
class ConcaterIterDataPipe(IterDataPipe):
    """Pipes one after the other (method `concat`)."""

    def __init__(self, *datapipes):
        if not datapipes:
            raise ValueError("Expected at least one DataPipe, but got nothing")
        if not all(isinstance(dp, IterDataPipe) for dp in datapipes):
            raise TypeError("Expected all inputs to be `IterDataPipe`")
        self.datapipes = datapipes

    def __iter__(self):
        for dp in self.datapipes:
            yield from dp

    def __len__(self):
        return length_of(self, *self.datapipes)


@functional_datapipe("zip")
class ZipperIterDataPipe(IterDataPipe[tuple[T_co]]):
    """Tuples of one element of each pipe, as long as the shortest (method `zip`)."""

    def __init__(self, *datapipes):
        if not all(isinstance(dp, IterDataPipe) for dp in datapipes):
            raise TypeError("All inputs are required to be `IterDataPipe` for `ZipIterDataPipe`.")
        self.datapipes = datapipes

    def __iter__(self):
        yield from zip(*[iter(dp) for dp in self.datapipes])

    def __len__(self):
        return length_of(self, *self.datapipes, combine=min)


@functional_datapipe("mux")
class MultiplexerIterDataPipe(IterDataPipe):
    """One element of each pipe in turn, until the shortest is at its end (method `mux`); only whole rounds are yielded."""

    def __init__(self, *datapipes):
        self.datapipes = datapipes
        self.buffer = []

    def __iter__(self):
        iterators = [iter(dp) for dp in self.datapipes]
        while iterators:
            for it in iterators:
                try:
                    self.buffer.append(next(it))
                except StopIteration:
                    self.buffer.clear()
                    return
            yield from self.buffer
            self.buffer.clear()

    def __len__(self):
        return length_of(self, *self.datapipes, combine=min) * len(self.datapipes)

    def reset(self):
        """Forget a round that was begun."""
        self.buffer = []

    def __getstate__(self):
        state = (self.datapipes, self._valid_iterator_id, self._number_of_samples_yielded)
        return state if IterDataPipe.getstate_hook is None else IterDataPipe.getstate_hook(state)

    def __setstate__(self, state):
        self.datapipes, self._valid_iterator_id, self._number_of_samples_yielded = state
        self.buffer = []


@functional_datapipe("fork")
class ForkerIterDataPipe(IterDataPipe):
    """A list of `num_instances` pipes with the elements of one (method `fork`).

    buffer_size: how many elements the fastest may be ahead of the slowest, else BufferError; -1: any number;  copy: None (all get the same
    object), "shallow" or "deep".
    """

    def __new__(cls, datapipe, num_instances, buffer_size=1000, copy=None):
        _at_least_one(num_instances)
        if num_instances == 1:
            return datapipe
        container = _ForkerIterDataPipe(datapipe, num_instances, buffer_size, copy)
        return [_ChildDataPipe(container, i) for i in range(num_instances)]


@functional_datapipe("demux")
class DemultiplexerIterDataPipe(IterDataPipe):
    """A list of `num_instances` pipes, among which `classifier_fn` (element -> number of the pipe) shares the elements of one (method
    `demux`).

    drop_none: leave out elements that are classified as None;  buffer_size: how many elements may wait for their pipe, else BufferError;
    -1: any number.  ValueError for a class that does not exist.
    """

    def __new__(cls, datapipe, num_instances, classifier_fn, drop_none=False, buffer_size=1000):
        _at_least_one(num_instances)
        _check_unpickable_fn(classifier_fn)
        container = _DemultiplexerIterDataPipe(datapipe, num_instances, classifier_fn, drop_none, buffer_size)
        return [_ChildDataPipe(container, i) for i in range(num_instances)]


def _at_least_one(num_instances):
    if num_instances < 1:
        raise ValueError(f"Expected `num_instances` larger than 0, but {num_instances} is found")


class _ContainerTemplate(ABC):
    """What child pipes ask of their container."""

    @abstractmethod
    def get_next_element_by_instance(self, instance_id):
        """An iterator over the elements of one child."""

    @abstractmethod
    def is_every_instance_exhausted(self):
        """Whether all children are at their end."""

    @abstractmethod
    def reset(self):
        """Back to the beginning."""

    @abstractmethod
    def get_length_by_instance(self, instance_id):
        """The length of one child; TypeError where it is unknown."""


class _Container(IterDataPipe, _ContainerTemplate):
    """One source and its iterator, which lives from the first child's first element until all children have stopped."""

    _name = ""

    def __init__(self, datapipe, num_instances, buffer_size):
        self.main_datapipe, self.num_instances, self.buffer_size = datapipe, num_instances, buffer_size
        if buffer_size < 0:
            warnings.warn(f"Unlimited buffer size is set for `{self._name}`, please be aware of OOM at random places", UserWarning, stacklevel=4)
        self._clear()

    def _clear(self):
        self._datapipe_iterator = None
        self._child_stop = [True] * self.num_instances

    def _start(self, instance_id):
        """Begin to read, when this is the first child to ask."""
        if self._datapipe_iterator is None and self._child_stop[instance_id]:
            self._datapipe_iterator = iter(self.main_datapipe)
            self._snapshot_state = _SnapshotState.Iterating
            self._child_stop = [False] * self.num_instances
            return True
        return False

    def reset(self):
        """Back to the beginning; what waits in the buffers is forgotten."""
        self._clear()

    def __getstate__(self):
        state = (self.main_datapipe, self.num_instances, self.buffer_size, *self._options(), self._valid_iterator_id,
                 self._number_of_samples_yielded)
        return state if IterDataPipe.getstate_hook is None else IterDataPipe.getstate_hook(state)

    def __setstate__(self, state):
        (self.main_datapipe, self.num_instances, self.buffer_size, *options, self._valid_iterator_id,
         self._number_of_samples_yielded) = state
        self._set_options(*options)
        self._clear()


class _ForkerIterDataPipe(_Container):
    """Elements `slowest_ptr` to `leading_ptr` are in the buffer; each child knows the number of its last one."""

    _name = "fork"

    def __init__(self, datapipe, num_instances, buffer_size=1000, copy=None):
        if copy not in _COPIES:
            raise ValueError(f"Unknown copy method `{copy}` requested, choose one of None, `shallow` or `deep`.")
        self._set_options(copy)
        super().__init__(datapipe, num_instances, buffer_size)

    def _options(self):
        return (self.copy,)

    def _set_options(self, copy):
        self.copy, self.copy_fn = copy, _COPIES[copy]

    def _clear(self):
        super()._clear()
        self.buffer = deque()
        self.child_pointers = [0] * self.num_instances
        self.slowest_ptr = self.leading_ptr = 0
        self.end_ptr = None

    def __len__(self):
        return len(self.main_datapipe)

    def get_length_by_instance(self, instance_id):
        return len(self.main_datapipe)

    def is_every_instance_exhausted(self):
        return self.end_ptr is not None and all(self._child_stop)

    def get_next_element_by_instance(self, instance_id):
        self._start(instance_id)
        try:
            while not self._child_stop[instance_id]:
                self.child_pointers[instance_id] += 1
                at = self.child_pointers[instance_id]
                if at == self.end_ptr:
                    break
                if at > self.leading_ptr and not self._read(at):
                    break
                element = self.buffer[at - self.slowest_ptr - 1]
                if at == self.slowest_ptr + 1 and min(self.child_pointers) > self.slowest_ptr:
                    self.slowest_ptr = min(self.child_pointers)
                    self.buffer.popleft()
                if 0 <= self.buffer_size < self.leading_ptr - self.slowest_ptr:
                    raise BufferError(f"ForkerIterDataPipe buffer overflow,buffer size {self.buffer_size} is insufficient.")
                yield self.copy_fn(element)
        finally:
            self._child_stop[instance_id] = True
            if all(self._child_stop):
                self._datapipe_iterator = None
                StreamWrapper.close_streams(list(self.buffer))
                self.buffer.clear()

    def _read(self, at):
        """Put element `at` into the buffer.  False at the end of the source."""
        self.leading_ptr = at
        try:
            self.buffer.append(next(self._datapipe_iterator))
        except StopIteration:
            self._datapipe_iterator = None
            self.end_ptr = at
            return False
        return True


class _DemultiplexerIterDataPipe(_Container):
    """A buffer per child, for what others have read on their way."""

    _name = "demux"

    def __init__(self, datapipe, num_instances, classifier_fn, drop_none, buffer_size):
        self._set_options(classifier_fn, drop_none)
        super().__init__(datapipe, num_instances, buffer_size)

    def _options(self):
        return self.classifier_fn, self.drop_none

    def _set_options(self, classifier_fn, drop_none):
        self.classifier_fn, self.drop_none = classifier_fn, drop_none

    def _clear(self):
        super()._clear()
        self.current_buffer_usage = 0
        self.child_buffers = [deque() for _ in range(self.num_instances)]
        self.main_datapipe_exhausted = False

    def get_length_by_instance(self, instance_id):
        raise TypeError("the length of a pipe that demux gives is unknown before its elements are classified")

    def is_every_instance_exhausted(self):
        return self.main_datapipe_exhausted and all(self._child_stop)

    def _find_next(self, instance_id):
        """Read until there is an element for this child.  StopIteration at the end of the source."""
        if self.main_datapipe_exhausted:
            raise StopIteration
        while True:
            value = next(self._datapipe_iterator)
            place = self.classifier_fn(value)
            if place is None and self.drop_none:
                StreamWrapper.close_streams(value)
                continue
            if place is None or not 0 <= place < self.num_instances:
                raise ValueError(f"Output of the classification fn should be between 0 and {self.num_instances - 1}. {place} is returned.")
            if place == instance_id:
                return value
            self.child_buffers[place].append(value)
            self.current_buffer_usage += 1
            if 0 <= self.buffer_size < self.current_buffer_usage:
                raise BufferError(f"DemultiplexerIterDataPipe buffer overflow, buffer size {self.buffer_size} is insufficient.")

    def get_next_element_by_instance(self, instance_id):
        if self._start(instance_id):
            self.main_datapipe_exhausted = False
        try:
            while not self._child_stop[instance_id]:
                if self.child_buffers[instance_id]:
                    self.current_buffer_usage -= 1
                    yield self.child_buffers[instance_id].popleft()
                    continue
                try:
                    element = self._find_next(instance_id)
                except StopIteration:
                    self.main_datapipe_exhausted = True
                    self._datapipe_iterator = None
                    return
                yield element
        finally:
            self._child_stop[instance_id] = True
            if all(self._child_stop):
                self._datapipe_iterator = None
            StreamWrapper.close_streams(list(self.child_buffers[instance_id]))
            self.child_buffers[instance_id].clear()


class _ChildDataPipe(IterDataPipe):
    """Pipe number `instance_id` of a container."""

    _is_child_datapipe = True

    def __init__(self, main_datapipe, instance_id):
        if not isinstance(main_datapipe, _ContainerTemplate):
            raise AssertionError("main_datapipe must implement _ContainerTemplate")
        self.main_datapipe, self.instance_id = main_datapipe, instance_id

    def __iter__(self):
        return self.main_datapipe.get_next_element_by_instance(self.instance_id)

    def __len__(self):
        return self.main_datapipe.get_length_by_instance(self.instance_id)

    def _set_main_datapipe_valid_iterator_id(self):
        """Join the container's generation of iterators; where this child is in it already, begin a new one."""
        main = self.main_datapipe
        if main._valid_iterator_id is None:
            main._valid_iterator_id = 0
        elif main._valid_iterator_id == self._valid_iterator_id:
            main._valid_iterator_id += 1
            if not main.is_every_instance_exhausted():
                warnings.warn("Some child DataPipes are not exhausted when __iter__ is called. We are resetting the buffer and each child "
                              "DataPipe will read from the start again.", UserWarning, stacklevel=5)
            main.reset()
        self._valid_iterator_id = main._valid_iterator_id
        return self._valid_iterator_id

    def _check_valid_iterator_id(self, iterator_id):
        return iterator_id == self._valid_iterator_id == self.main_datapipe._valid_iterator_id

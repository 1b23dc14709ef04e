"""Results that are still to come: `Future`, and two ways of waiting for several.

A Future is completed once, by `set_result` or `set_exception`, from any thread; callbacks run in the thread that completes it, or at once when
it is complete already.
"""
import threading
from typing import Generic, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]
T = TypeVar("T")


class Future(Generic[T]):
    """A value, or an exception, that somebody will put here.  devices: taken and not needed, there are no streams to wait for."""

    def __init__(self, *, devices=None):
        self._complete, self._lock = threading.Event(), threading.Lock()
        self._value = self._error = None
        self._callbacks = []

    def done(self):
        """Whether it is complete, by a value or an exception."""
        return self._complete.is_set()

    def wait(self):
        """The value, once it is there.  Raises the exception that was put in its place."""
        self._complete.wait()
        if self._error is not None:
            raise self._error
        return self._value

    def value(self):
        """The value, now.  RuntimeError when it is not there yet."""
        if not self.done():
            raise RuntimeError("Future is incomplete: value() does not wait; wait() does")
        return self.wait()

    def then(self, callback):
        """A Future of callback(self), which is called when this one is complete."""
        after = Future()

        def run(done):
            try:
                after.set_result(callback(done))
            except Exception as error:  # noqa: BLE001 - it is the result
                after.set_exception(error)
        self.add_done_callback(run)
        return after

    def add_done_callback(self, callback):
        """Call callback(self) when this one is complete; at once when it is."""
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback(self)

    def set_result(self, result):
        """Complete it.  RuntimeError when it is complete already."""
        self._end(result, None)

    def set_exception(self, result):
        """Complete it with an exception, which `wait` raises."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._end(None, result)

    def _end(self, value, error):
        with self._lock:
            if self.done():
                raise RuntimeError("Attempting to mark a completed Future as complete again. Note that a Future can only be marked completed once.")
            self._value, self._error = value, error
            self._complete.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


def collect_all(futures):
    """A Future of the list of these futures, complete when all of them are."""
    futures, together = list(futures), Future()
    left, lock = [len(futures)], threading.Lock()

    def one_less(_):
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            together.set_result(futures)
    if not futures:
        together.set_result(futures)
    for future in futures:
        future.add_done_callback(one_less)
    return together


def wait_all(futures):
    """The values of all, in order.  Raises the exception of the first that has one."""
    return [future.wait() for future in collect_all(futures).wait()]

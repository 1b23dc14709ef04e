"""An exception on its way from a worker to its parent."""
import pickle
import sys
import traceback

_THE_END = (StopIteration, StopAsyncIteration, GeneratorExit)  # they would end the loop over the loader as if the data had ended


class KeyErrorMessage(str):
    """Text that a KeyError prints as it is."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


class ExceptionWrapper:
    """The type of an exception (by default the one that is being handled) and its traceback as text;  where: "in background"."""

    def __init__(self, exc_info=None, where="in background"):
        exc_info = sys.exc_info() if exc_info is None else exc_info
        self.exc_type, self.exc_msg, self.where = exc_info[0], "".join(traceback.format_exception(*exc_info)), where
        self._name = self.exc_type.__name__

    def reraise(self):
        """Raise an exception of the original type, with the original traceback in its message; a RuntimeError where that type wants
        something else than a message, or cannot be found in this process."""
        message = f"Caught {self._name} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is None:
            raise RuntimeError(message)
        kind = RuntimeError if issubclass(self.exc_type, _THE_END) else self.exc_type
        try:
            if kind is KeyError:
                error = KeyError(KeyErrorMessage(message))
            elif getattr(kind, "message", None):
                error = kind(message=message)
            else:
                error = kind(message)
        except Exception:
            raise RuntimeError(message) from None
        try:
            raise error
        finally:
            del error  # an exception that its own traceback holds keeps the iterator, and so the workers, until the next garbage collection

    def __getstate__(self):
        state = dict(self.__dict__)
        try:
            pickle.dumps(self.exc_type)
        except Exception:  # a class that only this process can find
            state["exc_type"] = None
        return state

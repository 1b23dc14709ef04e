"""The lists of `_lists.py`, found again among the functions here: {op name: policy} and {code of a function: policy}."""
import functools
import inspect

from .. import _methods, fft, linalg
from ..nn import functional
from . import _lists


class Policies:
    """ops: {name of an op: policy};  codes: {code object of a public function: [(its free variables, policy), ...]}

    Functions made by one factory share their code; the variables that they close over tell them apart.
    """

    def __init__(self, table):
        self.ops, self.codes = {}, {}
        for key, names in table.items():
            policy, _, what = key.partition(" ")
            for name in names.split():
                if what == "ops":
                    self.ops[name] = policy
                else:
                    self._add(name, policy)

    def _add(self, name, policy):
        for function in _named(name):
            op = getattr(function, "op", None)
            if op is not None:
                self.ops[op.name] = policy
            else:
                plain = inspect.unwrap(function)
                variables = {n: cell.cell_contents for n, cell in zip(plain.__code__.co_freevars, plain.__closure__ or ())}
                self.codes.setdefault(plain.__code__, []).append((variables, policy))

    def of_frame(self, frame):
        """The policy of the function that a frame belongs to, or None."""
        entries = self.codes.get(frame.f_code)
        if entries is None:
            return None
        local = frame.f_locals if frame.f_code.co_freevars else {}
        return next((policy for variables, policy in entries if all(local.get(n) is v for n, v in variables.items())), None)


@functools.cache
def for_device(device_type):
    """The Policies of "cpu" or "cuda"."""
    return Policies(_lists.CPU if device_type == "cpu" else _lists.CUDA)


def _named(name):
    """The functions behind a name of the lists; none for what is not there."""
    place, _, last = name.rpartition(".")
    if place:
        return [f for f in [getattr({"F": functional, "linalg": linalg, "fft": fft}[place], last, None)] if f is not None]
    return [table[last] for table in (_methods.FUNCTIONS, _methods.METHODS) if last in table]

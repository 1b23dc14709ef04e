"""What type of element a pipe promises: comparison of type hints, and the metaclasses of pipes.

A pipe's type is unknown until `reinforce_type` narrows it; `runtime_validation` then compares every element with it.  (In torch 2.13 pipes
have lost their type, and the functions that ask for it fail.)
"""
import functools
import numbers
import sys
from abc import ABCMeta
from typing import Any, ForwardRef, Generic, TypeVar, Union, get_args, get_origin

from ._hook_iterator import _SnapshotState, hook_iterator

T_co = TypeVar("T_co", covariant=True)


class Integer(numbers.Integral):
    """What `int` is compared as: not a kind of float, and bool no kind of it."""


class Boolean(numbers.Integral):
    """What `bool` is compared as."""


TYPE2ABC = {bool: Boolean, int: Integer, float: numbers.Real, complex: numbers.Complex, dict: dict, list: list, set: set, tuple: tuple,
            None: type(None)}


def _name(hint):
    if isinstance(hint, type) and not get_args(hint):
        return hint.__qualname__ if hint.__module__ == "builtins" else f"{hint.__module__}.{hint.__qualname__}"
    return repr(hint)


def _alternatives(hint):
    """The hints of which one must hold: a Union's members, a TypeVar's bound or constraints; None for a single hint."""
    if isinstance(hint, TypeVar):
        return [TYPE2ABC.get(t, t) for t in ([hint.__bound__] if hint.__bound__ is not None else hint.__constraints__)]
    if get_origin(hint) is Union:
        return [TYPE2ABC.get(t, t) for t in get_args(hint)]
    return None


def _is_generic(hint):
    return get_origin(hint) is Generic


def issubtype(left, right, recursive=True):
    """Whether everything of type hint `left` is also of type hint `right`.  recursive: compare what stands in brackets too."""
    left, right = TYPE2ABC.get(left, left), TYPE2ABC.get(right, right)
    if right is Any or left == right or _is_generic(right):
        return True
    if right is type(None):
        return False
    allowed = _alternatives(right)
    allowed = [right] if allowed is None else allowed
    if not allowed or Any in allowed:
        return True
    if left is Any:
        return False
    variants = _alternatives(left)
    variants = [left] if variants is None else variants
    return bool(variants) and all(_matches_one(v, allowed, recursive) for v in variants)


def _matches_one(variant, allowed, recursive):
    """Whether `variant` is a kind of one of the hints in `allowed`."""
    if variant in allowed:
        return True
    inner = _alternatives(variant)
    if inner is not None:
        return all(_matches_one(v, allowed, recursive) for v in inner)
    return any(_matches(variant, hint, recursive) for hint in allowed)


def _matches(variant, hint, recursive):
    inner = _alternatives(hint)
    if inner is not None:
        return _matches_one(variant, inner, recursive)
    kind = get_origin(variant) or variant
    if get_origin(hint) is None:
        return kind == hint
    if kind != get_origin(hint):
        return False
    wanted, given = get_args(hint), get_args(variant)
    if not recursive or not wanted:
        return True
    return len(given) == len(wanted) and all(issubtype(g, w) for g, w in zip(given, wanted))


def issubinstance(data, data_type):
    """Whether a value, and what is in it, is of a type hint."""
    if not issubtype(type(data), data_type, recursive=False):
        return False
    inner = get_args(data_type)
    if not inner:
        return True
    if isinstance(data, tuple):
        return len(inner) == len(data) and all(issubinstance(d, t) for d, t in zip(data, inner))
    if isinstance(data, (list, set)):
        return all(issubinstance(d, inner[0]) for d in data)
    if isinstance(data, dict):
        key, value = inner
        return all(issubinstance(k, key) and issubinstance(v, value) for k, v in data.items())
    return True


class _DataPipeType:
    """The type hint `param` of a pipe's elements."""

    def __init__(self, param):
        self.param = param

    def __repr__(self):
        return _name(self.param)

    def __eq__(self, other):
        return self.param == other.param if isinstance(other, _DataPipeType) else NotImplemented

    def __hash__(self):
        return hash(self.param)

    def issubtype(self, other):
        """Whether elements of this type are also of type `other`, a _DataPipeType or a type."""
        if isinstance(other, _DataPipeType):
            return issubtype(self.param, other.param)
        if isinstance(other, type):
            return issubtype(self.param, other)
        raise TypeError(f"Expected '_DataPipeType' or 'type', but found {type(other)}")

    def issubtype_of_instance(self, other):
        """Whether the value `other` is of this type."""
        return issubinstance(other, self.param)


_DEFAULT_TYPE = _DataPipeType(Generic[T_co])  # type: ignore[index]


def reinforce_type(self, expected_type):
    """Narrow the type of this pipe's elements to `expected_type`, for `runtime_validation`.  TypeError unless it is a subtype of what it
    was.  Returns the pipe."""
    if isinstance(expected_type, tuple):
        expected_type = tuple[expected_type]
    if isinstance(expected_type, str):
        expected_type = ForwardRef(expected_type)._evaluate(vars(sys.modules[type(self).__module__]), {}, recursive_guard=frozenset())
    if not (isinstance(expected_type, type) or get_origin(expected_type) or expected_type in (Any, None) or isinstance(expected_type, TypeVar)):
        raise TypeError(f"'expected_type' must be a type, and it is {expected_type!r}")
    if not issubtype(expected_type, self.type.param):
        raise TypeError(f"Expected 'expected_type' as subtype of {self.type}, but found {_name(expected_type)}")
    self.type = _DataPipeType(expected_type)
    return self


class _DataPipeMeta(ABCMeta):
    """The class of pipe classes: gives them a `type`, and `reinforce_type`."""

    def __new__(cls, name, bases, namespace, **kwargs):
        if not any(isinstance(base, _DataPipeMeta) for base in bases):
            namespace.update(type=_DEFAULT_TYPE, reinforce_type=reinforce_type)
        return super().__new__(cls, name, bases, namespace, **kwargs)


class _IterDataPipeMeta(_DataPipeMeta):
    """The class of IterDataPipe classes: `reset` spares a pipe whose state was just restored, and `__iter__` allows one iterator at a
    time."""

    def __new__(cls, name, bases, namespace, **kwargs):
        if "reset" in namespace:
            namespace["reset"] = _unless_restored(namespace["reset"])
        if "__iter__" in namespace:
            hook_iterator(namespace)
        return super().__new__(cls, name, bases, namespace, **kwargs)


def _unless_restored(reset):
    @functools.wraps(reset)
    def conditional_reset(self, *args, **kwargs):
        if self._snapshot_state is not _SnapshotState.Restored:
            self._number_of_samples_yielded = 0
            self._fast_forward_iterator = None
            reset(self, *args, **kwargs)
        self._snapshot_state = _SnapshotState.Iterating
    return conditional_reset

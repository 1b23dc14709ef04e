"""Tensors inside what a forward pass takes and returns: lists, tuples, named tuples, dicts and dataclasses, nested at will."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ringgrad import Tensor


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in a nested structure; other objects are passed over."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_in(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif _is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name))


def map_tensors(change: Callable[[Tensor], Any], value: Any) -> Any:
    """The same structure with change(tensor) in the place of every tensor; other objects are shared."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return _like(value, [map_tensors(change, each) for each in value])
    if isinstance(value, Mapping):
        return _like_mapping(value, [(key, map_tensors(change, each)) for key, each in value.items()])
    if _is_dataclass(value):
        fields = [field for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(value, **{field.name: map_tensors(change, getattr(value, field.name)) for field in fields})
    return value


def reached_from(outputs: Iterable[Tensor]) -> set[int]:
    """id() of every leaf tensor that a backward pass from these tensors would give a gradient."""
    found: set[int] = set()
    seen: set[Any] = set()
    stack: list[Any] = []
    for output in outputs:
        if output.grad_fn is not None:
            stack.append(output.grad_fn)
        elif output.requires_grad:
            found.add(id(output))
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        for below, _ in node.next_functions:
            variable = getattr(below, "variable", None)
            if variable is not None:
                found.add(id(variable))
            elif below is not None:
                stack.append(below)
    return found


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _like(original: Any, values: list[Any]) -> Any:
    """A list, tuple or named tuple of the original's type."""
    if hasattr(original, "_fields"):
        return type(original)(*values)
    return type(original)(values)


def _like_mapping(original: Any, pairs: list[tuple[Any, Any]]) -> Any:
    """A dict of the original's type, whatever its constructor takes."""
    if type(original) is dict:
        return dict(pairs)
    copy = original.copy()
    for key, value in pairs:
        copy[key] = value
    return copy

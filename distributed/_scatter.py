"""Batches cut into parts for several devices, and results put together again.  Both are differentiable."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import ringgrad
from ringgrad import Tensor


def as_device(spelled: Any) -> ringgrad.device:
    """A device from 0 (cuda:0), 'cuda:1', 'cpu' or a device; -1 means the CPU."""
    return ringgrad.device("cpu") if isinstance(spelled, int) and spelled == -1 else ringgrad.device(spelled)


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> list[Any] | tuple[Any, ...]:
    """One part of the inputs for each device: tensors are cut along `dim` into parts of ceil(n / devices), other objects repeated.

    There are fewer parts than devices when there are not enough rows. inputs: nested tuples, lists, named tuples and mappings.
    """
    if isinstance(inputs, Tensor):
        return tuple(_parts(inputs, target_gpus, dim))
    if isinstance(inputs, (tuple, list)) and inputs:
        make: Any = type(inputs)._make if hasattr(inputs, "_make") else type(inputs)
        return [make(part) for part in zip(*(scatter(each, target_gpus, dim) for each in inputs))]
    if isinstance(inputs, Mapping) and inputs:
        mapping: Any = type(inputs)
        return [mapping(part) for part in zip(*(scatter(pair, target_gpus, dim) for pair in inputs.items()))]
    return [inputs for _ in target_gpus]


def _parts(tensor: Tensor, devices: Sequence[Any], dim: int) -> list[Tensor]:
    if tensor.dim() == 0:
        raise RuntimeError("scatter: a 0-dimensional tensor cannot be cut into parts; give it a batch dimension, or pass a Python number")
    before = (slice(None),) * (dim % tensor.dim())
    rows = tensor.shape[dim]
    size = max(1, -(-rows // len(devices)))
    starts = range(0, max(rows, 1), size)
    return [tensor[(*before, slice(start, start + size))].to(device=as_device(device)) for start, device in zip(starts, devices)]


def scatter_kwargs(
    inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, target_gpus: Sequence[Any], dim: int = 0
) -> tuple[tuple[Any, ...], tuple[dict[str, Any], ...]]:
    """(positional, keyword) arguments of each replica, as many of both."""
    positional = list(scatter(inputs, target_gpus, dim)) if inputs else []
    keywords = list(scatter(kwargs, target_gpus, dim)) if kwargs else []
    count = max(len(positional), len(keywords))
    positional += [()] * (count - len(positional))
    keywords += [{}] * (count - len(keywords))
    return tuple(positional), tuple(keywords)


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """The replicas' outputs as one, on one device: tensors joined along `dim`, 0-dimensional ones stacked to a vector (with a warning).

    ValueError: the replicas returned mappings of different sizes.
    """
    first = outputs[0]
    if isinstance(first, Tensor):
        moved = [each.to(device=as_device(target_device)) for each in outputs]
        if dim == 0 and all(each.dim() == 0 for each in moved):
            warnings.warn(
                "Was asked to gather along dimension 0, but all input tensors were scalars; will instead unsqueeze and return a vector.",
                stacklevel=4,
            )
            return ringgrad.stack(moved)
        return ringgrad.cat(moved, dim)
    if first is None:
        return None
    if isinstance(first, Mapping):
        if any(len(each) != len(first) for each in outputs):
            raise ValueError("All dicts must have the same number of keys")
        mapping: Any = type(first)
        return mapping((key, gather([each[key] for each in outputs], target_device, dim)) for key in first)
    joined = [gather(each, target_device, dim) for each in zip(*outputs, strict=True)]
    return type(first)._make(joined) if hasattr(first, "_make") else type(first)(joined)

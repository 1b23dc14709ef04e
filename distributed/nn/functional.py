"""Collectives as functions of their inputs: results are new tensors, and a backward pass sends the gradients the other way.

Every rank must run the same backward passes in the same order, as with the collectives themselves.  As in torch, the loss that is differentiated
is the sum of all ranks' losses: the gradient of `all_reduce` is an `all_reduce`.
"""
from typing import Any

import ringgrad
from ringgrad import Tensor
from ringgrad.autograd import Function

from .. import _collectives as collectives
from .._init import get_rank, get_world_size
from ..reduce_op import ReduceOp

__all__ = ["all_gather", "all_reduce", "all_to_all", "all_to_all_single", "broadcast", "gather", "reduce", "reduce_scatter", "scatter"]


def _empty_like_all(tensor: Tensor, group: Any) -> list[Tensor]:
    return [ringgrad.empty_like(tensor) for _ in range(get_world_size(group))]


class _AllReduce(Function):
    @staticmethod
    def forward(ctx: Any, op: Any, group: Any, tensor: Tensor) -> Tensor:
        ctx.op, ctx.group = op, group
        out = tensor.clone().contiguous()
        collectives.all_reduce(out, op, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return None, None, _AllReduce.apply(ctx.op, ctx.group, g)


class _Broadcast(Function):
    @staticmethod
    def forward(ctx: Any, src: int, group: Any, tensor: Tensor) -> Tensor:
        ctx.src, ctx.group = src, group
        out = tensor.clone().contiguous()
        collectives.broadcast(out, src, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        total = _Reduce.apply(ctx.src, ReduceOp.SUM, ctx.group, g)
        return None, None, total if get_rank() == ctx.src else ringgrad.zeros_like(total)


class _Reduce(Function):
    @staticmethod
    def forward(ctx: Any, dst: int, op: Any, group: Any, tensor: Tensor) -> Tensor:
        ctx.dst, ctx.group = dst, group
        out = tensor.clone().contiguous()
        collectives.reduce(out, dst, op, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return None, None, None, _Broadcast.apply(ctx.dst, ctx.group, g)


class _AllGather(Function):
    @staticmethod
    def forward(ctx: Any, group: Any, tensor: Tensor) -> Any:
        ctx.group = group
        out = _empty_like_all(tensor.contiguous(), group)
        collectives.all_gather(out, tensor.contiguous(), group)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        mine = ringgrad.empty_like(gs[0])
        collectives.reduce_scatter(mine, [g.contiguous() for g in gs], ReduceOp.SUM, ctx.group)
        return None, mine


class _ReduceScatter(Function):
    @staticmethod
    def forward(ctx: Any, op: Any, group: Any, *tensors: Tensor) -> Tensor:
        ctx.group = group
        out = ringgrad.empty_like(tensors[0])
        collectives.reduce_scatter(out, [t.contiguous() for t in tensors], op, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return None, None, *_AllGather.apply(ctx.group, g)


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, dst: int, group: Any, tensor: Tensor) -> Any:
        ctx.dst, ctx.group = dst, group
        out = [ringgrad.zeros_like(tensor) for _ in range(get_world_size(group))]
        collectives.gather(tensor.contiguous(), out if get_rank() == dst else None, dst, group)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        return None, None, _Scatter.apply(ctx.dst, ctx.group, *gs)


class _Scatter(Function):
    @staticmethod
    def forward(ctx: Any, src: int, group: Any, *tensors: Tensor) -> Tensor:
        ctx.src, ctx.group = src, group
        out = ringgrad.zeros_like(tensors[0])
        collectives.scatter(out, [t.contiguous() for t in tensors] if get_rank() == src else None, src, group)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return None, None, *_Gather.apply(ctx.src, ctx.group, g)


class _AllToAll(Function):
    @staticmethod
    def forward(ctx: Any, group: Any, shapes: Any, *tensors: Tensor) -> Any:
        ctx.group, ctx.shapes = group, [t.shape for t in tensors]
        out = [ringgrad.empty(shape, dtype=tensors[0].dtype, device=tensors[0].device) for shape in shapes]
        collectives.all_to_all(out, [t.contiguous() for t in tensors], group)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *gs: Tensor) -> Any:
        return None, None, *_AllToAll.apply(ctx.group, ctx.shapes, *gs)


def all_reduce(tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum (or another reduction) of all ranks' tensors, on every rank.  (*) -> (*)"""
    return _AllReduce.apply(op, group, tensor)


def broadcast(tensor: Tensor, src: int, group: Any = None) -> Tensor:
    """Rank src's tensor, on every rank.  (*) -> (*)"""
    return _Broadcast.apply(src, group, tensor)


def reduce(tensor: Tensor, dst: int, op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum of all ranks' tensors on rank dst; what the others get is undefined.  (*) -> (*)"""
    return _Reduce.apply(dst, op, group, tensor)


def all_gather(tensor: Tensor, group: Any = None) -> tuple[Tensor, ...]:
    """All ranks' tensors, of one shape, in the order of the ranks.  (*) -> ranks x (*)"""
    return _AllGather.apply(group, tensor)


def reduce_scatter(output: Any, input_list: list[Tensor], op: Any = ReduceOp.SUM, group: Any = None) -> Tensor:
    """The sum of what all ranks have for this one.  output: only its place counts, the result is a new tensor, as in torch.  ranks x (*) -> (*)"""
    return _ReduceScatter.apply(op, group, *input_list)


def gather(tensor: Tensor, dst: int = 0, group: Any = None) -> tuple[Tensor, ...]:
    """All ranks' tensors on rank dst, zeros on the others.  (*) -> ranks x (*)"""
    return _Gather.apply(dst, group, tensor)


def scatter(tensors: list[Tensor], src: int = 0, group: Any = None) -> Tensor:
    """What rank src has for this rank.  ranks x (*) -> (*)"""
    return _Scatter.apply(src, group, *tensors)


def all_to_all(output_tensor_list: list[Tensor], input_tensor_list: list[Tensor], group: Any = None) -> tuple[Tensor, ...]:
    """What every rank has for this one.  output_tensor_list: tensors of the shapes that come, which stay as they are."""
    return _AllToAll.apply(group, [t.shape for t in output_tensor_list], *input_tensor_list)


def all_to_all_single(output: Tensor, input: Tensor, output_split_sizes: Any = None,  # noqa: A002 - torch's name
                      input_split_sizes: Any = None, group: Any = None) -> Tensor:
    """Parts of the first dimension to every rank, and theirs in return, as one tensor; equal parts where no sizes are given."""
    ranks = get_world_size(group)
    sent = input.split(input_split_sizes or input.shape[0] // ranks)
    come = output.split(output_split_sizes or output.shape[0] // ranks)
    return ringgrad.cat(all_to_all(list(come), list(sent), group))

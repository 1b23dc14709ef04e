"""DistributedDataParallel: one model on every rank, trained on different data, with the same parameters everywhere at every step.

    ringgrad.distributed.init_process_group()
    model = DistributedDataParallel(model)
    loss = loss_fn(model(x), y)
    loss.backward()                   # gradients are averages over the ranks when this returns

What it must equal is simple_ddp.py; how it averages while backward runs is in reducer.py.
"""

import copy
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ringgrad
from ringgrad import Tensor
from ringgrad.nn import Module

from ._nested import map_tensors
from ._replicas import broadcast_tensors, verify_parameters
from ._state import default_group, resolve
from .buckets import limits_from
from .comm_hooks import CommHook
from .join import Join, Joinable, JoinHook
from .process_group import ProcessGroup
from .reduce_op import ReduceOp
from .reducer import Reducer

_NOT_COPIED = ("process_group", "reducer")


class DistributedDataParallel(Module, Joinable):
    """Wraps a module so that backward() averages gradients over the ranks of a process group.

    module             its parameters and buffers are rank 0's afterwards (init_sync)
    device_ids         [index] of this rank's GPU: inputs are moved there. None: inputs are where they must be
    output_device, dim accepted for torch's sake
    broadcast_buffers  copy rank 0's buffers to all before every forward pass in training mode
    forward_sync_buffers  the same, but buffers are copied at the start in any case
    process_group      default: all ranks
    bucket_cap_mb      MiB of gradients that are sent together (default 25, and 1 for the first); bucket_cap_mb_list: one for each bucket
    find_unused_parameters  allow parameters that get no gradient. One that no rank used keeps its .grad; one that some used gets the
                       average, in which the others count as zero
    gradient_as_bucket_view  .grad lives in the buckets: saves their memory and a copy
    static_graph       the set of used parameters never changes, and how often they are used: found in the first step
    check_reduction, batched_grad_copy, skip_all_reduce_unused_params  accepted for torch's sake; results do not depend on them

    Its state_dict has the module's keys with the prefix "module.".

    ValueError: no process group, devices of several types, device_ids for a CPU module. RuntimeError: no parameter requires grad, or
    the ranks' models differ (named). backward() raises RuntimeError on all ranks, with rank and names, when a parameter got no gradient
    and find_unused_parameters is False, and DistBackendError or its kin, with rank, step and names, when communication fails.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool | None = None,
        init_sync: bool = True,
        process_group: ProcessGroup | None = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        delay_all_reduce_named_params: Any = None,
        param_to_hook_all_reduce: Any = None,
        mixed_precision: Any = None,
        device_mesh: Any = None,
        skip_all_reduce_unused_params: bool = False,
        bucket_cap_mb_list: Sequence[float] | None = None,
        batched_grad_copy: bool = False,
        forward_sync_buffers: bool | None = None,
    ) -> None:
        super().__init__()
        Joinable.__init__(self)
        _refuse(
            delay_all_reduce_named_params=delay_all_reduce_named_params,
            param_to_hook_all_reduce=param_to_hook_all_reduce,
            mixed_precision=mixed_precision,
            device_mesh=device_mesh,
        )
        group = resolve(process_group)
        if group is None:
            raise ValueError("DistributedDataParallel: this rank is not a member of process_group; wrap the module on its members only")
        self.process_group = group
        self.module, self.dim = module, dim
        self.parameters_to_ignore = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        self.find_unused_parameters, self.static_graph = find_unused_parameters, static_graph
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.forward_sync_buffers = forward_sync_buffers if forward_sync_buffers is not None else broadcast_buffers is not False
        self.require_forward_param_sync = True
        self._limits = limits_from(bucket_cap_mb, bucket_cap_mb_list)
        self._comm_hooks: list[tuple[CommHook, Any]] = []
        self._divide_by_initial_world_size = True
        self.device_type = _device_type(self._own_parameters())
        self.device = self._own_parameters()[0][1].device
        self.device_ids, self.output_device = _check_device_ids(device_ids, output_device, self._own_parameters())
        if init_sync:
            names, parameters = zip(*self._trained_parameters())
            verify_parameters(names, parameters, group)
            self._broadcast_state(0, with_buffers=forward_sync_buffers is not None or self.forward_sync_buffers)
        self._start_reducer()

    def _own_parameters(self) -> list[tuple[str, Tensor]]:
        return [(name, p) for name, p in self.module.named_parameters() if name not in self.parameters_to_ignore]

    def _trained_parameters(self) -> list[tuple[str, Tensor]]:
        return [(name, p) for name, p in self._own_parameters() if p.requires_grad]

    def _start_reducer(self) -> None:
        names, parameters = zip(*self._trained_parameters())
        self.reducer = Reducer(
            parameters,
            names,
            self.process_group,
            self._limits,
            find_unused=self.find_unused_parameters,
            as_view=self.gradient_as_bucket_view,
            static=self.static_graph,
        )
        for hook, state in self._comm_hooks:
            self.reducer.set_hook(hook, state)
        # The parameters' hooks hold the reducer: without this it would go on living in a module that is wrapped no more.
        weakref.finalize(self, _remove, self.reducer.handles).atexit = False

    # The step

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's forward, on this rank's inputs, ready to average the gradients of what it returns."""
        records = ringgrad.is_grad_enabled()
        if records:
            self.reducer.prepare_forward()
        self._join_in(records)
        if self.device_ids:
            inputs, kwargs = map_tensors(lambda t: t.to(self.device), (inputs, kwargs))
        output = self.module(*inputs, **kwargs)
        if records:
            self.require_forward_param_sync = self.require_backward_grad_sync
            self.reducer.watch(output)
        return output

    def _join_in(self, records: bool) -> None:
        """The collectives before a forward pass; _DDPJoinHook.main_hook is their shadow."""
        work = Join.notify_join_context(self)
        if work is not None:
            active = work.result()[0]
            if not self._divide_by_initial_world_size:
                self.reducer.set_divisor(int(active.item()))
        if self.will_sync_module_buffers():
            self._sync_buffers(self.process_group.rank())
        if self._join_config.enable:
            self._any_rank(records and self.require_backward_grad_sync)

    @property
    def require_backward_grad_sync(self) -> bool:
        """Whether the backward pass of the next forward averages gradients; False inside no_sync()."""
        return self.reducer.require_sync

    @require_backward_grad_sync.setter
    def require_backward_grad_sync(self, value: bool) -> None:
        self.reducer.require_sync = bool(value)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave gradients unaveraged: they add up on this rank, and the first step outside averages the sums.

            with ddp.no_sync():
                ddp(x).sum().backward()
            ddp(y).sum().backward()

        Forward and backward belong on the same side: RuntimeError at backward if only one of them is inside.
        """
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def register_comm_hook(self, state: Any, hook: Callable[[Any, Any], Any]) -> None:
        """Let hook(state, bucket) communicate instead of one all-reduce per bucket; see comm_hooks.py.

        TypeError: not callable.  RuntimeError: there is one already.
        """
        if not callable(hook):
            raise TypeError("Communication hook must be callable.")
        self.reducer.set_hook(hook, state)
        self._comm_hooks.append((hook, state))

    # Buffers and the model as a whole

    def _own_buffers(self) -> list[Tensor]:
        return [buffer for name, buffer in self.module.named_buffers() if name not in self.parameters_to_ignore]

    def will_sync_module_buffers(self) -> bool:
        """Whether the next forward begins with a broadcast of the buffers: in training mode, once per averaged step."""
        return self.training and self.forward_sync_buffers and self.require_forward_param_sync and bool(self._own_buffers())

    def _sync_buffers(self, candidate: int) -> None:
        """Copy one rank's buffers to all: rank 0's, or inside join() the highest rank's that has data.  candidate: this rank, or -1."""
        src = self._highest(candidate) if self._join_config.enable else 0
        broadcast_tensors(self._own_buffers(), self.process_group, src, label="buffers of DistributedDataParallel")

    def _broadcast_state(self, src: int, with_buffers: bool) -> None:
        tensors = [p for _, p in self._own_parameters()] + (self._own_buffers() if with_buffers else [])
        broadcast_tensors(tensors, self.process_group, src, label="parameters and buffers of DistributedDataParallel")

    def _highest(self, number: int) -> int:
        tensor = ringgrad.tensor([number], device=self.device)
        self.process_group.all_reduce(tensor, ReduceOp.MAX, label="join: a rank with data")
        return int(tensor.item())

    def _any_rank(self, flag: bool) -> bool:
        return bool(self._highest(int(flag)))

    # Uneven inputs

    def join(self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False) -> Join:
        """Context for ranks that have different numbers of batches: those that run out take part in the others' steps with zeros.

        divide_by_initial_world_size: divide sums of gradients by the number of all ranks, so that every sample counts the same; False: by
        that of the ranks which still have data. At the end all ranks have the parameters of one that had the most.
        throw_on_early_termination: RuntimeError on all ranks when the first one runs out.
        """
        return Join([self], enable, throw_on_early_termination, divide_by_initial_world_size=divide_by_initial_world_size)

    def join_hook(self, **kwargs: Any) -> JoinHook:
        """What this module does on a rank that has run out of data."""
        self._divide_by_initial_world_size = kwargs.get("divide_by_initial_world_size", True)
        return _DDPJoinHook(self)

    @property
    def join_device(self) -> Any:
        """The parameters' device."""
        return self.device

    @property
    def join_process_group(self) -> ProcessGroup:
        """The group over which gradients are averaged."""
        return self.process_group

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        if self.process_group is not default_group():
            raise RuntimeError(
                "DDP Pickling/Unpickling are only supported when using DDP with the default process group. That is, when you have called "
                "init_process_group and have not passed process_group argument to DDP constructor"
            )
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.process_group = default_group()
        self._start_reducer()

    def __deepcopy__(self, memo: dict[int, Any]) -> "DistributedDataParallel":
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        shared = {"_comm_hooks": list(self._comm_hooks), "process_group": self.process_group}
        own = {name: value for name, value in self.__dict__.items() if name not in (*_NOT_COPIED, *shared)}
        twin.__dict__.update(copy.deepcopy(own, memo) | shared)
        twin._start_reducer()
        return twin


class _DDPJoinHook(JoinHook):
    """One step of DistributedDataParallel on a rank without data: the same collectives in the same order."""

    def __init__(self, ddp: DistributedDataParallel) -> None:
        self._ddp = ddp

    def main_hook(self) -> None:
        ddp = self._ddp
        if ddp.will_sync_module_buffers():
            ddp._sync_buffers(candidate=-1)
        ddp.require_forward_param_sync = ddp._any_rank(False)
        if ddp.require_forward_param_sync:
            ddp.reducer.shadow()

    def post_hook(self, is_last_joiner: bool) -> None:
        ddp = self._ddp
        ddp.reducer.set_divisor(ddp.process_group.size())
        src = ddp._highest(ddp.process_group.rank() if is_last_joiner else -1)
        ddp._broadcast_state(src, with_buffers=ddp.forward_sync_buffers)


def _remove(handles: Sequence[Any]) -> None:
    for handle in handles:
        handle.remove()


def _refuse(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise NotImplementedError(f"DistributedDataParallel does not support {name}; leave it at None")


def _device_type(parameters: Sequence[tuple[str, Tensor]]) -> str:
    """'cpu' or 'cuda'.  RuntimeError: nothing to train.  ValueError: both."""
    if not any(p.requires_grad for _, p in parameters):
        raise RuntimeError("DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient.")
    types = {p.device.type for _, p in parameters}
    if len(types) != 1:
        raise ValueError(
            f"DistributedDataParallel's input module must be on the same type of devices, but input module parameters locate in {types}."
        )
    return types.pop()


def _check_device_ids(device_ids: Any, output_device: Any, parameters: Sequence[tuple[str, Tensor]]) -> tuple[list[int] | None, Any]:
    """(device_ids, output_device) as the attributes say it.  ValueError: several, or for a module they mean nothing to."""
    if device_ids is not None and len(device_ids) > 1:
        raise ValueError("device_ids can only be None or contain a single element.")
    devices = {p.device for _, p in parameters}
    if not device_ids or len(devices) > 1 or next(iter(devices)).type == "cpu":
        if device_ids or output_device is not None:
            raise ValueError(
                f"DistributedDataParallel device_ids and output_device arguments only work with single-device/multiple-device GPU modules "
                f"or CPU modules, but got device_ids {device_ids}, output_device {output_device}, and module parameters "
                f"{sorted(map(str, devices))}; leave both out for this module."
            )
        return None, None
    place, own = ringgrad.device(device_ids[0]), devices.pop()
    if place.type != "cuda" or place.index != own.index:
        raise ValueError(f"device_ids is [{place}], but the module's parameters are on {own}; move the module there before wrapping it")
    return [place.index], ringgrad.device(output_device) if output_device is not None else place

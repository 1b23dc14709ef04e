"""DataParallel: one process, several devices. Each forward pass copies the module to the devices and cuts the batch among them.

The copies are differentiable: gradients add up in the original's parameters, as if one device had seen the whole batch.
DistributedDataParallel, one process per device, is faster; this needs no launcher.
"""

import threading
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import ringgrad
from ringgrad import Tensor, cuda
from ringgrad.nn import Module

from ._scatter import as_device, gather, scatter_kwargs


class DataParallel(Module):
    """Runs a module on several devices of this process, each on its part of the batch.

    device_ids     devices, the module's own first: indices of GPUs, or anything that means a device, also the same one twice
                   (["cpu", "cpu"]). None: all GPUs. On a machine without GPUs, GPUs are left out, and the module runs as it is.
    output_device  where the joined output goes; default device_ids[0], -1 for the CPU
    dim            along which inputs are cut and outputs joined

    The first replica is the module itself, so what its forward changes stays; what the other replicas' forwards change (buffers of batch
    normalisation) is lost, as in torch. RuntimeError: the module is not on device_ids[0]. An exception of a replica is raised again with
    its type, naming replica and device, and with the original traceback.
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module, self.dim = module, dim
        self.device_ids = _devices(device_ids)
        self.output_device = as_device(output_device) if output_device is not None else next(iter(self.device_ids), None)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's output for the whole batch."""
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        return data_parallel(self.module, inputs, self.device_ids, self.output_device, self.dim, kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """module(*inputs) computed on several devices: DataParallel as a function."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,) if inputs is not None else ()
    devices = _devices(device_ids)
    if not devices:
        raise RuntimeError("data_parallel: no available devices were found; name them, or call the module itself")
    _check_home(module, devices[0])
    positional, keywords = scatter_kwargs(inputs, module_kwargs, devices, dim)
    if not positional:
        positional, keywords = ((),), ({},)
    used = devices[: len(positional)]
    if len(used) == 1:
        return module(*positional[0], **keywords[0])
    replicas = [module, *replicate(module, used[1:], shares_buffers=False)]
    outputs = parallel_apply(replicas, positional, keywords, used)
    return gather(outputs, devices[0] if output_device is None else output_device, dim)


def _devices(device_ids: Sequence[Any] | None) -> list[ringgrad.device]:
    """The devices meant; GPUs are left out where there are none."""
    wanted = range(cuda.device_count()) if device_ids is None else device_ids
    devices = [as_device(each) for each in wanted]
    return [each for each in devices if each.type != "cuda" or cuda.is_available()]


def _check_home(module: Module, home: ringgrad.device) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if not _is_on(tensor, home):
            raise RuntimeError(
                f"module must have its parameters and buffers on device {home} (device_ids[0]) but found one of them on device: "
                f"{tensor.device}; move it with module.to('{home}')"
            )


def _is_on(tensor: Tensor, place: ringgrad.device) -> bool:
    return tensor.device.type == place.type and place.index in (None, tensor.device.index)


def replicate(network: Module, devices: Sequence[Any], detach: bool = False, shares_buffers: bool = True) -> list[Module]:
    """A copy of the network on each device, whose parameters are differentiable copies of the network's (detach: not differentiable).

    On the network's own device the copies share its parameters, and, with shares_buffers, the first one its buffers. Copies are for one
    forward pass: what is assigned to them is not seen by the network.
    """
    replicas = []
    for device in map(as_device, devices):
        moved: dict[int, Any] = {}
        for parameter in network.parameters():
            copy = parameter if _is_on(parameter, device) else parameter.to(device=device)
            moved[id(parameter)] = copy.detach() if detach else copy
        for buffer in network.buffers():
            share = shares_buffers and _is_on(buffer, device)
            moved[id(buffer)] = buffer if share else buffer.detach().to(device=device, copy=True)
            shares_buffers = shares_buffers and not share
        replicas.append(_with_tensors(network, moved, {}))
    return replicas


def _with_tensors(module: Module, moved: dict[int, Any], made: dict[int, Module]) -> Module:
    """A copy of a module tree in which other tensors, found by the id of the old ones, stand for its parameters and buffers."""
    if id(module) in made:
        return made[id(module)]
    twin = made[id(module)] = module.__new__(type(module))
    twin.__dict__.update(module.__dict__)
    for table in ("_parameters", "_buffers"):
        twin.__dict__[table] = {name: moved.get(id(tensor), tensor) for name, tensor in getattr(module, table).items()}
    children = {name: None if child is None else _with_tensors(child, moved, made) for name, child in module._modules.items()}
    twin.__dict__["_modules"] = children
    return twin


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """[module(*input, **kwargs), ...], each in a thread of its own with its device as the current one, in the caller's grad mode.

    The first exception, in the order of the replicas, is raised again with its type, naming replica and device, with its traceback.
    """
    count = len(modules)
    keywords = [{}] * count if kwargs_tup is None else list(kwargs_tup)
    places = [None] * count if devices is None else [as_device(each) for each in devices]
    for name, values in (("inputs", inputs), ("kwargs", keywords), ("devices", places)):
        if len(values) != count:
            raise ValueError(f"The number of modules {count} is not equal to the number of {name} {len(values)}")
    outcomes: list[Any] = [None] * count
    records, infers = ringgrad.is_grad_enabled(), ringgrad.is_inference_mode_enabled()

    def work(i: int) -> None:
        arguments = inputs[i] if isinstance(inputs[i], (list, tuple)) else (inputs[i],)
        try:
            with ringgrad.inference_mode(infers), ringgrad.set_grad_enabled(records), _current(places[i]):
                outcomes[i] = modules[i](*arguments, **keywords[i])
        except Exception as error:
            outcomes[i] = _Failure(error, f"in replica {i}" + (f" on device {places[i]}" if places[i] is not None else ""))

    threads = [threading.Thread(target=work, args=(i,), name=f"ringgrad-replica-{i}") for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, _Failure):
            outcome.raise_again()
    return outcomes


def _current(place: ringgrad.device | None) -> Any:
    """A context in which the device is the current one."""
    return cuda.device(place) if place is not None and place.type == "cuda" else nullcontext()


class _Failure:
    """An exception that ended a replica's thread."""

    def __init__(self, error: Exception, where: str) -> None:
        self._error = error
        self._message = f"Caught {type(error).__name__} {where}.\nOriginal {traceback.format_exc().rstrip()}"

    def raise_again(self) -> None:
        """Raise it in this thread, with its type where that can be made from a message."""
        try:
            again = type(self._error)(self._message)
        except TypeError:
            again = RuntimeError(self._message)
        raise again from self._error

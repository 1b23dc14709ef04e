"""torch.Stream and torch.Event: those of the GPU where there is one, else the CPU's null objects."""
from . import cpu, cuda


def Stream(device=None, *, priority=0):
    """A new stream of `device`; None means the GPU where there is one."""
    return cuda.Stream(device, priority) if _on_gpu(device) else cpu.Stream(priority, device)


def Event(device=None, *, enable_timing=False, blocking=False, interprocess=False):
    """A new event of `device`; None means the GPU where there is one."""
    if _on_gpu(device):
        return cuda.Event(enable_timing, blocking, interprocess)
    return cpu.Event(device, enable_timing=enable_timing)


def _on_gpu(device):
    return cuda.is_available() if device is None else str(device).startswith("cuda") or isinstance(device, int)

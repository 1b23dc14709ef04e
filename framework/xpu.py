"""torch.xpu: there are no Intel GPUs here."""

__all__ = ["current_device", "device_count", "empty_cache", "get_device_name", "get_device_properties", "is_available", "is_bf16_supported",
           "is_initialized", "manual_seed", "manual_seed_all", "memory_allocated", "seed", "seed_all", "set_device", "synchronize"]


def is_available():
    """False."""
    return False


def is_initialized():
    """False."""
    return False


def is_bf16_supported(including_emulation=True):
    """False."""
    return False


def device_count():
    """0."""
    return 0


def memory_allocated(device=None):
    """0."""
    return 0


def manual_seed(seed):
    """Nothing to seed."""


manual_seed_all = manual_seed


def seed():
    """Nothing to seed."""


seed_all = seed


def empty_cache():
    """Nothing to free."""


def _refuse(*args, **kwargs):
    """Refuses: there is no XPU device."""
    raise AssertionError("Cannot use the XPU device: ringgrad runs on CPUs and on NVIDIA GPUs")


current_device = get_device_name = get_device_properties = set_device = synchronize = _refuse

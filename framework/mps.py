"""torch.mps: there are no Apple GPUs here."""

__all__ = ["current_allocated_memory", "device_count", "driver_allocated_memory", "empty_cache", "get_rng_state", "is_available", "manual_seed",
           "recommended_max_memory", "seed", "set_per_process_memory_fraction", "set_rng_state", "synchronize"]


def is_available():
    """False."""
    return False


def device_count():
    """0."""
    return 0


def manual_seed(seed):
    """Nothing to seed."""


def seed():
    """Nothing to seed."""


def empty_cache():
    """Nothing to free."""


def current_allocated_memory():
    """0."""
    return 0


def driver_allocated_memory():
    """0."""
    return 0


def recommended_max_memory():
    """0."""
    return 0


def _refuse(*args, **kwargs):
    """Refuses: there is no MPS device."""
    raise RuntimeError("Cannot use the MPS device: ringgrad runs on CPUs and on NVIDIA GPUs")


synchronize = get_rng_state = set_rng_state = set_per_process_memory_fraction = _refuse

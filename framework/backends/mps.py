"""torch.backends.mps: there is no backend for Apple GPUs."""

__all__ = ["get_core_count", "get_name", "is_available", "is_built", "is_macos13_or_newer", "is_macos_or_newer"]


def is_available():
    """False."""
    return False


def is_built():
    """False."""
    return False


def is_macos_or_newer(major, minor):
    """False: nothing here depends on it."""
    return False


def is_macos13_or_newer(minor=0):
    """False: nothing here depends on it."""
    return False


def get_core_count():
    """0."""
    return 0


def get_name():
    """An empty string."""
    return ""

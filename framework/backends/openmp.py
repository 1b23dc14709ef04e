"""torch.backends.openmp: threads come from NumPy's own library."""


def is_available():
    """False."""
    return False

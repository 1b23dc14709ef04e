"""torch.backends.cusparselt: not used."""


def is_available():
    """False."""
    return False


def version():
    """None."""

"""Answers of torch's modules that are not built to the question whether they are."""


def is_available():
    """False."""
    return False

"""Switches of the whole process that torch has and programs set."""
_deterministic = {"on": False, "warn": False}


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Ask for operations that give the same bits every time.

    All operations on the CPU do.  On CUDA, sums into repeated indices (index_add, scatter_add, gradients of embedding and gather) use atomic
    additions, whose order varies; they have no other form yet, so the switch changes nothing there.
    """
    _deterministic.update(on=bool(mode), warn=bool(warn_only))


def are_deterministic_algorithms_enabled():
    """Whether `use_deterministic_algorithms(True)` is in force."""
    return _deterministic["on"]


def is_deterministic_algorithms_warn_only_enabled():
    """Whether it is in force with warn_only=True."""
    return _deterministic["warn"]


FUNCTIONS = {
    "use_deterministic_algorithms": use_deterministic_algorithms,
    "are_deterministic_algorithms_enabled": are_deterministic_algorithms_enabled,
    "is_deterministic_algorithms_warn_only_enabled": is_deterministic_algorithms_warn_only_enabled,
}
METHODS = {}
INPLACE = {}

"""torch's path to the communication hooks; see ringgrad.distributed.comm_hooks."""

from . import default_hooks

__all__ = ["default_hooks"]

"""torch's path to the join context; see ringgrad.distributed.join."""

from ..join import Join, Joinable, JoinHook

__all__ = ["Join", "JoinHook", "Joinable"]

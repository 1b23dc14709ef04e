"""What goes wrong between ranks, as exceptions.

    RuntimeError
    └── DistError
        ├── DistBackendError             a collective failed
        │   ├── CollectiveMismatchError  ranks called different collectives
        │   ├── DistTimeoutError         a wait ran into its time limit
        │   └── RankFailedError          another rank died or left
        ├── DistNetworkError             a host or port cannot be reached or taken
        └── DistStoreError               the key-value store refused or timed out

The four DistXxx names without a second level are torch.distributed's; the three below DistBackendError say more.
Wrong arguments are ValueError, TypeError or RuntimeError, as in torch, and leave the group usable.
"""


class DistError(RuntimeError):
    """Base of every error of ringgrad.distributed that is not about an argument."""


class DistBackendError(DistError):
    """A collective could not be completed."""


class CollectiveMismatchError(DistBackendError):
    """Ranks called different collectives, or the same one with different dtype, shape, operation or root; raised on every rank."""


class DistTimeoutError(DistBackendError):
    """A wait ran into its time limit; names the ranks that had not arrived where that is known."""


class RankFailedError(DistBackendError):
    """Another rank died, failed or left the group while this one waited for it.

    exit_code: the code the failed rank exited with where that is known, otherwise 1; this rank should exit with it too.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DistNetworkError(DistError):
    """A host cannot be reached, or a port cannot be bound."""


class DistStoreError(DistError):
    """The key-value store refused a request, or a wait for a key timed out."""

"""How a tensor lies on a mesh of ranks, as values: `Shard(dim)`, `Replicate()`, `Partial(reduce_op)`.  Tensors that do so are not built."""
from dataclasses import dataclass

from .device_mesh import DeviceMesh, init_device_mesh

__all__ = ["DeviceMesh", "Partial", "Placement", "Replicate", "Shard", "init_device_mesh"]


class Placement:
    """Base class of the three."""

    def is_shard(self, dim=None):
        """Whether it is a Shard, of this dimension unless dim is None."""
        return isinstance(self, Shard) and dim in (None, self.dim)

    def is_replicate(self):
        """Whether it is a Replicate."""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op=None):
        """Whether it is a Partial, of this operation unless reduce_op is None."""
        return isinstance(self, Partial) and reduce_op in (None, self.reduce_op)


@dataclass(frozen=True)
class Shard(Placement):
    """Each rank has a part along dimension `dim`."""

    dim: int


@dataclass(frozen=True)
class Replicate(Placement):
    """Each rank has all of it."""


@dataclass(frozen=True)
class Partial(Placement):
    """Each rank has a summand; reduce_op says how they are to be put together."""

    reduce_op: str = "sum"

    def __repr__(self):
        return f"Partial({self.reduce_op})"

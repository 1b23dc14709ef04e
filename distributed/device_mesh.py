"""DeviceMesh: the ranks as a grid, with one process group per line of each axis."""

import math
from collections.abc import Sequence
from typing import Any

from ringgrad import Tensor, arange, int64, tensor

from ._init import get_rank, get_world_size, init_process_group, is_initialized, new_subgroups_by_enumeration
from ._state import group as default

__all__ = ["DeviceMesh", "init_device_mesh"]


def init_device_mesh(device_type: str, mesh_shape: Sequence[int], *, mesh_dim_names: Sequence[str] | None = None,
                     backend_override: Any = None) -> "DeviceMesh":
    """All ranks in a grid of `mesh_shape`, numbered row by row; starts the default process group where there is none.

    device_type: "cpu" or "cuda".  Every rank must call it.  RuntimeError for repeated names, or as many names as axes; and when the grid has another
    size than the world.
    """
    shape = tuple(mesh_shape)
    if mesh_dim_names is not None:
        if len(set(mesh_dim_names)) != len(mesh_dim_names):
            raise RuntimeError(f"Each mesh_dim_name must be unique. Found repeated mesh_dim_name in mesh_dim_names {tuple(mesh_dim_names)}")
        if len(shape) != len(mesh_dim_names):
            raise RuntimeError(f"mesh_shape and mesh_dim_names should have same length! Found len(mesh_dim_names): {len(mesh_dim_names)} and "
                               f"len(mesh_shape):{len(shape)}.")
    if not is_initialized():
        init_process_group()
    if math.prod(shape) != get_world_size():
        raise RuntimeError(f"mesh_shape {shape} has {math.prod(shape)} places, but there are {get_world_size()} ranks")
    return DeviceMesh(device_type, arange(math.prod(shape)).view(shape), mesh_dim_names=mesh_dim_names)


class DeviceMesh:
    """A grid of ranks: `mesh` is the tensor of their numbers, `mesh_dim_names` the names of its axes.

    Every rank must make the same mesh, for each line of each axis becomes a process group.
    """

    def __init__(self, device_type: str, mesh: Any, *, mesh_dim_names: Sequence[str] | None = None, _groups: list[Any] | None = None) -> None:
        self.device_type = device_type
        self.mesh = mesh if isinstance(mesh, Tensor) else tensor(mesh, dtype=int64)
        self.mesh_dim_names = tuple(mesh_dim_names) if mesh_dim_names is not None else None
        if not is_initialized():
            init_process_group()
        self._groups = self._make_groups() if _groups is None else _groups

    def _make_groups(self) -> list[Any]:
        if self.mesh.ndim == 1 and self.mesh.tolist() == list(range(get_world_size())):
            return [default.WORLD]
        return [new_subgroups_by_enumeration(self.mesh.movedim(axis, -1).reshape(-1, self.mesh.shape[axis]).tolist())[0]
                for axis in range(self.mesh.ndim)]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.mesh.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Ranks along each axis."""
        return tuple(self.mesh.shape)

    def size(self, mesh_dim: int | None = None) -> int:
        """Ranks in all, or along one axis."""
        return self.mesh.numel() if mesh_dim is None else self.mesh.shape[mesh_dim]

    def _axis(self, mesh_dim: int | str | None) -> int:
        if mesh_dim is None:
            if self.ndim > 1:
                raise RuntimeError(f"Found the DeviceMesh have {self.ndim} dimensions. Optional kwarg `mesh_dim` needs to be specified when "
                                   "device_mesh.ndim > 1.")
            return 0
        if isinstance(mesh_dim, str):
            if mesh_dim not in (self.mesh_dim_names or ()):
                raise KeyError(f"Invalid mesh_dim_name {mesh_dim!r}; the names are {self.mesh_dim_names}")
            return (self.mesh_dim_names or ()).index(mesh_dim)
        return mesh_dim

    def get_group(self, mesh_dim: int | str | None = None) -> Any:
        """The process group of this rank's line along an axis (number or name)."""
        return self._groups[self._axis(mesh_dim)]

    def get_all_groups(self) -> list[Any]:
        """One group per axis."""
        return list(self._groups)

    def get_rank(self) -> int:
        """This rank's number in the world."""
        return get_rank()

    def get_coordinate(self) -> list[int] | None:
        """Where this rank stands; None when it is not in the mesh."""
        found = (self.mesh == get_rank()).nonzero().tolist()
        return found[0] if found else None

    def get_local_rank(self, mesh_dim: int | str | None = None) -> int:
        """This rank's place along an axis."""
        place = self.get_coordinate()
        if place is None:
            raise RuntimeError(f"rank {get_rank()} is not in the mesh {self.mesh.tolist()}")
        return place[self._axis(mesh_dim)]

    def __getitem__(self, names: str | tuple[str, ...]) -> "DeviceMesh":
        """The part of the mesh along the named axes that this rank is in."""
        if self.mesh_dim_names is None:
            raise RuntimeError("Cannot slice a DeviceMesh without mesh_dim_names!")
        axes = [self._axis(name) for name in ((names,) if isinstance(names, str) else names)]
        place = self.get_coordinate() or [0] * self.ndim
        index = tuple(slice(None) if axis in axes else place[axis] for axis in range(self.ndim))
        kept = [axis for axis in range(self.ndim) if axis in axes]
        mesh = self.mesh[index].permute([kept.index(axis) for axis in axes])
        return DeviceMesh(self.device_type, mesh, mesh_dim_names=[self.mesh_dim_names[axis] for axis in axes],
                          _groups=[self._groups[axis] for axis in axes])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceMesh) and (self.device_type, self.mesh.tolist(), self.mesh_dim_names) == (
            other.device_type, other.mesh.tolist(), other.mesh_dim_names)

    def __hash__(self) -> int:
        return hash((self.device_type, str(self.mesh.tolist()), self.mesh_dim_names))

    def __repr__(self) -> str:
        names = dict(zip(self.mesh_dim_names, self.shape)) if self.mesh_dim_names else self.shape
        return f"DeviceMesh({names}, device: {self.device_type!r})"

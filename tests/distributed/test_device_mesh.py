"""DeviceMesh: ranks as a grid, a group per line of each axis."""
import pytest

import ringgrad
import ringgrad.distributed as dist
from ringgrad.distributed.device_mesh import DeviceMesh, init_device_mesh


def total(mesh, axis):
    t = ringgrad.tensor([float(dist.get_rank())])
    dist.all_reduce(t, group=mesh.get_group(axis))
    return t.item()


def test_a_line_is_the_world():
    def rank():
        mesh = init_device_mesh("cpu", (3,))
        return mesh.get_group() is dist.group.WORLD, mesh.size(), mesh.get_local_rank(), total(mesh, None)

    assert dist.spawn_local(rank, 3) == [(True, 3, r, 3.0) for r in range(3)]


def test_a_grid_has_a_group_for_each_line():
    def rank():
        mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
        part = mesh["tp"]
        return (mesh.get_coordinate(), total(mesh, "dp"), total(mesh, "tp"), total(mesh, 1), part.mesh.tolist(), part.mesh_dim_names,
                part.get_local_rank(), mesh.shape, len(mesh.get_all_groups()), mesh == init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp")))

    assert dist.spawn_local(rank, 4) == [
        ([0, 0], 2.0, 1.0, 1.0, [0, 1], ("tp",), 0, (2, 2), 2, True), ([0, 1], 4.0, 1.0, 1.0, [0, 1], ("tp",), 1, (2, 2), 2, True),
        ([1, 0], 2.0, 5.0, 5.0, [2, 3], ("tp",), 0, (2, 2), 2, True), ([1, 1], 4.0, 5.0, 5.0, [2, 3], ("tp",), 1, (2, 2), 2, True)]


@pytest.mark.parametrize(("arguments", "kind", "words"), [
    (dict(mesh_shape=(2, 2)), RuntimeError, "has 4 places, but there are 2 ranks"),
    (dict(mesh_shape=(2, 1), mesh_dim_names=("a", "a")), RuntimeError, "must be unique"),
    (dict(mesh_shape=(2,), mesh_dim_names=("a", "b")), RuntimeError, "same length"),
])
def test_meshes_that_cannot_be(arguments, kind, words):
    with pytest.raises(kind, match=words):
        dist.spawn_local(lambda: init_device_mesh("cpu", **arguments), 2)


def test_questions_without_an_answer():
    def rank():
        mesh = DeviceMesh("cpu", [[0, 1]])
        with pytest.raises(RuntimeError, match="mesh_dim"):
            mesh.get_group()
        with pytest.raises(RuntimeError, match="without mesh_dim_names"):
            mesh["tp"]
        with pytest.raises(KeyError, match="Invalid mesh_dim_name"):
            DeviceMesh("cpu", [[0, 1]], mesh_dim_names=("a", "b")).get_group("c")
        return repr(mesh)

    assert dist.spawn_local(rank, 2) == ["DeviceMesh((1, 2), device: 'cpu')"] * 2

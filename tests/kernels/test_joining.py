"""Gradients of pieces on the GPU on the host: where they lie side by side in one array, that is the gradient of the whole; else they are joined."""
import host_gpu
import numpy as np
import pytest

from ringgrad import ops

VALUES = np.arange(2 * 4 * 3 * 5, dtype=np.float32).reshape(2, 4, 3, 5)
ROOMS = {  # name: (parts of VALUES as they are made of a room, whether they are all of it in its order)
    "side by side": (lambda room: [room[:, :, i] for i in range(3)], True),
    "turned twice": (lambda room: [room.swapaxes(1, 2)[:, i] for i in range(3)], True),
    "in another order": (lambda room: [room[:, :, i] for i in (1, 0, 2)], False),
    "not all of it": (lambda room: [room[:, :, i] for i in range(2)], False),
    "copies": (lambda room: [room[:, :, i].copy() for i in range(3)], False),
    "one missing": (lambda room: [room[:, :, 0], None, room[:, :, 2]], False),
}


@pytest.fixture(scope="module")
def xp(compiled):
    with host_gpu.plugged(host_gpu.device(compiled)) as xp:
        yield xp


@pytest.mark.parametrize("key", ROOMS)
@pytest.mark.parametrize("op", ["split", "unstack"])
def test_what_lies_side_by_side_is_not_copied(xp, op, key):
    make, kept = ROOMS[key]
    op, room = getattr(ops, op).op, xp.array(VALUES)
    parts = make(room)
    count, width = len(parts), VALUES.shape[3]
    if op is ops.split.op:
        parts = [None if p is None else p.reshape(2, 4, 5) for p in parts]
        attrs = {"x_shape": (2, 4, count * width), "indices": tuple(width * i for i in range(1, count)), "axis": 2}
    else:
        attrs = {"axis": 2}
    found = op.overrides["cupy", "x"](xp, parts, **attrs)
    wanted = op.rules[0].fn(np, [None if p is None else np.asarray(p) for p in parts], **attrs)
    assert found.shape == wanted.shape and np.shares_memory(found, room) == kept
    np.testing.assert_array_equal(np.asarray(found), wanted)

"""Placements are values that compare, hash and print as torch's do."""
from ringgrad.distributed.placements import Partial, Placement, Replicate, Shard


def test_values():
    assert Shard(1) == Shard(1) != Shard(0) and hash(Shard(1)) == hash(Shard(dim=1)) and len({Replicate(), Replicate(), Partial(), Shard(0)}) == 3
    assert [repr(p) for p in (Shard(2), Replicate(), Partial(), Partial("max"))] == ["Shard(dim=2)", "Replicate()", "Partial(sum)", "Partial(max)"]
    assert all(isinstance(p, Placement) for p in (Shard(0), Replicate(), Partial()))
    assert Shard(0).is_shard() and Shard(0).is_shard(0) and not Shard(0).is_shard(1) and not Replicate().is_shard()
    assert Replicate().is_replicate() and Partial().is_partial("sum") and not Partial().is_partial("max") and not Shard(0).is_partial()

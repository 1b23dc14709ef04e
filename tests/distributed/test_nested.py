"""Tensors inside structures, and the leaves that a backward pass from them would reach."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field

import ringgrad
from ringgrad.distributed._nested import map_tensors, reached_from, tensors_in

Pair = namedtuple("Pair", "a b")


@dataclass
class Output:
    """What a model may return."""

    loss: object
    name: str = "x"
    size: int = field(init=False, default=3)


A, B, C = (ringgrad.tensor([float(i)]) for i in range(3))
STRUCTURES = {
    "tensor": (A, [A]),
    "list": ([A, [B, 3]], [A, B]),
    "tuple": ((A, (B,), None), [A, B]),
    "named tuple": (Pair(A, (B,)), [A, B]),
    "dict": ({"a": A, "b": {"c": B}}, [A, B]),
    "ordered dict": (OrderedDict(b=A, a=B), [A, B]),
    "dataclass": (Output([A, B]), [A, B]),
    "nothing": ("text", []),
    "a class is no dataclass": (Output, []),
}


def test_every_tensor_is_found():
    for name, (structure, expected) in STRUCTURES.items():
        found = list(tensors_in(structure))
        assert len(found) == len(expected) and all(x is y for x, y in zip(found, expected)), name


def test_structures_keep_their_types():
    for name, (structure, expected) in STRUCTURES.items():
        mapped = map_tensors(lambda t: t + 10, structure)
        assert type(mapped) is type(structure), name
        assert [t.item() for t in tensors_in(mapped)] == [t.item() + 10 for t in expected], name
        assert [t.item() for t in tensors_in(structure)] == [t.item() for t in expected], f"{name}: the original was changed"
    assert map_tensors(lambda t: t, Pair(A, 5)) == Pair(A, 5)
    assert list(map_tensors(lambda t: 1, OrderedDict(b=A, a=B))) == ["b", "a"]
    assert map_tensors(lambda t: 1, Output(A, "y")) == Output(1, "y")


def test_the_leaves_below_outputs():
    used, unused, through_views = (ringgrad.ones(2).requires_grad_() for _ in range(3))
    constant = ringgrad.ones(2)
    x, y = used * constant, through_views[0].reshape(1)
    assert reached_from([x.sum(), y]) == {id(used), id(through_views)}
    assert reached_from([unused]) == {id(unused)}
    assert reached_from([constant, x.detach()]) == set()


def test_a_graph_with_many_paths_is_walked_once():
    leaf = ringgrad.ones(1).requires_grad_()
    x = leaf * 1
    for _ in range(64):  # 2^64 paths
        x = x + x
    assert reached_from([x]) == {id(leaf)}


def test_a_deep_graph_is_walked_without_recursion():
    leaf = ringgrad.ones(1).requires_grad_()
    x = leaf
    for _ in range(3000):
        x = x + 1
    assert reached_from([x]) == {id(leaf)}

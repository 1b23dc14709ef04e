"""Elementwise kernels are launched by plans for a shape as they would be without: the same kernel, grid and arguments."""
import numpy as np
import pytest

from ringgrad._core.op import REGISTRY
from ringgrad.kernels.elementwise import Body, of_op


class Launches:
    """An array library whose launches are written down."""

    ndarray, empty, moveaxis = np.ndarray, staticmethod(np.empty), staticmethod(np.moveaxis)

    def __init__(self):
        self.seen = []

    def RawModule(self, code, options):  # noqa: N802 - CuPy's name
        xp = self

        class Module:
            def get_function(self, name):
                def launch(grid, block, arguments):
                    given = [("array", a.shape, a.dtype, a.strides) if type(a) is np.ndarray else (type(a), a) for a in arguments]
                    xp.seen.append((name, grid, block, given))
                return launch
        return Module()


def arrays(*shapes, dtype=np.float32, lying=lambda a: a):
    return tuple(lying(np.zeros(shape, dtype)) for shape in shapes)


CASES = {
    "alike": ("lerp", arrays((3, 4), (3, 4), (3, 4)), {}), "float64": ("silu", arrays((5,), dtype=np.float64), {}),
    "a number in its attributes": ("leaky_relu", arrays((2, 3)), {"negative_slope": 0.5}),
    "a text": ("gelu", arrays((2, 3)), {"approximate": "tanh"}),
    "no dimensions": ("silu", arrays(()), {}), "no elements": ("silu", arrays((0, 3)), {}), "repeated": ("lerp", arrays((3, 4), (4,), (3, 4)), {}),
    "turned, both": ("squared_difference", arrays((3, 4), (3, 4), lying=np.transpose), {}),
    "two types": ("squared_difference", (*arrays((3,)), *arrays((3,), dtype=np.float64)), {}), "integers": ("relu", arrays((3,), dtype=np.int64), {}),
    "a number": ("lerp", (*arrays((3, 4), (3, 4)), 0.5), {}), "unknown": ("gelu", arrays((2, 3)), {"approximate": "?"}),
    "channels last": ("silu", arrays((2, 3, 4, 5), lying=lambda a: np.moveaxis(a, -1, 1)), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_plan_launches_what_the_description_does(case):
    name, inputs, attrs = CASES[case]
    body, xp = of_op(REGISTRY[name]), Launches()
    results = [way(xp, inputs, {**REGISTRY[name].attrs, **attrs}) for way in (body.described, body, body)]
    assert len({None if r is None else (r.shape, r.dtype, r.strides) for r in results}) == 1
    assert not xp.seen or len(xp.seen) == 3
    assert all(launch == xp.seen[0] for launch in xp.seen)


def test_plans_are_forgotten_when_there_are_many(monkeypatch):
    monkeypatch.setattr("ringgrad.kernels.elementwise.MOST_PLANS", 3)
    body, xp = Body("of_this_test", "out = x", ("x",), {}, "out"), Launches()
    for n in range(1, 8):
        body(xp, arrays((n,)), {})
    assert len(body.plans) <= 3 and len(xp.seen) == 7

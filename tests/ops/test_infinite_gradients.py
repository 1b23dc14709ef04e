"""Gradients at nan and infinity, and infinite gradients: what torch's formulas make of them, which another formula need not."""
import numpy as np
import pytest

import ringgrad

torch = pytest.importorskip("torch", reason="the oracle, torch, is not installed")
pytestmark = pytest.mark.torch

INF, NAN = np.inf, np.nan
EVERYWHERE = [-INF, -1e30, -100.5, -1.0, -0.0, 0.0, 1.0, 100.5, 1e30, INF, NAN]
ROWS = [(name, lambda lib, x, name=name: getattr(lib, name)(x), [EVERYWHERE]) for name in ("abs", "sign", "sgn")] + [
    ("copysign", lambda lib, x, y: lib.copysign(x, y), [EVERYWHERE, EVERYWHERE[::-1]]),
    ("atan2", lambda lib, x, y: lib.atan2(x, y), [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]),
    *((name, lambda lib, x, name=name: getattr(lib, name)(x), [values]) for name in ("max", "min", "amax", "amin", "median", "nansum")
      for values in ([NAN, 1.0, 2.0], [3.0, 1.0, 3.0], [1.0, INF, INF])),
    *((f"norm {p}", lambda lib, x, p=p: lib.linalg.vector_norm(x, p), [[NAN, 1.0]]) for p in (1, 2)),
]


@pytest.mark.parametrize("upstream", [1.0, INF, NAN])
@pytest.mark.parametrize("name, function, values", ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)])
def test_the_gradient_is_torchs(name, function, values, upstream):
    def run(lib):
        leaves = [lib.tensor(v, dtype=lib.float64, requires_grad=True) for v in values]
        out = function(lib, *leaves)
        out.backward(lib.full_like(out, upstream))
        return [out.tolist(), *((x.grad + 0).tolist() for x in leaves)]
    for ours, theirs in zip(run(ringgrad), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-28)

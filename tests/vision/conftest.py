"""torchvision as the oracle of the vision tests: its Python parts; the operators compiled for another torch are not needed."""
import math
import random

import pytest

pytest.importorskip("PIL", reason="Pillow, an optional library, is not installed")

from ringgrad.vision.transforms import _draws  # noqa: E402

OPERATORS = ("nms", "qnms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
_libraries = []


def load_torchvision():
    """torchvision, also where its compiled operators do not fit the torch that is installed; None without it."""
    try:
        import torch
    except ImportError:
        return None
    try:
        import torchvision
    except ImportError:
        return None
    except RuntimeError:  # its operators were compiled for another build: declare them, so that the rest can be imported
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            for operator in (name, f"_{name}_backward"):
                library.define(f"{operator}(Tensor x) -> Tensor")
        _libraries.append(library)
        import torchvision
    return torchvision


@pytest.fixture(scope="session")
def theirs():
    """torchvision, the oracle."""
    found = load_torchvision()
    if found is None:
        pytest.skip("the oracle, torchvision, is not installed")
    return found


class Chance:
    """What our transforms draw, written down as they draw it, and then told to torch in the same order."""

    def __init__(self, monkeypatch):
        self._patch, self.drawn = monkeypatch, []

    def listen(self):
        """Write down every draw from now on: [(kind, arguments, result), ...] in `drawn`."""
        for kind in ("uniform", "integer", "order", "choice", "uniforms", "normals", "beta", "dirichlet"):
            self._patch.setattr(_draws, kind, self._written(kind, getattr(_draws, kind)))

    def _written(self, kind, draw):
        def drawing(*args):
            before = len(self.drawn)
            out = draw(*args)
            self.drawn[before:] = [(kind, args, out)]  # one draw, whatever it is made of
            return out
        return drawing

    def _next(self, *kinds):
        assert self.drawn, f"torchvision draws once more: {kinds}"
        kind, args, out = self.drawn.pop(0)
        assert kind in kinds, f"torchvision draws {kinds}, ringgrad drew {kind}{args}"
        return args, out

    def tell(self, torch):
        """Let torch draw what was written down.  AssertionError where it asks for another distribution."""
        def rand(*shape, **_):
            shape = tuple(shape[0]) if shape and isinstance(shape[0], (tuple, list)) else shape
            if self.drawn and self.drawn[0][0] == "uniforms":
                args, out = self._next("uniforms")
                assert args == shape
                return torch.from_numpy(out.numpy().copy())
            values = [self._next("uniform") for _ in range(math.prod(shape))]
            assert all(args == (0, 1) for args, _ in values)
            return torch.tensor([out for _, out in values]).reshape(shape)

        def randint(low, high=None, size=None, **_):
            if not isinstance(high, int):
                low, high, size = 0, low, high if high is not None else size
            values = [self._next("integer") for _ in range(math.prod(size))]
            assert all(args == (low, high) for args, _ in values), (values, low, high)
            return torch.tensor([out for _, out in values]).reshape(size)

        def uniform_(tensor, low=0, high=1):
            args, out = self._next("uniform")
            assert args == pytest.approx((float(low), float(high)), rel=1e-6)
            return tensor.fill_(out)

        def noise(tensor, **_):
            args, out = self._next("normals")
            assert args == tuple(tensor.shape)
            return torch.from_numpy(out.numpy().copy())

        def told(kind, convert):
            return lambda *_, **__: convert(self._next(kind)[1])

        for owner, name, draw in (
                (torch, "rand", rand), (torch, "randint", randint), (torch.Tensor, "uniform_", uniform_), (torch.Tensor, "normal_", noise),
                (torch, "randn_like", noise), (torch, "randperm", told("order", lambda t: torch.tensor(t.tolist()))),
                (torch, "multinomial", told("choice", lambda i: torch.tensor([i]))),
                (torch, "_sample_dirichlet", told("dirichlet", lambda t: torch.tensor(t.tolist()))),
                (torch.distributions.Beta, "sample", told("beta", lambda x: torch.tensor([x])))):
            self._patch.setattr(owner, name, draw)

    def ended(self):
        """AssertionError unless torch drew as often as we did."""
        assert not self.drawn, f"ringgrad drew once more: {self.drawn[:3]}"


@pytest.fixture
def chance():
    """Runs a random transform and torchvision's under the same draws: chance(ours, theirs, our argument, theirs) -> (our result, theirs)."""
    def both(ours, theirs, ours_of, theirs_of):
        torch = pytest.importorskip("torch")
        results, state = [], random.getstate()
        with pytest.MonkeyPatch.context() as patch:
            record = Chance(patch)
            record.listen()
            random.seed(5)
            results.append(ours(ours_of))
            record.tell(torch)
            random.seed(5)
            results.append(theirs(theirs_of))
            record.ended()
        random.setstate(state)
        return results
    return both

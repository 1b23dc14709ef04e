"""The record of a script pair: a few lines of text that run on ringgrad and on torch, and what must come out the same."""
import dataclasses
import textwrap
import warnings

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Script:
    """A script in which `T` is the library.

    title    what it shows
    text     its lines
    compare  expressions, separated by ";", evaluated after it on both libraries
    raises   instead: words that the exception ends the script with, in both libraries; its type is compared too
    ours     words of ringgrad's message, where they differ from torch's
    """

    title: str
    text: str
    compare: str = ""
    raises: str = ""
    ours: str = ""

    def __str__(self):
        return self.title

    def run(self, library):
        """(values of the expressions, None), or ([], the exception) when it raised one."""
        scope = {"T": library}
        with warnings.catch_warnings():
            if library.__name__ == "torch":
                warnings.simplefilter("ignore")
            try:
                exec(compile(textwrap.dedent(self.text), f"<{self.title}>", "exec"), scope)
                return [eval(e, scope) for e in self.compare.split(";") if e.strip()], None
            except Exception as error:
                if self.raises:
                    return [], error
                raise


def plain(value):
    """A value in a form that both libraries share: tensors as (array, dtype, requires_grad), containers by element."""
    if hasattr(value, "detach"):
        array = np.array(value.detach().numpy())
        return "tensor", array, str(value.dtype).rpartition(".")[2], bool(value.requires_grad)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def assert_same(ours, theirs, what):
    """Equality of two `plain` values; numbers to 1e-5 of their size."""
    if isinstance(theirs, tuple) and theirs[:1] == ("tensor",):
        assert isinstance(ours, tuple), f"{what}: {ours!r} is not a tensor"
        assert ours[2:] == theirs[2:], f"{what}: (dtype, requires_grad) is {ours[2:]}, torch has {theirs[2:]}"
        assert ours[1].shape == theirs[1].shape, f"{what}: shape {ours[1].shape}, torch has {theirs[1].shape}"
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-6, err_msg=what)
    elif isinstance(theirs, list):
        assert isinstance(ours, list) and len(ours) == len(theirs), f"{what}: {ours!r}, torch has {theirs!r}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{what}[{i}]")
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs), f"{what}: keys {list(ours)}, torch has {list(theirs)}"
        for k in theirs:
            assert_same(ours[k], theirs[k], f"{what}[{k!r}]")
    elif isinstance(theirs, float):
        assert np.isclose(ours, theirs, rtol=1e-5, atol=1e-6), f"{what}: {ours!r}, torch has {theirs!r}"
    else:
        assert type(ours) is type(theirs) and ours == theirs, f"{what}: {ours!r}, torch has {theirs!r}"

"""The version that programs see: torch's, of which ringgrad follows the behaviour, with ringgrad's name as the local part."""
import importlib
import importlib.util
import re

__all__ = ["TorchVersion", "__version__", "cuda", "debug", "git_version", "hip", "torchvision_version", "xpu"]  # noqa: F822 - `cuda` is found below


class TorchVersion(str):
    """A version string that compares by its numbers, with strings and with tuples: "2.13.0+ringgrad" > "2.9", >= (2, 0)."""

    __slots__ = ()

    @property
    def release(self):
        """The numbers before any suffix, as a tuple."""
        return _numbers(self)

    def _compare(self, other, holds):
        try:
            theirs = _numbers(other)
        except (TypeError, ValueError):
            return NotImplemented
        size = max(len(self.release), len(theirs))
        pad = lambda numbers: numbers + (0,) * (size - len(numbers))
        return holds((pad(self.release), _local(self)), (pad(theirs), _local(other)))

    def __lt__(self, other):
        return self._compare(other, lambda a, b: a < b)

    def __le__(self, other):
        return self._compare(other, lambda a, b: a <= b)

    def __gt__(self, other):
        return self._compare(other, lambda a, b: a > b)

    def __ge__(self, other):
        return self._compare(other, lambda a, b: a >= b)

    def __eq__(self, other):
        return self._compare(other, lambda a, b: a == b)

    def __ne__(self, other):
        return self._compare(other, lambda a, b: a != b)

    __hash__ = str.__hash__


def _numbers(version):
    """"2.13.0+x" or (2, 13) -> (2, 13, 0) or (2, 13)."""
    if isinstance(version, str):
        match = re.match(r"\s*v?(\d+(?:\.\d+)*)", version)
        if not match:
            raise ValueError(f"{version!r} is not a version")
        return tuple(map(int, match[1].split(".")))
    return tuple(int(n) for n in version)


def _local(version):
    return version.partition("+")[2] if isinstance(version, str) else ""


__version__ = TorchVersion("2.13.0+ringgrad")
torchvision_version = "0.28.0+ringgrad"
hip = None
xpu = None
rocm = None
debug = False
git_version = "unknown"


def __getattr__(name):
    """`cuda`: the version of CUDA that CuPy was built with, such as "13.0"; None where there is no CuPy, which is imported for the answer."""
    if name != "cuda":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if importlib.util.find_spec("cupy") is None:
        return None
    number = importlib.import_module("cupy.cuda.runtime").runtimeGetVersion()
    return f"{number // 1000}.{number % 1000 // 10}"

"""torch.backends.cpu."""
from numpy._core import _multiarray_umath

__all__ = ["get_cpu_capability"]


def get_cpu_capability():
    """The widest instructions that NumPy uses here: "AVX512", "AVX2" or "DEFAULT"."""
    has = _multiarray_umath.__cpu_features__
    return "AVX512" if has.get("AVX512F") else "AVX2" if has.get("AVX2") else "DEFAULT"

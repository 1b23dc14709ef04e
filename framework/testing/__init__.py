"""torch.testing: comparisons that say what differs, and tensors to compare."""
from ._compare import assert_allclose, assert_close
from ._make import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

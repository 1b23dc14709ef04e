"""Causal masks as objects, which `nn.attention.bias` makes and `scaled_dot_product_attention` takes on any device."""
import enum
import warnings

import numpy as np

from ..._core.tensor import Tensor, wrap


class CausalVariant(enum.IntEnum):
    """Where the diagonal of a causal mask ends that is not square."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A boolean mask (seq_len_q, seq_len_kv), True where a query may look.

    UPPER_LEFT   query i looks at keys 0 ... i, as with is_causal
    LOWER_RIGHT  the last query looks at all keys, as in generation with keys from before; queries that may look nowhere give 0
    """

    def __new__(cls, variant, seq_len_q, seq_len_kv):
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        diagonal = 0 if variant == CausalVariant.UPPER_LEFT else seq_len_kv - seq_len_q
        return wrap(np.tri(seq_len_q, seq_len_kv, diagonal, dtype=bool), cls=cls)

    def __init__(self, variant, seq_len_q, seq_len_kv):
        self.variant, self.seq_len_q, self.seq_len_kv = variant, seq_len_q, seq_len_kv
        if seq_len_q > seq_len_kv and variant == CausalVariant.LOWER_RIGHT:
            warnings.warn("Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=2)

    def beside(self, query):
        """The mask as a tensor on the device of `query`."""
        return wrap(self._data).to(query.device)

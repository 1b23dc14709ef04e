"""Causal masks for queries and keys of different numbers: `scaled_dot_product_attention(q, k, v, causal_lower_right(L, S))`."""
from .._functional._causal_bias import CausalBias, CausalVariant

CausalBias.__module__ = CausalVariant.__module__ = __name__  # where torch has them


def causal_upper_left(*size):
    """The causal mask of (seq_len_q, seq_len_kv) whose diagonal begins at the upper left corner."""
    return CausalBias(CausalVariant.UPPER_LEFT, *_two(size, "causal_upper_left"))


def causal_lower_right(*size):
    """The causal mask of (seq_len_q, seq_len_kv) whose diagonal ends at the lower right corner."""
    return CausalBias(CausalVariant.LOWER_RIGHT, *_two(size, "causal_lower_right"))


def _two(size, name):
    if len(size) != 2:
        raise AssertionError(f"{name} only supports 2D tensors")
    return size


__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]

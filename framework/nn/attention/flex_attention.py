"""Attention whose scores and mask are functions of places (Dong et al. 2024, arXiv:2412.05496), written out plainly: nothing is skipped.

Places are index tensors that broadcast to (B, H, L, S): batch, head, query, key.
"""
import math

from ..._core.tensor import Tensor
from ..._dtypes import bool_
from ..._functional.creation import arange, ones
from ..._functional.elementwise import where
from ...ops import matmul

__all__ = ["BlockMask", "and_masks", "create_block_mask", "create_mask", "flex_attention", "noop_mask", "or_masks"]

_DEFAULT_SPARSE_BLOCK_SIZE = 128


def noop_mask(batch, head, token_q, token_kv):
    """Every query may look everywhere."""
    return batch.new_ones(size=(), dtype=bool_, device=batch.device)


def and_masks(*mask_mods):
    """The mask of places that all of these allow."""
    def mask(b, h, q, kv):
        allowed = b.new_ones(size=(), dtype=bool_)
        for mod in mask_mods:
            allowed = allowed & mod(b, h, q, kv)
        return allowed
    return mask


def or_masks(*mask_mods):
    """The mask of places that one of these allows."""
    def mask(b, h, q, kv):
        allowed = b.new_zeros(size=(), dtype=bool_)
        for mod in mask_mods:
            allowed = allowed | mod(b, h, q, kv)
        return allowed
    return mask


def _places(sizes, device):
    """Index tensors of the four dimensions, each with its own one."""
    return [arange(n, device=device).reshape([-1 if i == d else 1 for i in range(4)]) for d, n in enumerate(sizes)]


def create_mask(mod_fn, B, H, Q_LEN, KV_LEN, device="cpu"):  # noqa: N803 - torch's names
    """(B, H, Q_LEN, KV_LEN) bool of a mask function; None for B or H stands for 1."""
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    return mod_fn(*_places(sizes, device)) & ones(sizes, dtype=bool_, device=device)


class BlockMask:
    """A mask function and the sizes it is for.  Here no block is skipped; `to_dense` gives which blocks hold something."""

    def __init__(self, mask_mod, sizes, device="cpu", BLOCK_SIZE=_DEFAULT_SPARSE_BLOCK_SIZE):  # noqa: N803
        self.mask_mod, self._sizes, self._device = mask_mod, sizes, device
        self.BLOCK_SIZE = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
        self.seq_lengths = tuple(sizes[2:])

    @property
    def shape(self):
        """(B, H, Q_LEN, KV_LEN)."""
        return tuple(self._sizes)

    def mask(self):
        """(B, H, Q_LEN, KV_LEN) bool."""
        return create_mask(self.mask_mod, *self._sizes, device=self._device)

    def to_dense(self):
        """(B, H, blocks of queries, blocks of keys) of 0 and 1: whether a block holds a place that is allowed."""
        mask = self.mask()
        rows, columns = (range(0, n, size) for n, size in zip(self.seq_lengths, self.BLOCK_SIZE))
        out = mask.new_zeros((*mask.shape[:2], len(rows), len(columns)), dtype=arange(1).dtype)
        for i, r in enumerate(rows):
            for j, c in enumerate(columns):
                out[:, :, i, j] = mask[:, :, r:r + self.BLOCK_SIZE[0], c:c + self.BLOCK_SIZE[1]].flatten(2).any(-1)
        return out

    def sparsity(self):
        """The share of blocks without an allowed place, in percent."""
        return 100 * (1 - self.to_dense().float().mean().item())

    def numel(self):
        """The number of places."""
        return math.prod(self._sizes)

    def to(self, device):
        """The same for another device."""
        return BlockMask(self.mask_mod, self._sizes, device, self.BLOCK_SIZE)

    def __repr__(self):
        return f"BlockMask(shape={self.shape}, block_size={self.BLOCK_SIZE})"


def create_block_mask(mask_mod, B, H, Q_LEN, KV_LEN, device="cpu", BLOCK_SIZE=_DEFAULT_SPARSE_BLOCK_SIZE, _compile=False):  # noqa: N803
    """A BlockMask of mask_mod(b, h, q_idx, kv_idx) -> bool; None for B or H where it does not depend on them."""
    return BlockMask(mask_mod, (B or 1, H or 1, Q_LEN, KV_LEN), device, BLOCK_SIZE)


def flex_attention(query, key, value, score_mod=None, block_mask=None, scale=None, enable_gqa=False, return_lse=False, kernel_options=None,
                   **kwargs):
    """softmax(score_mod(scale * q k^T), where the mask allows) v.

    query: (B, Hq, L, E);  key, value: (B, H, S, E), (B, H, S, Ev) -> (B, Hq, L, Ev), and with return_lse the logarithm of each row's sum.
    score_mod(score, b, h, q_idx, kv_idx) changes scores;  block_mask: a BlockMask;  scale: None for 1 / sqrt(E);  enable_gqa: queries' heads share
    those of keys.  A query that may look nowhere gets 0.  ValueError for sizes that do not fit.
    """
    if not all(isinstance(t, Tensor) and t.ndim == 4 for t in (query, key, value)):
        raise ValueError(f"query, key and value must be 4-d, got {[tuple(getattr(t, 'shape', ())) for t in (query, key, value)]}")
    if query.shape[1] != key.shape[1]:
        if not enable_gqa:
            raise ValueError(f"Expect query and key/value to have the same number of heads but got Hq={query.shape[1]} and Hkv={key.shape[1]}. "
                             "Try setting enable_gqa=True for GQA.")
        if query.shape[1] % key.shape[1]:
            raise ValueError("Expect number of query heads to be a multiple of kv heads for GQA but got "
                             f"Hq={query.shape[1]} and Hkv={key.shape[1]}.")
        key, value = (t.repeat_interleave(query.shape[1] // key.shape[1], dim=1) for t in (key, value))
    scores = matmul(query, key.transpose(-2, -1)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    places = _places(scores.shape, query.device)
    if score_mod is not None:
        scores = score_mod(scores, *places)
    if block_mask is not None:
        scores = where(block_mask.mask_mod(*places), scores, -math.inf)
    high = scores.detach().amax(-1, keepdim=True)
    weights = (scores - where(high == -math.inf, 0.0, high)).exp()
    total = weights.sum(-1, keepdim=True)
    out = matmul((weights / where(total == 0, 1.0, total)).to(value.dtype), value)
    if not return_lse:
        return out
    return out, (total.log() + high).squeeze(-1)

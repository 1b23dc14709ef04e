"""DropBlock: whole blocks of an image left out at random (Ghiasi et al. 2018, arXiv:1810.12890)."""
from ... import nn
from ..._functional.creation import empty
from ...nn import functional as F

__all__ = ["DropBlock2d", "DropBlock3d", "drop_block2d", "drop_block3d"]


def _drop_block(input, p, block_size, inplace, eps, training, d):
    if not 0 <= p <= 1:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}.")
    if input.ndim != d + 2:
        raise ValueError(f"input should be {d + 2} dimensional. Got {input.ndim} dimensions.")
    if not training or p == 0:
        return input
    size = input.shape[2:]
    block = min(block_size, *size)
    if block % 2 == 0:
        raise ValueError(f"block size should be odd. Got {block} which is even.")
    rate = p / block**d
    for n in size:
        rate *= n / (n - block + 1)  # centres lie where the whole block is inside
    centres = empty(*input.shape[:2], *(n - block + 1 for n in size), dtype=input.dtype, device=input.device).bernoulli_(rate)
    pool = {2: F.max_pool2d, 3: F.max_pool3d}[d]
    kept = 1 - pool(F.pad(centres, [block // 2] * (2 * d)), block, 1, block // 2)
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


def drop_block2d(input, p, block_size, inplace=False, eps=1e-6, training=True):
    """(N, C, H, W) with blocks of block_size x block_size, an odd number, set to 0, about a share p of all; the rest is scaled up."""
    return _drop_block(input, p, block_size, inplace, eps, training, 2)


def drop_block3d(input, p, block_size, inplace=False, eps=1e-6, training=True):
    """`drop_block2d` of (N, C, D, H, W)."""
    return _drop_block(input, p, block_size, inplace, eps, training, 3)


class DropBlock2d(nn.Module):
    """See `drop_block2d`."""

    _drop = staticmethod(drop_block2d)

    def __init__(self, p, block_size, inplace=False, eps=1e-6):
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input):
        return self._drop(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"


class DropBlock3d(DropBlock2d):
    """See `drop_block3d`."""

    _drop = staticmethod(drop_block3d)

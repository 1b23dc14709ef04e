"""The boxes that are looked at: at every place of every feature map, of several sizes and shapes."""
import math

import numpy as np

from .... import nn
from ...._core.tensor import wrap
from ...._dtypes import float32
from ...._functional.creation import arange, as_tensor
from ...._functional.dtypes import _assert
from ...._functional.joining import cat, meshgrid, stack

__all__ = ["AnchorGenerator", "DefaultBoxGenerator"]


class AnchorGenerator(nn.Module):
    """Anchors in pixels.

    sizes: for each feature map the square roots of the areas;  aspect_ratios: for each feature map heights over widths, or one tuple for all.
    """

    def __init__(self, sizes=((128, 256, 512),), aspect_ratios=((0.5, 1.0, 2.0),)):
        super().__init__()
        self.sizes = sizes if isinstance(sizes[0], (list, tuple)) else tuple((s,) for s in sizes)
        self.aspect_ratios = aspect_ratios if isinstance(aspect_ratios[0], (list, tuple)) else (aspect_ratios,) * len(self.sizes)
        self.cell_anchors = [self.generate_anchors(size, ratio) for size, ratio in zip(self.sizes, self.aspect_ratios)]

    def generate_anchors(self, scales, aspect_ratios, dtype=float32, device="cpu"):
        """(ratios * scales, 4): corners round 0, whole numbers."""
        scales, ratios = (as_tensor(v, dtype=dtype, device=device) for v in (scales, aspect_ratios))
        tall = ratios.sqrt()
        w, h = ((side[:, None] * scales[None, :]).reshape(-1) for side in (1 / tall, tall))
        return (stack([-w, -h, w, h], dim=1) / 2).round()

    def set_cell_anchors(self, dtype, device):
        """Bring the anchors round 0 to this type and device."""
        self.cell_anchors = [a.to(dtype=dtype, device=device) for a in self.cell_anchors]

    def num_anchors_per_location(self):
        """How many anchors a place has, for each feature map."""
        return [len(s) * len(a) for s, a in zip(self.sizes, self.aspect_ratios)]

    def grid_anchors(self, grid_sizes, strides):
        """For each feature map of this (height, width) and these steps in pixels: (height * width * anchors, 4)."""
        _assert(len(grid_sizes) == len(strides) == len(self.cell_anchors),
                f"Anchors should be Tuple[Tuple[int]] because each feature map could potentially have different sizes and aspect ratios: there are "
                f"{len(grid_sizes)} feature maps, and sizes and ratios for {len(self.cell_anchors)}")
        out = []
        for (height, width), (down, across), base in zip(grid_sizes, strides, self.cell_anchors):
            y, x = (t.reshape(-1) for t in meshgrid(arange(height, device=base.device) * down, arange(width, device=base.device) * across,
                                                    indexing="ij"))
            out.append((stack((x, y, x, y), dim=1)[:, None] + base[None]).reshape(-1, 4))
        return out

    def forward(self, image_list, feature_maps):
        """An ImageList and its features -> for each image (n, 4)."""
        grids = [tuple(f.shape[-2:]) for f in feature_maps]
        height, width = image_list.tensors.shape[-2:]
        self.set_cell_anchors(feature_maps[0].dtype, feature_maps[0].device)
        every = cat(self.grid_anchors(grids, [(height // h, width // w) for h, w in grids]))
        return [every for _ in image_list.image_sizes]


class DefaultBoxGenerator(nn.Module):
    """SSD's default boxes (Liu et al. 2015, arXiv:1512.02325, section 2.2).

    aspect_ratios: for each feature map the ratios beside 1;  min_ratio, max_ratio: sizes of the first and last map's boxes in units of the image,
    those between grow evenly;  scales: the sizes themselves, one more than maps;  steps: pixels between places, the image over the map unless
    given;  clip: no box larger than the image.
    """

    def __init__(self, aspect_ratios, min_ratio=0.15, max_ratio=0.9, scales=None, steps=None, clip=True):
        super().__init__()
        if steps is not None and len(aspect_ratios) != len(steps):
            raise ValueError(f"aspect_ratios and steps should have the same length: {len(aspect_ratios)} and {len(steps)}")
        self.aspect_ratios, self.steps, self.clip = aspect_ratios, steps, clip
        n = len(aspect_ratios)
        even = [min_ratio + (max_ratio - min_ratio) * k / (n - 1.0) for k in range(n)] + [1.0] if n > 1 else [min_ratio, max_ratio]
        self.scales = even if scales is None else scales
        self._wh_pairs = [self._sides(k) for k in range(n)]

    def _sides(self, k):
        """(boxes, 2): widths and heights at each place of map k."""
        size, between = self.scales[k], math.sqrt(self.scales[k] * self.scales[k + 1])
        pairs = [[size, size], [between, between]]
        for ratio in self.aspect_ratios[k]:
            long, short = size * math.sqrt(ratio), size / math.sqrt(ratio)
            pairs += [[long, short], [short, long]]
        return wrap(np.array(pairs, np.float32))

    def num_anchors_per_location(self):
        """How many boxes a place has, for each feature map."""
        return [2 + 2 * len(r) for r in self.aspect_ratios]

    def _grid_default_boxes(self, grid_sizes, image_size, dtype=float32):
        """(n, 4): centres and sides in units of the image."""
        out = []
        for k, (height, width) in enumerate(grid_sizes):
            down, across = (height, width) if self.steps is None else (image_size[0] / self.steps[k], image_size[1] / self.steps[k])
            sides = self._wh_pairs[k].clamp(min=0, max=1) if self.clip else self._wh_pairs[k]
            y, x = meshgrid(((arange(height) + 0.5) / down).to(dtype), ((arange(width) + 0.5) / across).to(dtype), indexing="ij")
            places = stack((x.reshape(-1), y.reshape(-1)), dim=-1).repeat_interleave(len(sides), 0)
            out.append(cat((places, sides.to(dtype).repeat(height * width, 1)), dim=1))
        return cat(out)

    def forward(self, image_list, feature_maps):
        """An ImageList and its features -> for each image (n, 4), corners in pixels."""
        size = image_list.tensors.shape[-2:]
        boxes = self._grid_default_boxes([f.shape[-2:] for f in feature_maps], size, feature_maps[0].dtype).to(feature_maps[0].device)
        centres, half, pixels = boxes[:, :2], 0.5 * boxes[:, 2:], boxes.new_tensor([size[1], size[0]])
        corners = cat([(centres - half) * pixels, (centres + half) * pixels], -1)
        return [corners for _ in image_list.image_sizes]

    def __repr__(self):
        return f"{type(self).__name__}(aspect_ratios={self.aspect_ratios}, clip={self.clip}, scales={self.scales}, steps={self.steps})"

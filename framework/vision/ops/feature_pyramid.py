"""Feature pyramids (Lin et al. 2016, arXiv:1612.03144) and pooling of regions from them."""
import math
from collections import OrderedDict

from ... import nn
from ..._dtypes import int64
from ..._functional.creation import zeros
from ..._functional.elementwise import where
from ..._functional.joining import cat
from ...nn import functional as F
from .boxes import box_area
from .misc import Conv2dNormActivation
from .roi import as_rois, roi_align

__all__ = ["FeaturePyramidNetwork", "MultiScaleRoIAlign"]


class ExtraFPNBlock(nn.Module):
    """Base class of what adds levels: forward(results, x, names) -> (results, names)."""

    def forward(self, results, x, names):
        raise NotImplementedError


class LastLevelMaxPool(ExtraFPNBlock):
    """Adds the last level at half its size, named "pool"."""

    def forward(self, x, y, names):
        return [*x, F.max_pool2d(x[-1], 1, 2, 0)], [*names, "pool"]


class LastLevelP6P7(ExtraFPNBlock):
    """Adds two levels by convolutions of stride 2, named "p6" and "p7" (RetinaNet; Lin et al. 2017, arXiv:1708.02002)."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.p6, self.p7 = nn.Conv2d(in_channels, out_channels, 3, 2, 1), nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for m in (self.p6, self.p7):
            nn.init.kaiming_uniform_(m.weight, a=1)
            nn.init.zeros_(m.bias)
        self.use_P5 = in_channels == out_channels

    def forward(self, p, c, names):
        p6 = self.p6(p[-1] if self.use_P5 else c[-1])
        return [*p, p6, self.p7(F.relu(p6))], [*names, "p6", "p7"]


class FeaturePyramidNetwork(nn.Module):
    """An OrderedDict of features, large to small, to one of the same names with out_channels channels each.

    in_channels_list: channels of each;  extra_blocks: an ExtraFPNBlock;  norm_layer: behind each convolution.
    """

    _version = 2

    def __init__(self, in_channels_list, out_channels, extra_blocks=None, norm_layer=None):
        super().__init__()
        if 0 in in_channels_list:
            raise ValueError("in_channels=0 is currently not supported")
        self.inner_blocks, self.layer_blocks = nn.ModuleList(), nn.ModuleList()
        for channels in in_channels_list:
            self.inner_blocks.append(Conv2dNormActivation(channels, out_channels, 1, padding=0, norm_layer=norm_layer, activation_layer=None))
            self.layer_blocks.append(Conv2dNormActivation(out_channels, out_channels, 3, norm_layer=norm_layer, activation_layer=None))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_uniform_(m.weight, a=1)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeError(f"extra_blocks should be of type ExtraFPNBlock not {type(extra_blocks)}")
        self.extra_blocks = extra_blocks

    def forward(self, x):
        names, features = list(x), list(x.values())
        inner = self.inner_blocks[-1](features[-1])
        results = [self.layer_blocks[-1](inner)]
        for i in reversed(range(len(features) - 1)):
            beside = self.inner_blocks[i](features[i])
            inner = beside + F.interpolate(inner, size=beside.shape[-2:], mode="nearest")
            results.insert(0, self.layer_blocks[i](inner))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, features, names)
        return OrderedDict(zip(names, results))


class MultiScaleRoIAlign(nn.Module):
    """`roi_align` from the level that suits a region's size: level canonical_level for canonical_scale pixels, equation 1 of the paper.

    featmap_names: which of the features to use;  output_size, sampling_ratio: as in `roi_align`.
    """

    def __init__(self, featmap_names, output_size, sampling_ratio, *, canonical_scale=224, canonical_level=4):
        super().__init__()
        self.featmap_names, self.sampling_ratio = featmap_names, sampling_ratio
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        self.scales, self.map_levels = None, None
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level

    def forward(self, x, boxes, image_shapes):
        """x: OrderedDict of features;  boxes: a list of (L, 4) in pixels of the images;  image_shapes: [(height, width)]."""
        if not image_shapes:
            raise ValueError("images list should not be empty")
        features, rois = [v for k, v in x.items() if k in self.featmap_names], as_rois(boxes)
        height = max(shape[0] for shape in image_shapes)
        self.scales = [2.0 ** round(math.log2(f.shape[-2] / height)) for f in features]
        if len(features) == 1:
            return roi_align(features[0], rois, self.output_size, self.scales[0], self.sampling_ratio)
        lowest, highest = (int(-math.log2(s)) for s in (self.scales[0], self.scales[-1]))
        side = cat([box_area(b) for b in boxes]).sqrt()
        levels = (self.canonical_level + (side / self.canonical_scale).log2() + 1e-6).floor().clamp(lowest, highest).to(int64) - lowest
        result = zeros(len(rois), features[0].shape[1], *self.output_size, dtype=features[0].dtype, device=features[0].device)
        for level, (feature, scale) in enumerate(zip(features, self.scales)):
            members = where(levels == level)[0]
            result[members] = roi_align(feature, rois[members], self.output_size, scale, self.sampling_ratio).to(result.dtype)
        return result

    def __repr__(self):
        return f"{type(self).__name__}(featmap_names={self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio})"

"""Images of any size to one tensor and back: normalise, resize, pad."""
import math

from .... import nn
from ...._functional.joining import stack
from ...._functional.random import randint
from ....nn import functional as F
from ._masks import paste_masks_in_image
from .image_list import ImageList

__all__ = ["GeneralizedRCNNTransform", "resize_boxes", "resize_keypoints"]


class GeneralizedRCNNTransform(nn.Module):
    """(images, targets) -> (ImageList, targets), and `postprocess` for the way back.

    min_size: the shorter side is brought to it, or in training to one of several;  max_size: the longer side stays below;  image_mean, image_std:
    subtracted and divided by;  size_divisible: height and width of the tensor are multiples of it;  fixed_size: (width, height) for all images.
    """

    def __init__(self, min_size, max_size, image_mean, image_std, size_divisible=32, fixed_size=None, **kwargs):
        super().__init__()
        self.min_size = min_size if isinstance(min_size, (list, tuple)) else (min_size,)
        self.max_size, self.image_mean, self.image_std = max_size, image_mean, image_std
        self.size_divisible, self.fixed_size, self._skip_resize = size_divisible, fixed_size, kwargs.pop("_skip_resize", False)

    def forward(self, images, targets=None):
        """A list of (C, H, W), and of targets, which are copied -> (ImageList, targets)."""
        images, targets = list(images), None if targets is None else [dict(t) for t in targets]
        for i, image in enumerate(images):
            if image.ndim != 3:
                raise ValueError(f"images is expected to be a list of 3d tensors of shape [C, H, W], got {tuple(image.shape)}")
            images[i], target = self.resize(self.normalize(image), None if targets is None else targets[i])
            if targets is not None:
                targets[i] = target
        sizes = [tuple(image.shape[-2:]) for image in images]
        return ImageList(self.batch_images(images, self.size_divisible), sizes), targets

    def normalize(self, image):
        """(image - mean) / std.  TypeError for images of integers."""
        if not image.is_floating_point():
            raise TypeError(f"Expected input images to be of floating type (in range [0, 1]), but found type {image.dtype} instead")
        mean, std = image.new_tensor(self.image_mean), image.new_tensor(self.image_std)
        return (image - mean[:, None, None]) / std[:, None, None]

    def torch_choice(self, k):
        """One of the sizes k."""
        return k[int(randint(0, len(k), (1,)).item())]

    def resize(self, image, target=None):
        """(C, H, W) and its target in their new size."""
        if self.training and self._skip_resize:
            return image, target
        before = image.shape[-2:]
        shorter = self.torch_choice(self.min_size) if self.training else self.min_size[-1]
        size, factor, again = None, None, None
        if self.fixed_size is not None:
            size = [self.fixed_size[1], self.fixed_size[0]]
        else:
            factor, again = min(shorter / min(before), self.max_size / max(before)), True
        image = F.interpolate(image[None], size=size, scale_factor=factor, mode="bilinear", recompute_scale_factor=again, align_corners=False)[0]
        if target is None:
            return image, target
        if "masks" in target:
            masks = target["masks"][:, None].float()
            target["masks"] = F.interpolate(masks, size=size, scale_factor=factor, recompute_scale_factor=again)[:, 0].byte()
        target["boxes"] = resize_boxes(target["boxes"], before, image.shape[-2:])
        if "keypoints" in target:
            target["keypoints"] = resize_keypoints(target["keypoints"], before, image.shape[-2:])
        return image, target

    def max_by_axis(self, the_list):
        """The largest of each place of several lists."""
        return [max(sizes) for sizes in zip(*the_list)]

    def batch_images(self, images, size_divisible=32):
        """A list of (C, H, W) -> (N, C, H, W), zeros right and below."""
        channels, height, width = self.max_by_axis([image.shape for image in images])
        height, width = (math.ceil(side / size_divisible) * int(size_divisible) for side in (height, width))
        return stack([F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1], 0, channels - image.shape[0])) for image in images])

    def postprocess(self, result, image_shapes, original_image_sizes):
        """Boxes, masks and points of the resized images in pixels of the original ones."""
        if self.training:
            return result
        for found, shape, original in zip(result, image_shapes, original_image_sizes):
            found["boxes"] = resize_boxes(found["boxes"], shape, original)
            if "masks" in found:
                found["masks"] = paste_masks_in_image(found["masks"], found["boxes"], original)
            if "keypoints" in found:
                found["keypoints"] = resize_keypoints(found["keypoints"], shape, original)
        return result

    def __repr__(self):
        return (f"{type(self).__name__}(\n    Normalize(mean={self.image_mean}, std={self.image_std})\n"
                f"    Resize(min_size={self.min_size}, max_size={self.max_size}, mode='bilinear')\n)")


def _ratios(tensor, original_size, new_size):
    """(height, width) of the new size over the original one, as float32 that divides float32."""
    return [tensor.new_tensor(new).float() / tensor.new_tensor(old).float() for new, old in zip(new_size, original_size)]


def resize_keypoints(keypoints, original_size, new_size):
    """(n, points, 3) of x, y and whether it is seen, for an image of another (height, width)."""
    down, across = _ratios(keypoints, original_size, new_size)
    return stack((keypoints[..., 0] * across, keypoints[..., 1] * down, *keypoints[..., 2:].unbind(-1)), dim=-1)


def resize_boxes(boxes, original_size, new_size):
    """(n, 4) for an image of another (height, width)."""
    down, across = _ratios(boxes, original_size, new_size)
    x0, y0, x1, y1 = boxes.unbind(1)
    return stack((x0 * across, y0 * down, x1 * across, y1 * down), dim=1)

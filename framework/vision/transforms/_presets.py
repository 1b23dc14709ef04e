"""How an image is prepared for a model of each kind."""
from ..._core.tensor import Tensor
from ..._dtypes import float32
from ...nn import Module
from . import functional as F
from ._modes import InterpolationMode

__all__ = ["ImageClassification", "ObjectDetection", "OpticalFlow", "SemanticSegmentation", "VideoClassification"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's training images


def _floats(img):
    """A tensor of floats from 0 to 1."""
    return F.convert_image_dtype(img if isinstance(img, Tensor) else F.pil_to_tensor(img), float32)


class _Resizing(Module):
    """Base class of those that resize and normalize.  interpolation: an InterpolationMode, or its value."""

    def __init__(self, mean, std, interpolation, antialias):
        super().__init__()
        self.mean, self.std, self.interpolation, self.antialias = list(mean), list(std), InterpolationMode(interpolation), antialias

    def _resized(self, img):
        return F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)

    def __repr__(self):
        names = [n for n in ("crop_size", "resize_size", "mean", "std", "interpolation") if hasattr(self, n)]
        return "\n".join([f"{type(self).__name__}(", *(f"    {n}={getattr(self, n)}" for n in names), ")"])


class ImageClassification(_Resizing):
    """Resize the shorter side to resize_size, cut out the middle crop_size, floats from 0 to 1, normalize.  -> (..., C, crop_size, crop_size)"""

    def __init__(self, *, crop_size, resize_size=256, mean=_MEAN, std=_STD, interpolation=InterpolationMode.BILINEAR, antialias=True):
        super().__init__(mean, std, interpolation, antialias)
        self.crop_size, self.resize_size = [crop_size], [resize_size]

    def forward(self, img):
        return F.normalize(_floats(F.center_crop(self._resized(img), self.crop_size)), self.mean, self.std)

    def describe(self):
        """The preparation in a sentence."""
        return (f"Accepts Pillow images and tensors (C, H, W) or (B, C, H, W). They are resized to {self.resize_size} using {self.interpolation}, "
                f"cropped in the middle to {self.crop_size}, rescaled to [0.0, 1.0] and normalized with mean={self.mean} and std={self.std}.")


class SemanticSegmentation(_Resizing):
    """Resize the shorter side to resize_size unless it is None, floats from 0 to 1, normalize."""

    def __init__(self, *, resize_size, mean=_MEAN, std=_STD, interpolation=InterpolationMode.BILINEAR, antialias=True):
        super().__init__(mean, std, interpolation, antialias)
        self.resize_size = None if resize_size is None else [resize_size]

    def forward(self, img):
        return F.normalize(_floats(img if self.resize_size is None else self._resized(img)), self.mean, self.std)

    def describe(self):
        """The preparation in a sentence."""
        return (f"Accepts Pillow images and tensors (C, H, W) or (B, C, H, W). They are resized to {self.resize_size} using {self.interpolation}, "
                f"rescaled to [0.0, 1.0] and normalized with mean={self.mean} and std={self.std}.")


class VideoClassification(_Resizing):
    """Frames (..., T, C, H, W): resize, cut out the middle, floats from 0 to 1, normalize -> (..., C, T, H, W)."""

    def __init__(self, *, crop_size, resize_size, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989),
                 interpolation=InterpolationMode.BILINEAR):
        super().__init__(mean, std, interpolation, False)
        self.crop_size, self.resize_size = list(crop_size), list(resize_size)

    def forward(self, vid):
        one = vid.ndim < 5
        frames = vid[None] if one else vid
        count, time = frames.shape[:2]
        frames = _floats(F.center_crop(self._resized(frames.flatten(0, 1)), self.crop_size))
        out = F.normalize(frames, self.mean, self.std).unflatten(0, (count, time)).transpose(1, 2)
        return out[0] if one else out

    def describe(self):
        """The preparation in a sentence."""
        return (f"Accepts frames (B, T, C, H, W) or (T, C, H, W). They are resized to {self.resize_size} using {self.interpolation}, cropped in the "
                f"middle to {self.crop_size}, rescaled to [0.0, 1.0], normalized with mean={self.mean} and std={self.std}, and permuted to "
                "(..., C, T, H, W).")


class ObjectDetection(Module):
    """Floats from 0 to 1."""

    def forward(self, img):
        return _floats(img)

    def describe(self):
        """The preparation in a sentence."""
        return "Accepts Pillow images and tensors (C, H, W) or (B, C, H, W). They are rescaled to [0.0, 1.0]."

    def __repr__(self):
        return f"{type(self).__name__}()"


class OpticalFlow(Module):
    """Two images, each as floats from -1 to 1."""

    def forward(self, img1, img2):
        return tuple(F.normalize(_floats(img), [0.5] * 3, [0.5] * 3).contiguous() for img in (img1, img2))

    def describe(self):
        """The preparation in a sentence."""
        return "Accepts two Pillow images or tensors (C, H, W) or (B, C, H, W). They are rescaled to [-1.0, 1.0]."

    def __repr__(self):
        return f"{type(self).__name__}()"

"""Between Pillow images, tensors and their types."""
from ...nn import Module
from . import functional as F
from ._checks import check_whitening, shown, whitened

__all__ = ["ConvertImageDtype", "LinearTransformation", "Normalize", "PILToTensor", "ToPILImage", "ToTensor"]


class ToTensor:
    """A Pillow image or an array (H, W, C) -> tensor (C, H, W); bytes become floats from 0 to 1."""

    def __call__(self, pic):
        return F.to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class PILToTensor:
    """A Pillow image -> tensor (C, H, W) of the same type, unscaled."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ConvertImageDtype(Module):
    """A tensor to another type, scaled so that full brightness stays full."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return F.convert_image_dtype(image, self.dtype)


class ToPILImage:
    """A tensor (C, H, W) or an array (H, W, C) -> Pillow image.  mode: Pillow's; None for the one that fits the channels."""

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self):
        return shown(self, *(["mode"] if self.mode is not None else []))


class Normalize(Module):
    """(tensor - mean) / std, numbers for each channel.  tensor: (..., C, H, W) floats."""

    def __init__(self, mean, std, inplace=False):
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self):
        return shown(self, "mean", "std")


class LinearTransformation(Module):
    """(flat image - mean_vector) @ transformation_matrix, for whitening.  matrix: (D, D), vector: (D), D = C * H * W."""

    def __init__(self, transformation_matrix, mean_vector):
        super().__init__()
        check_whitening(transformation_matrix, mean_vector)
        self.transformation_matrix, self.mean_vector = transformation_matrix, mean_vector

    def forward(self, tensor):
        return whitened(tensor, self.transformation_matrix, self.mean_vector)

    def __repr__(self):
        return (f"{type(self).__name__}(transformation_matrix={self.transformation_matrix.tolist()}, "
                f"mean_vector={self.mean_vector.tolist()})")

"""Between Pillow images and tensors (C, H, W)."""
import numpy as np
from PIL import Image

from .._core.tensor import wrap

# Pillow's modes and the types of their elements
MODES = {"1": np.bool_, "L": np.uint8, "P": np.uint8, "LA": np.uint8, "RGB": np.uint8, "RGBA": np.uint8, "CMYK": np.uint8, "YCbCr": np.uint8,
         "HSV": np.uint8, "LAB": np.uint8, "I": np.int32, "I;16": np.uint16, "F": np.float32}


def array_of(image, own=True):
    """The pixels of a Pillow image: (H, W, C), an array of its own, or one that may only be read."""
    pixels = np.array(image, dtype=MODES.get(image.mode)) if own else np.asarray(image, dtype=MODES.get(image.mode))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def tensor_of(image):
    """The pixels of a Pillow image as a tensor (C, H, W), unscaled."""
    pixels = array_of(image, own=False)
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(np.int32)
    return wrap(np.array(pixels.transpose(2, 0, 1), order="C"))


def image_of(pixels, mode=None):
    """The Pillow image of an array (H, W, C) or (H, W); mode: None for the one that fits."""
    pixels = np.ascontiguousarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    if mode is None and pixels.ndim == 3:
        mode = {2: "LA", 3: "RGB", 4: "RGBA"}.get(pixels.shape[2])
    image = Image.fromarray(pixels)
    return image if mode is None or image.mode == mode else _in_mode(pixels, image, mode)


def _in_mode(pixels, image, mode):
    """An image of the same bytes that calls itself by another mode with as many channels."""
    if mode == "I;16" and pixels.dtype.itemsize == 2:
        return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.astype("<u2").tobytes())
    return Image.frombytes(mode, image.size, image.tobytes())

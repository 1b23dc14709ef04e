"""Image files and their bytes as tensors (C, H, W) of uint8, through Pillow."""
import enum
import io
import os

import numpy as np
from PIL import Image, ImageOps

from ..._core.tensor import Tensor, wrap
from ..._serialization.atomic import replacing
from .._pixels import image_of, tensor_of

__all__ = ["ImageReadMode", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg", "encode_png", "read_file",
           "read_image", "write_file", "write_jpeg", "write_png"]


class ImageReadMode(enum.Enum):
    """Which channels a decoded image has."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_MODES = {ImageReadMode.GRAY: "L", ImageReadMode.GRAY_ALPHA: "LA", ImageReadMode.RGB: "RGB", ImageReadMode.RGB_ALPHA: "RGBA"}


def read_file(path):
    """The bytes of a file, (N) uint8."""
    with open(path, "rb") as file:
        return wrap(np.frombuffer(file.read(), np.uint8).copy())


def write_file(filename, data):
    """Write (N) uint8 to a path."""
    with replacing(filename) as file:
        file.write(_bytes(data))


def _bytes(data):
    if not isinstance(data, Tensor) or data.dtype.name != "uint8" or data.ndim != 1:
        kind = f"{tuple(data.shape)} {data.dtype}" if isinstance(data, Tensor) else type(data).__name__
        raise RuntimeError(f"Expected a one-dimensional tensor of uint8, the bytes of a file, got {kind}")
    return data.cpu().numpy().tobytes()


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """The image in encoded bytes, (N) uint8, or in the file of this path -> (C, H, W) uint8.

    mode: an ImageReadMode or its name;  apply_exif_orientation: turn it as the camera noted.  RuntimeError for what is not an image.
    """
    data = read_file(input) if isinstance(input, (str, os.PathLike)) else input
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        image = Image.open(io.BytesIO(_bytes(data)))
        image.load()
    except (OSError, SyntaxError) as error:
        raise RuntimeError(f"the bytes are not an image that Pillow can read: {error}") from None
    if apply_exif_orientation:
        image = ImageOps.exif_transpose(image)
    if mode in _MODES:
        image = image.convert(_MODES[mode])
    elif image.mode in ("P", "1", "CMYK"):
        image = image.convert("RGB" if image.mode != "1" else "L")
    return tensor_of(image)


def read_image(path, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """`decode_image` of a file."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


decode_png = decode_jpeg = decode_webp = decode_gif = decode_image


def _encoded(input, format, **options):
    if not isinstance(input, Tensor) or input.dtype.name != "uint8":
        raise RuntimeError(f"Input tensor dtype should be uint8, got {getattr(input, 'dtype', type(input).__name__)}")
    if input.ndim != 3 or input.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, in a tensor (C, H, W); got shape {tuple(input.shape)}")
    file = io.BytesIO()
    image_of(input.cpu().numpy().transpose(1, 2, 0)).save(file, format=format, **options)
    return wrap(np.frombuffer(file.getvalue(), np.uint8).copy())


def encode_png(input, compression_level=6):
    """The bytes of a PNG of (1 or 3, H, W) uint8.  compression_level: 0 to 9."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError(f"Compression level should be between 0 and 9, got {compression_level}")
    return _encoded(input, "PNG", compress_level=compression_level)


def encode_jpeg(input, quality=75):
    """The bytes of a JPEG of (1 or 3, H, W) uint8, or a list of them for a list.  quality: 1 to 100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"Image quality should be a positive number between 1 and 100, got {quality}")
    return [encode_jpeg(image, quality) for image in input] if isinstance(input, list) else _encoded(input, "JPEG", quality=quality)


def write_png(input, filename, compression_level=6):
    """`encode_png` to a path."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input, filename, quality=75):
    """`encode_jpeg` to a path."""
    write_file(filename, encode_jpeg(input, quality))

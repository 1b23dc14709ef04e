"""The same changes of Pillow images, by Pillow."""
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from .._pixels import array_of, image_of


def enhance(kind, img, factor):
    """kind: "Brightness", "Contrast", "Color" or "Sharpness"."""
    return getattr(ImageEnhance, kind)(img).enhance(factor)


def hue(img, factor):
    if img.mode in ("L", "1", "I", "F"):
        return img
    h, s, v = img.convert("HSV").split()
    turned = np.array(h) + np.int32(factor * 255).astype(np.uint8)  # overflow is a full turn
    return Image.merge("HSV", (image_of(turned), s, v)).convert(img.mode)


def gamma(img, power, gain):
    table = [int((256 - 1e-3) * gain * (value / 255) ** power) for value in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def fill_of(fill, img):
    """`fill` as Pillow wants it: one number per channel, whole ones save in mode "F"."""
    n, number = len(img.getbands()), (float if img.mode == "F" else int)
    fill = 0 if fill is None else fill
    if isinstance(fill, (int, float)):
        return number(fill) if n == 1 else (number(fill),) * n
    values = tuple(fill) * (n if len(fill) == 1 else 1)
    if len(values) != n:
        raise ValueError(f"The number of elements in 'fill' does not match the number of channels of the image ({len(values)} != {n})")
    return tuple(number(v) for v in values)


def pad(img, left, top, right, bottom, fill, mode):
    if mode == "constant":
        out = ImageOps.expand(img, border=(left, top, right, bottom), fill=fill_of(fill, img))
        if img.mode == "P":
            out.putpalette(img.getpalette())
        return out
    cut = [max(-p, 0) for p in (left, top, right, bottom)]
    if any(cut):
        img = img.crop((cut[0], cut[1], img.width - cut[2], img.height - cut[3]))
    pixels = array_of(img)
    widths = ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0))
    out = image_of(np.pad(pixels, widths, mode), None if img.mode == "P" else img.mode)
    if img.mode == "P":
        out.putpalette(img.getpalette())
    return out


def grayscale(img, channels):
    gray = img.convert("L")
    return gray if channels == 1 else Image.merge("RGB", (gray, gray, gray))


def transform(img, kind, numbers, number, fill):
    """kind: "AFFINE" or "PERSPECTIVE";  number: Pillow's for the way of interpolation."""
    return img.transform(img.size, getattr(Image.Transform, kind), numbers, number, fillcolor=fill_of(fill, img))

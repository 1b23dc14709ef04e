"""Changes of colour: each takes a Pillow image or a tensor (..., C, H, W) and returns one of the same kind."""
from PIL import Image, ImageOps

from . import _colors, _pillow
from ._convert import is_tensor


def _not_negative(factor, name):
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img, brightness_factor):
    """0 is black, 1 as it is, 2 twice as bright."""
    if not is_tensor(img):
        return _pillow.enhance("Brightness", img, brightness_factor)
    _not_negative(brightness_factor, "brightness_factor")
    return _colors.brightness(img, brightness_factor)


def adjust_contrast(img, contrast_factor):
    """0 is an even grey, 1 as it is."""
    if not is_tensor(img):
        return _pillow.enhance("Contrast", img, contrast_factor)
    _not_negative(contrast_factor, "contrast_factor")
    return _colors.contrast(img, contrast_factor)


def adjust_saturation(img, saturation_factor):
    """0 is without colour, 1 as it is."""
    if not is_tensor(img):
        return _pillow.enhance("Color", img, saturation_factor)
    _not_negative(saturation_factor, "saturation_factor")
    return _colors.saturation(img, saturation_factor)


def adjust_sharpness(img, sharpness_factor):
    """0 is blurred, 1 as it is, 2 sharper."""
    if not is_tensor(img):
        return _pillow.enhance("Sharpness", img, sharpness_factor)
    _not_negative(sharpness_factor, "sharpness_factor")
    return _colors.sharpness(img, sharpness_factor)


def adjust_hue(img, hue_factor):
    """Turn the colour circle; from -0.5, half a turn back, to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return _colors.hue(img, hue_factor) if is_tensor(img) else _pillow.hue(img, hue_factor)


def adjust_gamma(img, gamma, gain=1):
    """gain * img ** gamma, with img from 0 to 1."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return _colors.gamma(img, gamma, gain) if is_tensor(img) else _pillow.gamma(img, gamma, gain)


def to_grayscale(img, num_output_channels=1):
    """A Pillow image without colour, in one channel or three equal ones."""
    if not isinstance(img, Image.Image):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img, num_output_channels=1):
    """Luminance, in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    return _colors.grayscale(img, num_output_channels) if is_tensor(img) else _pillow.grayscale(img, num_output_channels)


def invert(img):
    """The negative."""
    return _colors.invert(img) if is_tensor(img) else ImageOps.invert(img)


def posterize(img, bits):
    """Keep so many high bits of each byte, 0 to 8."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _colors.posterize(img, bits) if is_tensor(img) else ImageOps.posterize(img, bits)


def solarize(img, threshold):
    """Negative where it is at least `threshold`."""
    return _colors.solarize(img, threshold) if is_tensor(img) else ImageOps.solarize(img, threshold)


def autocontrast(img):
    """Each channel stretched from black to full brightness."""
    return _colors.autocontrast(img) if is_tensor(img) else ImageOps.autocontrast(img)


def equalize(img):
    """Each channel with its histogram made even.  Tensors: uint8."""
    return _colors.equalize(img) if is_tensor(img) else ImageOps.equalize(img)

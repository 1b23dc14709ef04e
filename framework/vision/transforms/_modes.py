"""How values between pixels are found."""
import enum

__all__ = ["InterpolationMode"]


class InterpolationMode(enum.Enum):
    """Names of the ways.  BOX, HAMMING and LANCZOS are Pillow's and not for tensors."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PILLOW = {InterpolationMode.NEAREST: 0, InterpolationMode.LANCZOS: 1, InterpolationMode.BILINEAR: 2, InterpolationMode.BICUBIC: 3,
          InterpolationMode.BOX: 4, InterpolationMode.HAMMING: 5, InterpolationMode.NEAREST_EXACT: 0}
FROM_PILLOW = {number: mode for mode, number in reversed(PILLOW.items())}


def as_mode(interpolation):
    """An InterpolationMode from one or from Pillow's number.  TypeError for anything else."""
    if isinstance(interpolation, int):
        return FROM_PILLOW[interpolation]
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError("Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant")
    return interpolation

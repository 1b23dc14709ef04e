"""Checks of what transforms are made with."""
import numbers
import warnings
from collections.abc import Sequence

from ..._core.tensor import Tensor
from . import functional as F
from ._modes import FROM_PILLOW

SIZE_WORDS = "Please provide only two dimensions (h, w) for size."


def pair(size, words=SIZE_WORDS):
    """(h, w) from a number, a sequence of one or of two.  ValueError with `words` for others."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(words)
    return size


def odd_pair(kernel_size):
    """`pair` for the size of a blur: odd, positive numbers."""
    sizes = pair(kernel_size, "Kernel size should be a tuple/list of two integers")
    if any(n <= 0 or n % 2 == 0 for n in sizes):
        raise ValueError("Kernel size value should be an odd and positive number.")
    return sizes


def require_sequence(x, name, *lengths):
    """TypeError unless it is a sequence, ValueError unless it has one of these lengths."""
    words = f"{name} should be a sequence of length {' or '.join(map(str, lengths))}."
    if not isinstance(x, Sequence):
        raise TypeError(words)
    if len(x) not in lengths:
        raise ValueError(words)


def angles(x, name, *lengths):
    """[low, high, ...] from a sequence, or [-x, x]."""
    if isinstance(x, numbers.Number):
        if x < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        x = [-x, x]
    else:
        require_sequence(x, name, *lengths)
    return [float(v) for v in x]


def check_affine(translate, scale, center):
    """TypeError or ValueError unless the ranges of an affine map make sense."""
    if translate is not None:
        require_sequence(translate, "translate", 2)
        if not all(0.0 <= t <= 1.0 for t in translate):
            raise ValueError("translation values should be between 0 and 1")
    if scale is not None:
        require_sequence(scale, "scale", 2)
        if any(s <= 0 for s in scale):
            raise ValueError("scale values should be positive")
    if center is not None:
        require_sequence(center, "center", 2)


def check_ranges(scale, ratio, words=""):
    """TypeError unless both are sequences; a warning where a range is upside down."""
    for name, value in (("Scale", scale), ("Ratio", ratio)):
        if not isinstance(value, Sequence) or (words and len(value) != 2):
            raise TypeError(f"{name} should be a sequence{words}")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


def check_erasing(scale, ratio, value):
    """TypeError or ValueError unless RandomErasing can work with these."""
    if not isinstance(value, (numbers.Number, str, tuple, list)):
        raise TypeError("Argument value should be either a number or str or a sequence")
    if isinstance(value, str) and value != "random":
        raise ValueError("If value is str, it should be 'random'")
    check_ranges(scale, ratio)
    if scale[0] < 0 or scale[1] > 1:
        raise ValueError("Scale should be between 0 and 1")


def mode_of(interpolation):
    """The InterpolationMode of one of Pillow's numbers; anything else as it is."""
    return FROM_PILLOW[interpolation] if isinstance(interpolation, int) else interpolation


def fill_of(fill):
    """`fill` for a transform: a number or a sequence, None is 0."""
    if fill is not None and not isinstance(fill, (Sequence, numbers.Number)):
        raise TypeError("Fill should be either a sequence or a number.")
    return 0 if fill is None else fill


def fill_for(fill, img):
    """`fill` for an image: one float per channel of a tensor; Pillow images take it as it is."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    return [float(fill)] * F.get_dimensions(img)[0] if isinstance(fill, (int, float)) else [float(v) for v in fill]


def check_whitening(matrix, mean):
    """ValueError unless LinearTransformation can work with this matrix (D, D) and mean (D)."""
    if matrix.size(0) != matrix.size(1):
        raise ValueError(f"transformation_matrix should be square. Got {tuple(matrix.size())} rectangular matrix.")
    if mean.size(0) != matrix.size(0):
        raise ValueError(f"mean_vector should have the same length {mean.size(0)} as any one of the dimensions of the transformation_matrix "
                         f"[{tuple(matrix.size())}]")
    if matrix.device != mean.device:
        raise ValueError(f"Input tensors should be on the same device. Got {matrix.device} and {mean.device}")
    if matrix.dtype != mean.dtype:
        raise ValueError(f"Input tensors should have the same dtype. Got {matrix.dtype} and {mean.dtype}")


def whitened(img, matrix, mean):
    """(img, flat, - mean) @ matrix, in the image's shape."""
    n = img.shape[-3] * img.shape[-2] * img.shape[-1]
    if n != matrix.shape[0]:
        raise ValueError("Input tensor and transformation matrix have incompatible shape."
                         f"[{img.shape[-3]} x {img.shape[-2]} x {img.shape[-1]}] != {matrix.shape[0]}")
    if img.device.type != mean.device.type:
        raise ValueError("Input tensor should be on the same device as transformation matrix and mean vector. "
                         f"Got {img.device} vs {mean.device}")
    flat = img.reshape(-1, n) - mean
    return flat.mm(matrix.to(flat.dtype)).reshape(img.shape)


def shown(transform, *names, between=", "):
    """`Name(a=..., b=...)` of a transform's attributes."""
    return f"{type(transform).__name__}({between.join(f'{n}={getattr(transform, n)}' for n in names)})"

"""What a sample holds: types, sizes, labels; and checks of what transforms are made with."""
import numbers
from collections.abc import Mapping, Sequence

import PIL.Image

from ...._core.tensor import Tensor
from ... import tv_tensors
from .functional import get_dimensions, get_size, is_pure_tensor

PLACES = (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)
PICTURES = (is_pure_tensor, tv_tensors.Image, PIL.Image.Image, tv_tensors.Video)


def check_type(obj, types_or_checks):
    """Whether it is an instance of one of the types, or one of the functions says yes."""
    return any(isinstance(obj, t) if isinstance(t, type) else t(obj) for t in types_or_checks)


def has_any(flat_inputs, *types_or_checks):
    """Whether one of the inputs is of one of the types."""
    return any(check_type(x, types_or_checks) for x in flat_inputs)


def has_all(flat_inputs, *types_or_checks):
    """Whether each of the types is among the inputs."""
    return all(has_any(flat_inputs, t) for t in types_or_checks)


def get_bounding_boxes(flat_inputs):
    """The first boxes of a sample.  ValueError without any."""
    for x in flat_inputs:
        if isinstance(x, tv_tensors.BoundingBoxes):
            return x
    raise ValueError("No bounding boxes were found in the sample")


def get_keypoints(flat_inputs):
    """The first key points of a sample.  ValueError without any."""
    for x in flat_inputs:
        if isinstance(x, tv_tensors.KeyPoints):
            return x
    raise ValueError("No keypoints were found in the sample")


def _only(sizes, missing, name):
    if not sizes:
        raise TypeError(missing)
    if len(sizes) > 1:
        raise ValueError(f"Found multiple {name} dimensions in the sample: " + ", ".join(f"'{s}'" for s in sorted(sizes)))
    return sizes.pop()


def query_chw(flat_inputs):
    """(channels, height, width) of the images of a sample, which have to agree."""
    return _only({tuple(get_dimensions(x)) for x in flat_inputs if check_type(x, PICTURES)}, "No image or video was found in the sample", "CxHxW")


def query_size(flat_inputs):
    """(height, width) of what a sample holds, which has to agree."""
    kinds = (*PICTURES, tv_tensors.Mask, *PLACES)
    return _only({tuple(get_size(x)) for x in flat_inputs if check_type(x, kinds)},
                 "No image, video, mask, bounding box of keypoint was found in the sample", "HxW")


# -- labels ------------------------------------------------------------------------------------------------------------


def _find_labels(inputs):
    inputs = inputs[1] if isinstance(inputs, (tuple, list)) else inputs
    if is_pure_tensor(inputs):
        return inputs
    if not isinstance(inputs, Mapping):
        raise ValueError("When using the default labels_getter, the input passed to forward must be a dictionary or a two-tuple whose second item "
                         f"is a dictionary or a tensor, but got {inputs} instead.")
    keys = [k for k in inputs if k.lower() == "labels"] or [k for k in inputs if "label" in k.lower()]
    if not keys:
        raise ValueError("Could not infer where the labels are in the sample. Try passing a callable as the labels_getter parameter?"
                         "If there are no labels in the sample by design, pass labels_getter=None.")
    return inputs[keys[0]]


def labels_getter_of(labels_getter):
    """A function from a sample to its labels.  labels_getter: one, "default" (by the name of a key), or None for none."""
    if labels_getter == "default":
        return _find_labels
    if callable(labels_getter):
        return labels_getter
    if labels_getter is None:
        return lambda _: None
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {labels_getter}.")


def label_tensors(labels):
    """The labels as a tuple of tensors, or None."""
    if labels is None or isinstance(labels, Tensor):
        return labels if labels is None else (labels,)
    for entry in labels if isinstance(labels, (tuple, list)) else [labels]:
        if not isinstance(entry, Tensor):
            raise ValueError(f"The labels in the input to forward() must be a tensor or None, got {type(entry)} instead.")
    return tuple(labels)


# -- arguments ---------------------------------------------------------------------------------------------------------


def two_numbers(arg, name):
    """[a, b] from a number, a sequence of one or of two."""
    if not isinstance(arg, (int, float, Sequence)):
        raise TypeError(f"{name} should be a number or a sequence of numbers. Got {type(arg)}")
    values = list(arg) if isinstance(arg, Sequence) else [arg]
    if len(values) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 1 or 2. Got {len(values)}")
    for v in values:
        if not isinstance(v, (int, float)):
            raise ValueError(f"{name} should be a sequence of numbers. Got {type(v)}")
    return [float(values[0]), float(values[-1])]


def fills_of(fill):
    """{type or "others": fill value} from one value or from a dictionary of them."""
    found = fill if isinstance(fill, dict) else {"others": fill}
    for value in found.values():
        if value is not None and not isinstance(value, (numbers.Number, tuple, list)):
            raise TypeError("Got inappropriate fill arg, only Numbers, tuples, lists and dicts are allowed.")
    return {k: v if v is None or isinstance(v, (int, float)) else [float(x) for x in v] for k, v in found.items()}


def fill_for(fills, kind):
    """The fill value for a type; None where nothing is said of it."""
    return fills[kind] if kind in fills else fills.get("others")


def check_padding(padding, padding_mode):
    """ValueError unless they make sense."""
    good = isinstance(padding, int) or (isinstance(padding, (tuple, list)) and len(padding) in (1, 2, 4) and all(isinstance(p, int) for p in padding))
    if padding is not None and not good:
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element of tuple or list, got {padding}.")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")

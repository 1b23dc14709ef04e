"""Grids of pictures, and drawing on them.  Images are (C, H, W), uint8 from 0 to 255 or floats from 0 to 1."""
import math
import warnings

import numpy as np
from PIL import ImageColor, ImageDraw, ImageFont

from .._core.modes import no_grad
from .._core.tensor import Tensor, wrap
from ._pixels import image_of, tensor_of

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "flow_to_image", "make_grid", "save_image"]

_SEE_THROUGH = 100  # of 255, how opaque the inside of a filled box is


@no_grad()
def make_grid(tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0):
    """Pictures side by side, `nrow` in a row: (B, C, H, W), or a list of (C, H, W), -> (C, rows * (H + padding) + padding, ...).

    A single picture stays alone; one channel becomes three.  padding: pixels between pictures, of value `pad_value`.
    normalize: bring values to 0..1, from value_range = (low, high) or else from the least and largest value, of each picture with scale_each.
    TypeError for what is not a tensor or a list of tensors.
    """
    for t in tensor if isinstance(tensor, list) else [tensor]:
        if not isinstance(t, Tensor):
            inside = "a list containing " if isinstance(tensor, list) else ""
            raise TypeError(f"tensor or list of tensors expected, got {inside}{type(t)}")
    device = (tensor[0] if isinstance(tensor, list) else tensor).device
    images = np.stack([t.detach().cpu().numpy() for t in tensor]) if isinstance(tensor, list) else tensor.detach().cpu().numpy()
    images = images[None] if images.ndim == 2 else images
    images = images[None] if images.ndim == 3 else images
    if images.shape[1] == 1:
        images = images.repeat(3, axis=1)
    if normalize:
        images = _normalized(images, value_range, scale_each)
    grid = images[0] if len(images) == 1 else _side_by_side(images, nrow, padding, pad_value)
    return wrap(grid).to(device)


def _normalized(images, value_range, scale_each):
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
    axes = (1, 2, 3) if scale_each else None
    low, high = value_range or (images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True))
    return ((images.clip(low, high) - low) / np.maximum(high - low, 1e-5)).astype(images.dtype)


def _side_by_side(images, nrow, padding, pad_value):
    n, c, h, w = images.shape
    columns = min(nrow, n)
    grid = np.full((c, (h + padding) * math.ceil(n / columns) + padding, (w + padding) * columns + padding), pad_value, images.dtype)
    for i, image in enumerate(images):
        top, left = (h + padding) * (i // columns) + padding, (w + padding) * (i % columns) + padding
        grid[:, top:top + h, left:left + w] = image
    return grid


def save_image(tensor, fp, format=None, **kwargs):
    """Write pictures of values 0..1 to a file as one grid.  fp: a path or an open file, which needs a format;  kwargs: those of make_grid."""
    grid = make_grid(tensor, **kwargs).cpu().float().numpy()
    pixels = (grid * 255 + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    image_of(pixels).save(fp, format=format)


# -- drawing -----------------------------------------------------------------------------------------------------------


def _checked(image):
    if not isinstance(image, Tensor):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if image.dtype.name != "uint8" and not image.is_floating_point():
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.ndim != 3:
        raise ValueError("Pass individual images, not batches")
    return image


def _to_pillow(image):
    """An RGB image to draw on."""
    pixels = image.detach().cpu().numpy()
    if image.is_floating_point():
        pixels = (pixels * 255.999).astype(np.uint8)
    return image_of((pixels.repeat(3, axis=0) if len(pixels) == 1 else pixels).transpose(1, 2, 0))


def _from_pillow(drawn, like):
    out = tensor_of(drawn)
    return (out.to(like.dtype) / 255 if like.is_floating_point() else out).to(like.device)


def _palette(n):
    """n colours that differ, always the same ones."""
    return [tuple(i * step % 255 for step in (2**25 - 1, 2**15 - 1, 2**21 - 1)) for i in range(n)]


def _colors(colors, n):
    """n RGB tuples from nothing, one colour or a list; ValueError for a list that is too short."""
    if colors is None:
        chosen = _palette(n)
    elif isinstance(colors, list):
        if len(colors) < n:
            raise ValueError(f"Number of colors must be equal or larger than the number of objects, but got {len(colors)} < {n}.")
        chosen = colors[:n]
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    elif isinstance(colors, (str, tuple)):
        chosen = [colors] * n
    else:
        raise ValueError(f"colors must be a tuple or a string, or a list thereof, but got {colors}.")
    return [ImageColor.getrgb(c) if isinstance(c, str) else tuple(c) for c in chosen]


def draw_bounding_boxes(image, boxes, labels=None, colors=None, fill=False, width=1, font=None, font_size=None, label_colors=None,
                        label_background_colors=None, fill_labels=False):
    """A copy of the image with boxes drawn on it.

    image: (1 or 3, H, W);  boxes: (N, 4) as (xmin, ymin, xmax, ymax), or (N, 8), the corners, in pixels;  labels: N texts;
    colors, label_colors, label_background_colors: a name, an RGB tuple or a list of them;  fill: tint the inside;  width: of the lines;
    font, font_size: a TrueType file and its size in points.  ValueError for boxes inside out or another number of labels.
    """
    _checked(image)
    if image.shape[0] not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")
    if boxes.shape[-1] == 4 and ((boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any()):
        raise ValueError("Boxes need to be in (xmin, ymin, xmax, ymax) format. Use ringgrad.vision.ops.box_convert to convert them")
    n = len(boxes)
    if n == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is not None and len(labels) != n:
        raise ValueError(f"Number of boxes ({n}) and labels ({len(labels)}) mismatch. Please specify labels for each box.")
    if font is None and font_size is not None:
        warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=2)
    letters = ImageFont.load_default() if font is None else ImageFont.truetype(font=font, size=font_size or 10)
    colors = _colors(colors, n)
    text_colors = _colors(label_colors or "black", n) if label_colors or fill_labels else colors
    grounds = _colors(label_background_colors, n) if fill_labels and label_background_colors else colors
    drawn = _to_pillow(image)
    pen = ImageDraw.Draw(drawn, "RGBA") if fill else ImageDraw.Draw(drawn)
    for i, box in enumerate(boxes.long().tolist()):
        inside = (*colors[i], _SEE_THROUGH) if fill else None
        if len(box) == 8:
            pen.polygon(list(zip(box[::2], box[1::2])), outline=colors[i], fill=inside, width=width)
        else:
            pen.rectangle(box, width=width, outline=colors[i], fill=inside)
        if labels is not None and labels[i] is not None:
            at = (box[0] + width + 1, box[1] + width + 1)
            if fill_labels:
                left, top, right, bottom = pen.textbbox(at, labels[i], font=letters)
                pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=grounds[i])
            pen.text(at, labels[i], fill=text_colors[i], font=letters)
    return _from_pillow(drawn, image)


def draw_segmentation_masks(image, masks, alpha=0.8, colors=None):
    """A copy of the image tinted by masks.  image: (3, H, W);  masks: (N, H, W) or (H, W) bool;  alpha: 0 see-through, 1 opaque.

    Where masks overlap the tint is black.
    """
    _checked(image)
    if image.shape[0] != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype.name != "bool":
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if len(masks) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    pixels = image.detach().cpu().numpy().astype(np.float32)
    covers = masks.cpu().numpy()
    painted = pixels.copy()
    for cover, color in zip(covers, _colors(colors, len(masks))):
        painted[:, cover] = np.float32(color)[:, None] / (255 if image.is_floating_point() else 1)
    painted[:, covers.sum(0) > 1] = 0
    return wrap(pixels * (1 - alpha) + painted * alpha).to(image.dtype).to(image.device)


def draw_keypoints(image, keypoints, connectivity=None, colors=None, radius=2, width=3, visibility=None):
    """A copy of the image with points, and lines between them.

    image: (3, H, W);  keypoints: (instances, K, 2) in pixels;  connectivity: pairs of point numbers to join;  visibility: (instances, K) bool.
    """
    _checked(image)
    if keypoints.ndim != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    if image.shape[0] != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    shown = np.ones(keypoints.shape[:2], bool) if visibility is None else visibility.cpu().numpy().reshape(len(visibility), -1).astype(bool)
    if shown.shape != tuple(keypoints.shape[:2]):
        raise ValueError(f"keypoints and visibility must have the same dimensionality for num_instances and K. Got {tuple(visibility.shape)} and "
                         f"{tuple(keypoints.shape)}")
    drawn = _to_pillow(image)
    pen = ImageDraw.Draw(drawn)
    color = ImageColor.getrgb(colors) if isinstance(colors, str) else colors
    for points, seen in zip(keypoints.long().tolist(), shown):
        for (x, y), visible in zip(points, seen):
            if visible:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=None, width=0)
        for a, b in connectivity or ():
            if seen[a] and seen[b]:
                pen.line((*points[a], *points[b]), width=width)
    return _from_pillow(drawn, image)


def flow_to_image(flow):
    """Optical flow as colours: direction is the hue, length the saturation.  (2, H, W) or (N, 2, H, W) floats -> (3, H, W), (N, 3, H, W) uint8.

    Baker et al. 2011, "A database and evaluation methodology for optical flow", doi:10.1007/s11263-010-0390-2.
    """
    if flow.dtype.name != "float32":
        raise ValueError(f"Flow should be of dtype float32, got {flow.dtype}.")
    if flow.ndim not in (3, 4) or flow.shape[-3] != 2:
        raise ValueError(f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {tuple(flow.shape)}.")
    flows = flow.detach().cpu().numpy().reshape(-1, 2, *flow.shape[-2:])
    longest = np.sqrt((flows ** 2).sum(1)).max()
    image = np.stack([_flow_colors(f / (longest + np.finfo(np.float32).eps)) for f in flows])
    return wrap(image if flow.ndim == 4 else image[0]).to(flow.device)


def _flow_colors(flow):
    wheel = _color_wheel()
    length, turn = np.sqrt((flow ** 2).sum(0)), np.arctan2(-flow[1], -flow[0]) / np.pi
    at = (turn + 1) / 2 * (len(wheel) - 1)
    below = np.floor(at).astype(int)
    above = (below + 1) % len(wheel)
    share = (at - below)[..., None]
    color = 1 - length[..., None] * (1 - ((1 - share) * wheel[below] + share * wheel[above]) / 255)
    return np.floor(255 * color).astype(np.uint8).transpose(2, 0, 1)


def _color_wheel():
    """(55, 3): from red over yellow, green, cyan, blue and magenta back to red; in each part one channel is full and another moves."""
    parts = []
    for n, full, moving, rises in ((15, 0, 1, True), (6, 1, 0, False), (4, 1, 2, True), (11, 2, 1, False), (13, 2, 0, True), (6, 0, 2, False)):
        ramp, part = np.floor(255 * np.arange(n) / n), np.zeros((n, 3), np.float32)
        part[:, full], part[:, moving] = 255, ramp if rises else 255 - ramp
        parts.append(part)
    return np.concatenate(parts)

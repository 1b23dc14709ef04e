"""Transforms that mix the images of a batch, and their labels."""
import math

import PIL.Image

from ...._core.tensor import Tensor
from ....func._tree import flatten, unflatten
from ....nn.functional import one_hot
from ... import tv_tensors
from .. import _draws
from ._inputs import PLACES, has_any, labels_getter_of, query_size
from ._transform import Transform

__all__ = ["CutMix", "MixUp"]


class _Mixing(Transform):
    """Base class: a batch of images (N, C, H, W) or videos (N, T, C, H, W), and labels (N), or (N, classes) of probabilities.

    alpha: of the distribution Beta(alpha, alpha) of an image's share;  num_classes: needed for labels (N).
    """

    def __init__(self, *, alpha=1.0, num_classes=None, labels_getter="default"):
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha}")
        self._labels_getter = labels_getter_of(labels_getter)

    def forward(self, *inputs):
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = flatten(sample)
        if has_any(flat, PIL.Image.Image, tv_tensors.Mask, *PLACES):
            raise ValueError(f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and masks.")
        labels = self._labels_getter(sample)
        self._check_labels(labels)
        needed = self._needs_transform_list(flat)
        params = {"labels": labels, "batch_size": labels.shape[0], **self.make_params([x for x, n in zip(flat, needed) if n])}
        return unflatten([self.transform(x, params) if n or x is labels else x for x, n in zip(flat, needed)], spec)

    def _check_labels(self, labels):
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError("labels should be index based with shape (batch_size,) or probability based with shape (batch_size, num_classes), "
                             f"but got a tensor of shape {labels.shape} instead.")
        if labels.ndim == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ValueError("When passing 2D labels, the number of elements in last dimension must match num_classes: "
                             f"{labels.shape[-1]} != {self.num_classes}. You can Leave num_classes to None.")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")

    def transform(self, inpt, params):
        if inpt is params["labels"]:
            labels = one_hot(inpt, self.num_classes) if inpt.ndim == 1 else inpt
            labels = labels if labels.is_floating_point() else labels.float()
            return labels.roll(1, 0) * (1.0 - params["share"]) + labels * params["share"]
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(inpt, (tv_tensors.Image, tv_tensors.Video)):
            return inpt
        expected = 5 if isinstance(inpt, tv_tensors.Video) else 4
        if inpt.ndim != expected:
            raise ValueError(f"Expected a batched input with {expected} dims, but got {inpt.ndim} dimensions instead.")
        if inpt.shape[0] != params["batch_size"]:
            raise ValueError("The batch size of the image or video does not match the batch size of the labels: "
                             f"{inpt.shape[0]} != {params['batch_size']}.")
        out = self._mixed(inpt.as_subclass(Tensor), params)
        return tv_tensors.wrap(out, like=inpt) if isinstance(inpt, tv_tensors.TVTensor) else out

    def _mixed(self, batch, params):
        raise NotImplementedError


class MixUp(_Mixing):
    """Each image faded over with its neighbour in the batch, and the labels too.  Zhang et al. 2017, arXiv:1710.09412."""

    def make_params(self, flat_inputs):
        return {"share": _draws.beta(self.alpha)}

    def _mixed(self, batch, params):
        return batch.roll(1, 0) * (1.0 - params["share"]) + batch * params["share"]


class CutMix(_Mixing):
    """A rectangle of each image from its neighbour in the batch, and the labels by its area.  Yun et al. 2019, arXiv:1905.04899."""

    def make_params(self, flat_inputs):
        share = _draws.beta(self.alpha)
        height, width = query_size(flat_inputs)
        x, y = _draws.integer(0, width), _draws.integer(0, height)
        r = 0.5 * math.sqrt(1.0 - share)
        w, h = int(r * width), int(r * height)
        box = max(x - w, 0), max(y - h, 0), min(x + w, width), min(y + h, height)
        return {"box": box, "share": 1.0 - (box[2] - box[0]) * (box[3] - box[1]) / (width * height)}

    def _mixed(self, batch, params):
        x1, y1, x2, y2 = params["box"]
        out = batch.clone()
        out[..., y1:y2, x1:x2] = batch.roll(1, 0)[..., y1:y2, x1:x2]
        return out

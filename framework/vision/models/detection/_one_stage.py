"""The frame of the detectors that judge every anchor at once."""
from .... import nn
from ...._dtypes import int64
from ...._functional.creation import full
from ...._functional.joining import cat
from ...ops.boxes import batched_nms, box_iou
from .generalized_rcnn import check_areas, check_boxes, features_of

__all__ = ["OneStage"]


class OneStage(nn.Module):
    """A list of images, and of targets -> losses in training, detections otherwise.

    A subclass sets backbone, anchor_generator, head (a list of features -> a dict of outputs (N, anchors, ...)), proposal_matcher, transform,
    nms_thresh and detections_per_img, and defines `losses_of` and `candidates`.
    """

    def forward(self, images, targets=None):
        if self.training:
            check_boxes(targets)
        originals = [tuple(image.shape[-2:]) for image in images]
        images, targets = self.transform(images, targets)
        if targets is not None:
            check_areas(targets)
        features = list(features_of(self.backbone, images).values())
        outputs, anchors = self.head(features), self.anchor_generator(images, features)
        if self.training:
            return self.losses_of(targets, outputs, anchors, [self._matched(*image) for image in zip(targets, anchors)])
        sizes = [f.shape[-2] * f.shape[-1] for f in features]
        found = [self._best(*self.candidates({k: v[i] for k, v in outputs.items()}, anchors[i], image_size, sizes))
                 for i, image_size in enumerate(images.image_sizes)]
        return self.transform.postprocess(found, images.image_sizes, originals)

    def losses_of(self, targets, outputs, anchors, matched):
        """{name: loss}.  matched: for each image the numbers of the objects of its anchors, negative for none."""
        raise NotImplementedError

    def candidates(self, outputs, anchors, image_size, sizes):
        """Boxes (n, 4), scores (n) and labels (n) of an image.  sizes: how many places each feature map has."""
        raise NotImplementedError

    def _matched(self, target, anchors):
        if target["boxes"].numel() == 0:
            return full((len(anchors),), -1, dtype=int64, device=anchors.device)
        return self.proposal_matcher(box_iou(target["boxes"], anchors))

    def _best(self, boxes, scores, labels):
        boxes, scores, labels = cat(boxes), cat(scores), cat(labels)
        keep = batched_nms(boxes, scores, labels, self.nms_thresh)[:self.detections_per_img]
        return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}

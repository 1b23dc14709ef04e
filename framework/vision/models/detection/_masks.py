"""Masks of Mask R-CNN (He et al. 2017, arXiv:1703.06870): their loss, and where they lie in the image."""
from ...._dtypes import int64
from ...._functional.creation import arange
from ...._functional.joining import cat, stack
from ....nn import functional as F
from ...ops.roi import roi_align

__all__ = ["expand_boxes", "expand_masks", "maskrcnn_inference", "maskrcnn_loss", "paste_mask_in_image", "paste_masks_in_image",
           "project_masks_on_boxes"]


def maskrcnn_inference(x, labels):
    """Logits (n, classes, M, M) and each image's labels -> for each image (n, 1, M, M), the probabilities of the mask of its class."""
    every = cat(list(labels))
    return x.sigmoid()[arange(len(x), device=x.device), every][:, None].split([len(own) for own in labels], dim=0)


def project_masks_on_boxes(gt_masks, boxes, matched_idxs, M):  # noqa: N803 - torchvision's name
    """The masks (objects, H, W) that belong to the boxes (n, 4), cut out: (n, M, M)."""
    rois = cat([matched_idxs.to(boxes)[:, None], boxes], dim=1)
    return roi_align(gt_masks[:, None].to(rois), rois, (M, M), 1.0)[:, 0]


def maskrcnn_loss(mask_logits, proposals, gt_masks, gt_labels, mask_matched_idxs):
    """The cross entropy of each pixel of the masks of the right classes; of lists over images but the first, (n, classes, M, M)."""
    labels = cat([own[matched] for own, matched in zip(gt_labels, mask_matched_idxs)])
    targets = cat([project_masks_on_boxes(masks, boxes, matched, mask_logits.shape[-1])
                   for masks, boxes, matched in zip(gt_masks, proposals, mask_matched_idxs)])
    if targets.numel() == 0:
        return mask_logits.sum() * 0
    return F.binary_cross_entropy_with_logits(mask_logits[arange(len(labels), device=labels.device), labels], targets)


def expand_boxes(boxes, scale):
    """Boxes (n, 4) scaled round their centres."""
    centre, half = (boxes[:, 2:] + boxes[:, :2]) * 0.5, (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale
    return cat([centre - half, centre + half], dim=1)


def expand_masks(mask, padding):
    """(masks with a rim of zeros, how much larger they are)."""
    side = mask.shape[-1]
    return F.pad(mask, (padding,) * 4), float(side + 2 * padding) / side


def paste_mask_in_image(mask, box, im_h, im_w):
    """A mask (M, M), resized to its box of whole numbers, in an image of zeros (im_h, im_w)."""
    x0, y0, x1, y1 = (int(v) for v in box)
    mask = F.interpolate(mask[None, None], size=(max(y1 - y0 + 1, 1), max(x1 - x0 + 1, 1)), mode="bilinear", align_corners=False)[0][0]
    image = mask.new_zeros(im_h, im_w)
    rows, columns = (max(y0, 0), min(y1 + 1, im_h)), (max(x0, 0), min(x1 + 1, im_w))
    image[slice(*rows), slice(*columns)] = mask[rows[0] - y0:rows[1] - y0, columns[0] - x0:columns[1] - x0]
    return image


def paste_masks_in_image(masks, boxes, img_shape, padding=1):
    """Masks (n, 1, M, M) in their boxes (n, 4) -> (n, 1, height, width)."""
    masks, scale = expand_masks(masks, padding)
    boxes = expand_boxes(boxes, scale).to(int64).tolist()
    pasted = [paste_mask_in_image(mask[0], box, *img_shape) for mask, box in zip(masks, boxes)]
    return stack(pasted)[:, None] if pasted else masks.new_zeros(0, 1, *img_shape)

"""Points of Keypoint R-CNN (He et al. 2017, arXiv:1703.06870, section 5): one map of logits per point, one place in it is right."""
from ...._functional.creation import arange
from ...._functional.elementwise import where
from ...._functional.joining import cat, stack
from ....nn import functional as F

__all__ = ["heatmaps_to_keypoints", "keypointrcnn_inference", "keypointrcnn_loss", "keypoints_to_heatmap"]


def keypoints_to_heatmap(keypoints, rois, heatmap_size):
    """(n, points, 3) of x, y and whether it is seen, and boxes (n, 4) -> the numbers of their places in maps, 0 where it does not count, and
    whether it counts: both (n, points) int64."""
    places = []
    for axis in (0, 1):
        low, high, at = rois[:, axis, None], rois[:, axis + 2, None], keypoints[..., axis]
        place = ((at - low) * (heatmap_size / (high - low))).floor().long()
        places.append(where(at == high, heatmap_size - 1, place))
    x, y = places
    valid = ((x >= 0) & (y >= 0) & (x < heatmap_size) & (y < heatmap_size) & (keypoints[..., 2] > 0)).long()
    return (y * heatmap_size + x) * valid, valid


def heatmaps_to_keypoints(maps, rois):
    """Logits (n, points, M, M) and boxes (n, 4) -> the likeliest places (n, points, 3) of x, y and 1, and their logits (n, points)."""
    points, scores = [maps.new_zeros(0, maps.shape[1], 3).float()], [maps.new_zeros(0, maps.shape[1]).float()]
    sides = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    for logits, low, side in zip(maps, rois[:, :2], sides):
        width, height = (int(v) for v in side.ceil().tolist())
        resized = F.interpolate(logits[:, None], size=(height, width), mode="bicubic", align_corners=False)[:, 0]
        best = resized.flatten(1).argmax(dim=1)
        x, y = (best % width).float(), (best // width).float()
        x, y = (x + 0.5) * (side[0] / width) + low[0], (y + 0.5) * (side[1] / height) + low[1]
        points.append(stack((x, y, x * 0 + 1), dim=1)[None].float())
        scores.append(resized.flatten(1)[arange(len(best), device=best.device), best][None].float())
    return cat(points), cat(scores)


def keypointrcnn_loss(keypoint_logits, proposals, gt_keypoints, keypoint_matched_idxs):
    """The cross entropy of the places of the points that are seen; of lists over images but the first, (n, points, M, M)."""
    count, points, height, width = keypoint_logits.shape
    if height != width:
        raise ValueError("keypoint_logits height and width (last two elements of shape) should be equal. Instead got "
                         f"H = {height} and W = {width}")
    pairs = [keypoints_to_heatmap(own[matched], boxes, height) for boxes, own, matched in zip(proposals, gt_keypoints, keypoint_matched_idxs)]
    targets, valid = (cat([pair[i].reshape(-1) for pair in pairs]) for i in (0, 1))
    valid = where(valid > 0)[0]
    if targets.numel() == 0 or len(valid) == 0:
        return keypoint_logits.sum() * 0
    return F.cross_entropy(keypoint_logits.reshape(count * points, height * width)[valid], targets[valid])


def keypointrcnn_inference(x, boxes):
    """Logits of all boxes, and each image's boxes -> lists of points (n, points, 3) and of their logits (n, points)."""
    return tuple(map(list, zip(*(heatmaps_to_keypoints(own, rois) for own, rois in zip(x.split([len(b) for b in boxes], dim=0), boxes)))))

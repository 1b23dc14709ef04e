"""Values -> TensorBoard's Summary messages.  Arrays are NumPy's."""
import io
import json

import numpy as np
from google.protobuf import struct_pb2
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData

_TINY = 1e-7
_CURVES = 6  # true and false positives, true and false negatives, precision, recall


def scalar(tag, value):
    """One number."""
    return Summary(value=[Summary.Value(tag=tag, simple_value=float(value))])


def text(tag, string):
    """Markdown."""
    kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text", content=b""))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype="DT_STRING", string_val=[string.encode()], tensor_shape=shape)
    return Summary(value=[Summary.Value(tag=f"{tag}/text_summary", metadata=kind, tensor=tensor)])


def default_bins():
    """Edges that grow by a tenth from 1e-12 to 1e20, on both sides of zero."""
    edges, v = [], 1e-12
    while v < 1e20:
        edges.append(v)
        v *= 1.1
    return [-e for e in reversed(edges)] + [0.0] + edges


def histogram(tag, values, bins, max_bins=None):
    """How `values` are spread over `bins` ("tensorflow", a rule or number of numpy.histogram, or edges)."""
    values = np.asarray(values, dtype=np.float64).reshape(-1)
    if values.size == 0:
        raise ValueError("The input has no element.")
    counts, limits = np.histogram(values, bins=default_bins() if isinstance(bins, str) and bins == "tensorflow" else bins)
    if max_bins is not None and len(counts) > max_bins:
        step = -(-len(counts) // max_bins)
        counts = np.add.reduceat(counts, range(0, len(counts), step))
        limits = np.append(limits[:-1:step], limits[-1])
    used = np.flatnonzero(counts)
    first, last = used[0], used[-1] + 1
    counts, limits = counts[first:last], limits[first:last + 1]
    proto = HistogramProto(min=values.min(), max=values.max(), num=values.size, sum=values.sum(), sum_squares=values.dot(values),
                           bucket_limit=[limits[0], *limits[1:]], bucket=[0.0, *counts])
    return Summary(value=[Summary.Value(tag=tag, histo=proto)])


def raw_histogram(tag, **numbers):
    """A histogram that is counted already."""
    return Summary(value=[Summary.Value(tag=tag, histo=HistogramProto(**numbers))])


def to_hwc(array, dataformats):
    """An image, or a batch of images as one grid, as (H, W, 3), from axes named by letters such as "CHW" or "NCHW"."""
    letters = dataformats.upper()
    if len(letters) != array.ndim or len(set(letters)) != len(letters):
        raise AssertionError(f"size of input tensor and input format are different. tensor shape: {array.shape}, input_format: {dataformats}")
    if letters == "HW":
        return np.stack([array] * 3, -1)
    if "N" in letters:
        return _grid(array.transpose([letters.index(c) for c in "NHWC"]))
    image = array.transpose([letters.index(c) for c in "HWC"])
    return np.concatenate([image] * 3, -1) if image.shape[2] == 1 else image


def _grid(images):
    n, h, w, c = images.shape
    columns = min(n, 8)
    rows = -(-n // columns)
    page = np.zeros((rows * h, columns * w, c), images.dtype)
    for i in range(n):
        row, column = divmod(i, columns)
        page[row * h:(row + 1) * h, column * w:(column + 1) * w] = images[i]
    return np.concatenate([page] * 3, -1) if c == 1 else page


def as_bytes(array):
    """Pixels as uint8: floats from 0 to 1 are scaled, bytes stay."""
    return array if array.dtype == np.uint8 else (array.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)


def image(tag, pixels):
    """A picture: uint8 (H, W, C)."""
    return Summary(value=[Summary.Value(tag=tag, image=_encoded([pixels], "PNG"))])


def video(tag, frames, fps):
    """A moving picture: uint8 (T, H, W, C), as a GIF."""
    return Summary(value=[Summary.Value(tag=tag, image=_encoded(frames, "GIF", fps))])


def _encoded(frames, form, fps=4):
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("pictures for TensorBoard need Pillow: pip install pillow") from None
    pictures = [Image.fromarray(f.squeeze(-1) if f.shape[-1] == 1 else f) for f in frames]
    buffer = io.BytesIO()
    moving = dict(save_all=True, append_images=pictures[1:], duration=int(1000 / fps), loop=0) if len(pictures) > 1 else {}
    pictures[0].save(buffer, format=form, **moving)
    height, width, channels = frames[0].shape
    return Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=buffer.getvalue())


def draw_boxes(pixels, boxes, labels=None):
    """uint8 (H, W, 3) with red rectangles (x0, y0, x1, y1) and words above them."""
    from PIL import Image, ImageDraw
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for i, box in enumerate(boxes):
        draw.line([(box[0], box[1]), (box[0], box[3]), (box[2], box[3]), (box[2], box[1]), (box[0], box[1])], fill="red", width=1)
        if labels is not None:
            draw.text((box[0], box[1]), str(labels[i]), fill="red")
    return np.asarray(picture)


def pr_curve(tag, labels, predictions, num_thresholds, weights=None):
    """Precision over recall at `num_thresholds` thresholds; labels are 0 or 1, predictions between them."""
    count = min(num_thresholds, 127)
    weights = np.ones(labels.size) if weights is None else np.asarray(weights, float).reshape(-1)
    place = np.floor(predictions.reshape(-1).astype(float) * (count - 1)).astype(int)
    truth = labels.reshape(-1).astype(float)
    tp, fp = (np.bincount(place, weights=w, minlength=count)[:count][::-1].cumsum()[::-1] for w in (truth * weights, (1 - truth) * weights))
    rows = np.stack([tp, fp, fp[0] - fp, tp[0] - tp, tp / np.maximum(_TINY, tp + fp), tp / np.maximum(_TINY, tp[0])])
    return _curve(tag, rows, count)


def pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, num_thresholds):
    """The same from counts."""
    return _curve(tag, np.stack([tp, fp, tn, fn, precision, recall]), min(num_thresholds, 127))


def _curve(tag, rows, count):
    content = PrCurvePluginData(version=0, num_thresholds=count).SerializeToString()
    kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="pr_curves", content=content))
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=_CURVES), TensorShapeProto.Dim(size=rows.shape[1])])
    tensor = TensorProto(dtype="DT_FLOAT", float_val=rows.reshape(-1).tolist(), tensor_shape=shape)
    return Summary(value=[Summary.Value(tag=tag, metadata=kind, tensor=tensor)])


def custom_scalars(layout):
    """{category: {chart: ["Multiline" or "Margin", [tags]]}} for the page of custom scalars."""
    categories = []
    for category, charts in layout.items():
        made = []
        for title, (kind, tags) in charts.items():
            if kind == "Margin":
                series = layout_pb2.MarginChartContent.Series(value=tags[0], lower=tags[1], upper=tags[2])
                made.append(layout_pb2.Chart(title=title, margin=layout_pb2.MarginChartContent(series=[series])))
            else:
                made.append(layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=tags)))
        categories.append(layout_pb2.Category(title=category, chart=made))
    kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
    tensor = TensorProto(dtype="DT_STRING", string_val=[layout_pb2.Layout(category=categories).SerializeToString()], tensor_shape=TensorShapeProto())
    return Summary(value=[Summary.Value(tag="custom_scalars__config__", metadata=kind, tensor=tensor)])


def hyper_parameters(values, metrics, domains=None):
    """The three Summaries by which TensorBoard lists a run's settings: the experiment, its beginning and its end."""
    infos, begin = [], plugin_data_pb2.SessionStartInfo()
    for name, value in values.items():
        if value is None:
            continue
        info = api_pb2.HParamInfo(name=name, type=_put(begin.hparams[name], name, value))
        if domains and name in domains:
            info.domain_discrete.CopyFrom(struct_pb2.ListValue(values=[_value(v) for v in domains[name]]))
        infos.append(info)
    names = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
    experiment = plugin_data_pb2.HParamsPluginData(experiment=api_pb2.Experiment(hparam_infos=infos, metric_infos=names))
    start = plugin_data_pb2.HParamsPluginData(session_start_info=begin)
    end = plugin_data_pb2.HParamsPluginData(session_end_info=plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS))
    tags = (metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG)
    return [Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(data))])
            for tag, data in zip(tags, (experiment, start, end))]


def _put(slot, name, value):
    if isinstance(value, bool):
        slot.bool_value = value
        return api_pb2.DATA_TYPE_BOOL
    if isinstance(value, (int, float, np.number)):
        slot.number_value = float(value)
        return api_pb2.DATA_TYPE_FLOAT64
    if isinstance(value, str):
        slot.string_value = value
        return api_pb2.DATA_TYPE_STRING
    raise ValueError(f"value should be one of int, float, str, bool, or a tensor of one element, but {name} is a {type(value).__name__}")


def _value(v):
    slot = struct_pb2.Value()
    _put(slot, "a domain", v)
    return slot


def projector_config(folder, tag, metadata_file, sprite, size):
    """One entry of projector_config.pbtxt."""
    lines = [f"tensor_name: {json.dumps(tag)}", f"tensor_path: {json.dumps(folder + '/tensors.tsv')}"]
    if metadata_file:
        lines.append(f"metadata_path: {json.dumps(folder + '/metadata.tsv')}")
    if sprite:
        lines += ["sprite {", f"  image_path: {json.dumps(folder + '/sprite.png')}", f"  single_image_dim: {size[1]}",
                  f"  single_image_dim: {size[0]}", "}"]
    return "embeddings {\n" + "\n".join(f"  {line}" for line in lines) + "\n}\n"

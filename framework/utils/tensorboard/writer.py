"""SummaryWriter, with torch's names and arguments."""
import math
import os
import socket
import time
from datetime import datetime

import numpy as np

from ..._core.tensor import Tensor
from ..._once import say_once
from . import _summaries as make
from ._files import FileWriter

__all__ = ["FileWriter", "SummaryWriter"]


def as_array(x):
    """A NumPy array of a tensor, array, number or list of them."""
    if isinstance(x, (list, tuple)):
        return np.stack([as_array(v) for v in x])
    if isinstance(x, Tensor):
        x = x.detach().cpu()
        return (x.float() if x.dtype.itemsize < 4 and x.is_floating_point() else x).numpy()
    return np.asarray(x)


def as_number(x):
    """A float of a number, or of a tensor or array of one element."""
    array = as_array(x)
    if array.size != 1:
        raise AssertionError(f"scalar should be 0D, but its shape is {array.shape}")
    return float(array.reshape(()))


class SummaryWriter:
    """Writes what a run tells about itself to event files in a folder, for TensorBoard to show.

    log_dir: the folder; default runs/<time>_<host><comment>.  purge_step: forget what an earlier run of this folder wrote for this step
    and later.  max_queue: entries before a write to the disk;  flush_secs: seconds between writes;  filename_suffix: end of file names.
    """

    def __init__(self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120, filename_suffix=""):
        if not log_dir:
            log_dir = os.path.join("runs", f"{datetime.now():%b%d_%H-%M-%S}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.purge_step = purge_step
        self.max_queue, self.flush_secs, self.filename_suffix = max_queue, flush_secs, filename_suffix
        self.file_writer = self.all_writers = None
        self._get_file_writer()
        self.default_bins = make.default_bins()

    def _get_file_writer(self):
        if self.file_writer is None:
            self.file_writer = self._open(self.log_dir)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:
                self.file_writer.add_purge(self.purge_step)
                self.purge_step = None
        return self.file_writer

    def _open(self, folder):
        return FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)

    def _add(self, summary, global_step, walltime):
        self._get_file_writer().add_summary(summary, global_step, walltime)

    def get_logdir(self):
        """The folder."""
        return self.log_dir

    def add_scalar(self, tag, scalar_value, global_step=None, walltime=None, new_style=False, double_precision=False):
        """One number; `walltime` in seconds since 1970."""
        self._add(make.scalar(tag, as_number(scalar_value)), global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Several numbers in one diagram: each gets an event file of its own, in a folder below this one."""
        walltime = time.time() if walltime is None else walltime
        base = self._get_file_writer().get_logdir()
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(base, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self.all_writers:
                self.all_writers[folder] = self._open(folder)
            self.all_writers[folder].add_summary(make.scalar(main_tag, as_number(value)), global_step, walltime)

    def add_tensor(self, tag, tensor, global_step=None, walltime=None):
        """The numbers of a tensor, as a histogram."""
        self.add_histogram(tag, tensor, global_step, walltime=walltime)

    def add_histogram(self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None):
        """How values are spread."""
        self._add(make.histogram(tag, as_array(values), bins, max_bins), global_step, walltime)

    def add_histogram_raw(self, tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts, global_step=None, walltime=None):
        """A histogram that is counted already."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        self._add(make.raw_histogram(tag, min=min, max=max, num=num, sum=sum, sum_squares=sum_squares, bucket_limit=bucket_limits,
                                     bucket=bucket_counts), global_step, walltime)

    def add_image(self, tag, img_tensor, global_step=None, walltime=None, dataformats="CHW"):
        """A picture: bytes, or floats from 0 to 1; the axes are named by `dataformats`."""
        self._add(make.image(tag, make.as_bytes(make.to_hwc(as_array(img_tensor), dataformats))), global_step, walltime)

    def add_images(self, tag, img_tensor, global_step=None, walltime=None, dataformats="NCHW"):
        """Several pictures, as one grid."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_image_with_boxes(self, tag, img_tensor, box_tensor, global_step=None, walltime=None, rescale=1, dataformats="CHW", labels=None):
        """A picture with boxes (N, 4) as (x0, y0, x1, y1), in pixels."""
        pixels = make.as_bytes(make.to_hwc(as_array(img_tensor), dataformats))
        labels = [labels] if isinstance(labels, str) else labels
        self._add(make.image(tag, make.draw_boxes(pixels, as_array(box_tensor), labels)), global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        """A matplotlib figure, or a list of them."""
        several = isinstance(figure, list)
        pages = []
        for f in figure if several else [figure]:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            canvas = FigureCanvasAgg(f)
            canvas.draw()
            pages.append(np.asarray(canvas.buffer_rgba())[..., :3])
            if close:
                from matplotlib import pyplot
                pyplot.close(f)
        if several:
            self.add_images(tag, np.stack(pages), global_step, walltime, "NHWC")
        else:
            self.add_image(tag, pages[0], global_step, walltime, "HWC")

    def add_video(self, tag, vid_tensor, global_step=None, fps=4, walltime=None):
        """Moving pictures (N, T, C, H, W), side by side."""
        frames = as_array(vid_tensor).transpose(1, 0, 2, 3, 4)
        self._add(make.video(tag, np.stack([make.as_bytes(make.to_hwc(f, "NCHW")) for f in frames]), fps), global_step, walltime)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """Markdown."""
        self._add(make.text(tag, text_string), global_step, walltime)

    def add_graph(self, model, input_to_model=None, verbose=False, use_strict_trace=True):
        """Not available: ringgrad records no graph of a module.  Says so once."""
        say_once("add_graph", "SummaryWriter.add_graph writes nothing: ringgrad records no graph of a module")

    def add_onnx_graph(self, prototxt):
        """Not available, as `add_graph`."""
        self.add_graph(None)

    def add_pr_curve(self, tag, labels, predictions, global_step=None, num_thresholds=127, weights=None, walltime=None):
        """Precision over recall: labels 0 or 1, predictions from 0 to 1."""
        self._add(make.pr_curve(tag, as_array(labels), as_array(predictions), num_thresholds, weights), global_step, walltime)

    def add_pr_curve_raw(self, tag, true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision, recall,
                         global_step=None, num_thresholds=127, weights=None, walltime=None):
        """The same from counts."""
        rows = [as_array(x) for x in (true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision, recall)]
        self._add(make.pr_curve_raw(tag, *rows, num_thresholds), global_step, walltime)

    def add_custom_scalars(self, layout):
        """Diagrams of several scalars: {category: {title: ["Multiline" or "Margin", [tags]]}}."""
        self._add(make.custom_scalars(layout), None, None)

    def add_custom_scalars_multilinechart(self, tags, category="default", title="untitled"):
        """One diagram with a line per tag."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(self, tags, category="default", title="untitled"):
        """One diagram with a line between two others: tags are value, lower, upper."""
        if len(tags) != 3:
            raise AssertionError(f"tags must be value, lower and upper, but there are {len(tags)}")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_hparams(self, hparam_dict, metric_dict, hparam_domain_discrete=None, run_name=None, global_step=None):
        """The settings of a run and what came of them, in a run of its own below this one (`run_name`, default the time)."""
        if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        values = {k: as_number(v) if isinstance(v, (Tensor, np.ndarray)) else v for k, v in hparam_dict.items()}
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(folder) as writer:
            for summary in make.hyper_parameters(values, metric_dict, hparam_domain_discrete):
                writer.file_writer.add_summary(summary)
            for tag, value in metric_dict.items():
                writer.add_scalar(tag, value, global_step)

    def add_embedding(self, mat, metadata=None, label_img=None, global_step=None, tag="default", metadata_header=None):
        """Vectors (N, D) for the projector, with words and small pictures (N, C, H, W) for each."""
        matrix = as_array(mat)
        if matrix.ndim != 2:
            raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
        for name, extra in (("labels", metadata), ("images", label_img)):
            if extra is not None and len(extra) != len(matrix):
                raise AssertionError(f"#{name} should equal with #data points: {len(extra)} and {len(matrix)}")
        folder = f"{str(global_step if global_step is not None else 0).zfill(5)}/{tag.translate(str.maketrans('/%', '__'))}"
        base = self._get_file_writer().get_logdir()
        target = os.path.join(base, folder)
        os.makedirs(target, exist_ok=True)
        np.savetxt(os.path.join(target, "tensors.tsv"), matrix, delimiter="\t", fmt="%.8g")
        if metadata is not None:
            self._write_words(os.path.join(target, "metadata.tsv"), metadata, metadata_header)
        size = None
        if label_img is not None:
            size = self._write_sprite(os.path.join(target, "sprite.png"), as_array(label_img))
        with open(os.path.join(base, "projector_config.pbtxt"), "a", encoding="utf-8") as file:
            file.write(make.projector_config(folder, tag if global_step is None else f"{tag}:{str(global_step).zfill(5)}", metadata is not None,
                                             label_img is not None, size))

    def _write_words(self, path, words, header):
        rows = [[str(w) for w in row] if header else [str(row)] for row in words]
        with open(path, "w", encoding="utf-8") as file:
            file.writelines("\t".join(row) + "\n" for row in ([header, *rows] if header else rows))

    def _write_sprite(self, path, images):
        from PIL import Image
        n, _, height, width = images.shape
        side = math.isqrt(n - 1) + 1
        page = np.zeros((side * height, side * width, 3), np.uint8)
        for i in range(n):
            row, column = divmod(i, side)
            page[row * height:(row + 1) * height, column * width:(column + 1) * width] = make.as_bytes(make.to_hwc(images[i], "CHW"))
        Image.fromarray(page).save(path)
        return height, width

    def add_mesh(self, tag, vertices, colors=None, faces=None, config_dict=None, global_step=None, walltime=None):
        """Not built: NotImplementedError."""
        raise NotImplementedError("SummaryWriter.add_mesh is not built in ringgrad; use add_embedding or add_image")

    def flush(self):
        """Write everything to the disk now."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self):
        """Write everything and close the files; using the writer again opens new ones."""
        for writer in (self.all_writers or {}).values():
            writer.flush()
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

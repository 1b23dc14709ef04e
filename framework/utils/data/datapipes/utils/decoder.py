"""From the bytes of a file to what they mean, by the extension of its name."""
import importlib
import io
import json
import os.path
import pickle
import tempfile

import numpy as np

from ....._core.tensor import wrap
from .....serialization import load
from .common import StreamWrapper

__all__ = ["Decoder", "ImageHandler", "MatHandler", "audiohandler", "basichandlers", "extension_extract_fn", "handle_extension", "imagehandler",
           "mathandler", "videohandler"]

_IMAGES = ("jpg", "jpeg", "png", "ppm", "pgm", "pbm", "pnm")
_VIDEOS = ("mp4", "ogv", "mjpeg", "avi", "mov", "h264", "mpg", "webm", "wmv")
_SOUNDS = ("flac", "mp3", "sox", "wav", "m4a", "ogg", "wma")
imagespecs: dict[str, tuple[str, str | None, str]] = {
    f"{prefix}{mode}{bits}": (kind, "uint8" if bits else "float", mode)
    for prefix, kind in (("", "numpy"), ("torch", "torch")) for mode in ("l", "rgb", "rgba") for bits in ("8", "")}
imagespecs.update({"torch": ("torch", "float", "rgb"), "pill": ("pil", None, "l"), "pil": ("pil", None, "rgb"), "pilrgb": ("pil", None, "rgb"),
                   "pilrgba": ("pil", None, "rgba")})


def basichandlers(extension, data):
    """Text (txt, text, transcript), numbers (cls, cls2, class, count, index, inx, id; None where it is none), json, jsn, pickle, pyd, and
    pt files.  None for other extensions.

    Pickles of others can run any code: decode only files that you trust.
    """
    if extension in "txt text transcript":
        return data.decode("utf-8")
    if extension in ("cls", "cls2", "class", "count", "index", "inx", "id"):
        try:
            return int(data)
        except ValueError:
            return None
    if extension in "json jsn":
        return json.loads(data)
    if extension in ("pyd", "pickle"):
        return pickle.loads(data)
    if extension == "pt":
        return load(io.BytesIO(data))
    return None


def handle_extension(extensions, f):
    """A handler that gives `f` the data of keys that end in the first of `extensions` (space separated; "seg.jpg" wants both parts)."""
    wanted = [target.split(".") for target in extensions.lower().split()]

    def handler(key, data):
        parts = key.lower().split(".")
        for target in wanted:
            if len(target) <= len(parts):
                return f(data) if parts[-len(target):] == target else None
        return None
    return handler


def _needed(name, package, what):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModuleNotFoundError(f"Package `{package}` is required to be installed for {what}. Please use `pip install {package}` to install "
                                  "the package") from error


class ImageHandler:
    """Images (jpg, png, ppm and kin) as `imagespec` says: "l8", "rgb8", "rgba8" are uint8 arrays (H, W, C), "l", "rgb", "rgba" float32 arrays in
    [0, 1]; with "torch" in front they are tensors (C, H, W); "pil", "pill", "pilrgb", "pilrgba" are Pillow images.  AssertionError for
    others.  Grey arrays have no C, and grey tensors are refused, as they have none to put first.
    """

    def __init__(self, imagespec):
        if imagespec not in imagespecs:
            raise AssertionError(f"unknown image specification: {imagespec}")
        self.imagespec = imagespec.lower()

    def __call__(self, extension, data):
        if extension.lower() not in _IMAGES:
            return None
        pillow = _needed("PIL.Image", "Pillow", "default image decoder")
        kind, element, mode = imagespecs[self.imagespec]
        with io.BytesIO(data) as stream:
            image = pillow.open(stream)
            image.load()
        image = image.convert(mode.upper())
        if kind == "pil":
            return image
        pixels = np.asarray(image)
        if kind == "torch":
            pixels = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        if element == "float":
            pixels = pixels.astype(np.float32) / np.float32(255)
        return wrap(pixels) if kind == "torch" else pixels


def imagehandler(imagespec):
    """ImageHandler(imagespec)."""
    return ImageHandler(imagespec)


def _through_a_file(extension, data, read):
    """What `read` makes of the data in a temporary file with this extension."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"file.{extension}")
        with open(path, "wb") as file:
            file.write(data)
        return read(path)


def videohandler(extension, data):
    """Videos, by torchvision's `read_video`; None for other extensions.  ModuleNotFoundError without torchvision."""
    if extension not in _VIDEOS:
        return None
    return _through_a_file(extension, data, _needed("torchvision.io", "torchvision", "default video file loader").read_video)


def audiohandler(extension, data):
    """Sounds, by torchaudio's `load`; None for other extensions.  ModuleNotFoundError without torchaudio."""
    if extension not in _SOUNDS:
        return None
    return _through_a_file(extension, data, _needed("torchaudio", "torchaudio", "default audio file loader").load)


class MatHandler:
    """Files of MATLAB (mat), by SciPy's `loadmat` with these arguments.  ModuleNotFoundError without SciPy."""

    def __init__(self, **loadmat_kwargs):
        self.sio = _needed("scipy.io", "scipy", "mat file")
        self.loadmat_kwargs = loadmat_kwargs

    def __call__(self, extension, data):
        if extension != "mat":
            return None
        with io.BytesIO(data) as stream:
            return self.sio.loadmat(stream, **self.loadmat_kwargs)


def mathandler(**loadmat_kwargs):
    """MatHandler(**loadmat_kwargs)."""
    return MatHandler(**loadmat_kwargs)


def extension_extract_fn(pathname):
    """"a/b.tar.gz" -> "gz"; "" where there is none."""
    return os.path.splitext(pathname)[1][1:]


class Decoder:
    """Decodes (path, bytes or stream) pairs with the first handler that knows the key of the path.  key_fn: path -> key."""

    def __init__(self, *handler, key_fn=extension_extract_fn):
        self.handlers, self.key_fn = list(handler), key_fn

    def add_handler(self, *handler):
        """Put handlers before those that there are."""
        self.handlers = [*handler, *self.handlers]

    @staticmethod
    def _is_stream_handle(data):
        return isinstance(data.file_obj if isinstance(data, StreamWrapper) else data, (io.BufferedIOBase, io.RawIOBase))

    def decode1(self, key, data):
        """The decoded data of one key; as it was, where no handler knows it.  A stream is read to its end and closed."""
        if not data:
            return data
        if self._is_stream_handle(data):
            stream, data = data, b"".join(data)
            stream.close()
        decoded = (handler(key, data) for handler in self.handlers)
        return next((d for d in decoded if d is not None), data)

    def decode(self, data):
        """{path: decoded data} of one pair or of several."""
        result = {}
        for path, value in [data] if isinstance(data, tuple) else data or []:
            if path[0] == "_" and isinstance(value, bytes):
                result[path] = value.decode("utf-8")
            else:
                result[path] = self.decode1(self.key_fn(path), value)
        return result

    def __call__(self, data):
        return self.decode(data)

"""One function for images, videos, masks, boxes and Pillow images: the kernel is picked by the type of the first argument."""
import functools
import inspect

import PIL.Image

from ....._core.tensor import Tensor
from .... import tv_tensors
from ..._modes import FROM_PILLOW, InterpolationMode

_FACTS = ("format", "canvas_size", "clamping_mode")  # what a kernel for boxes or points may ask for besides them
BUILT_IN = (tv_tensors.Image, tv_tensors.Video, tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)


def is_pure_tensor(inpt):
    """Whether it is a tensor that does not say what it is of."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, tv_tensors.TVTensor)


def mode_of(interpolation):
    """An InterpolationMode from one, its value, or Pillow's number.  ValueError for anything else."""
    if isinstance(interpolation, str):
        values = [mode.value for mode in InterpolationMode]
        if interpolation not in values:
            raise ValueError(f"Invalid interpolation mode: '{interpolation}'. Supported string values are: {values}.")
        return InterpolationMode(interpolation)
    if isinstance(interpolation, int):
        return FROM_PILLOW[interpolation]
    if not isinstance(interpolation, InterpolationMode):
        raise ValueError("Argument interpolation should be an `InterpolationMode` or a corresponding Pillow integer constant, "
                         f"but got {interpolation}.")
    return interpolation


def kernel_of(functional, kind, passing=False):
    """The kernel for a type.  TypeError where there is none; with `passing` a function that returns its argument."""
    for cls in kind.__mro__:
        if cls in functional.kernels:
            return functional.kernels[cls]
        if cls is tv_tensors.TVTensor:
            break
    if passing:
        return lambda inpt, *args, **kwargs: inpt
    raise TypeError(f"Functional F.{functional.__name__} supports inputs of type {functional.kernels.keys()}, but got {kind} instead.")


def _keeping(kernel):
    """The kernel for tensors that say what they are of: results, one or a tuple, say it too."""
    def call(inpt, *args, **kwargs):
        out = kernel(inpt.as_subclass(Tensor), *args, **kwargs)
        return type(out)(tv_tensors.wrap(part, like=inpt) for part in out) if isinstance(out, (tuple, list)) else tv_tensors.wrap(out, like=inpt)
    return call


def _named(signature, inpt, args, kwargs, kernel):
    """The arguments by name, only those that `kernel` takes."""
    wanted = inspect.signature(kernel).parameters
    given = signature.bind(inpt, *args, **kwargs).arguments
    return {n: v for n, v in list(given.items())[1:] if n in wanted}


def _for_masks(kernel, signature):
    def call(inpt, *args, **kwargs):
        mask = inpt.as_subclass(Tensor)
        return tv_tensors.wrap(kernel(mask, **_named(signature, inpt, args, kwargs, kernel)), like=inpt)
    return call


def _for_places(kernel, signature):
    facts = [n for n in _FACTS if n in inspect.signature(kernel).parameters]

    def call(inpt, *args, **kwargs):
        given = _named(signature, inpt, args, kwargs, kernel)
        out = kernel(inpt.as_subclass(Tensor), **given, **{n: getattr(inpt, n) for n in facts})
        places, canvas = out if isinstance(out, tuple) else (out, inpt.canvas_size)
        return tv_tensors.wrap(places, like=inpt, canvas_size=tuple(canvas))
    return call


def with_channel(kernel):
    """A kernel of images for masks: one of (H, W) gets a channel meanwhile."""
    @functools.wraps(kernel)
    def call(mask, *args, **kwargs):
        return kernel(mask, *args, **kwargs) if mask.ndim > 2 else kernel(mask.unsqueeze(0), *args, **kwargs).squeeze(0)
    return call


def dispatching(name, image, *, pillow_too=True, video=True, mask=None, boxes=None, points=None):
    """The public function `name`.

    image: (image or Pillow image, ...), mask: (mask, ...), boxes: (boxes, format, canvas_size, ...), points: (points, canvas_size, ...) kernels.

    Kernels for masks, boxes and points get those arguments that they have parameters for; without one, the type is refused.
    """
    signature = inspect.signature(image)
    first, *others = signature.parameters.values()

    def call(inpt, *args, **kwargs):
        return kernel_of(call, type(inpt))(inpt, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__, call.__module__ = image.__doc__, __name__.rpartition(".")[0]
    call.__signature__ = signature.replace(parameters=[first.replace(name="inpt"), *others])
    call.kernels = {Tensor: image, tv_tensors.Image: _keeping(image)}
    if pillow_too:
        call.kernels[PIL.Image.Image] = image
    if video:
        call.kernels[tv_tensors.Video] = call.kernels[tv_tensors.Image]
    if mask is not None:
        call.kernels[tv_tensors.Mask] = _for_masks(mask, signature)
    for kind, kernel in ((tv_tensors.BoundingBoxes, boxes), (tv_tensors.KeyPoints, points)):
        if kernel is not None:
            call.kernels[kind] = _for_places(kernel, signature)
    return call


def register_kernel(functional, tv_tensor_cls, find=None):
    """A decorator: its function becomes the kernel of a functional, or of the one of this name, for a subclass of TVTensor of your own."""
    if isinstance(functional, str):
        named = find(functional)
        if named is None:
            raise ValueError(f"Could not find functional with name '{functional}' in torchvision.transforms.v2.functional.")
        functional = named
    elif not hasattr(functional, "kernels"):
        raise ValueError("Kernels can only be registered on functionals from the torchvision.transforms.v2.functional namespace, "
                         f"but got {functional}.")
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, tv_tensors.TVTensor)):
        raise ValueError(f"Kernels can only be registered for subclasses of torchvision.tv_tensors.TVTensor, but got {tv_tensor_cls}.")
    if tv_tensor_cls in BUILT_IN:
        raise ValueError(f"Kernels cannot be registered for the builtin tv_tensor classes, but got {tv_tensor_cls}")
    if tv_tensor_cls in functional.kernels:
        raise ValueError(f"Functional {functional} already has a kernel registered for type {tv_tensor_cls}.")

    def register(kernel):
        functional.kernels[tv_tensor_cls] = kernel
        return kernel
    return register

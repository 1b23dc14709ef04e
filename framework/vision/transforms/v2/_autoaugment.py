"""AutoAugment and its kin, for samples with one image or video."""
import PIL.Image

from ...._core.tensor import Tensor
from ...._functional.creation import linspace
from ....func._tree import flatten, unflatten
from ... import tv_tensors
from .. import _draws
from .. import autoaugment as v1
from .._colors import largest
from .._policies import POLICIES
from . import functional as F
from ._inputs import PICTURES, PLACES, check_type, fill_for, fills_of
from ._transform import Transform

__all__ = ["AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"]


def _negative():
    return _draws.uniform(0, 1) <= 0.5


class _Augmenting(Transform):
    """Base class.  fill: a value, or {type: value}.  TypeError for a sample with boxes or masks, without an image, or with several."""

    def __init__(self, *, interpolation="nearest", fill=None):
        super().__init__()
        self.interpolation, self.fill, self._fill = interpolation, fill, fills_of(fill)

    def forward(self, *inputs):
        flat, spec = flatten(inputs if len(inputs) > 1 else inputs[0])
        found = []
        for i, (x, needed) in enumerate(zip(flat, self._needs_transform_list(flat))):
            if needed and check_type(x, PICTURES):
                found.append(i)
            elif isinstance(x, (tv_tensors.Mask, *PLACES)):
                raise TypeError(f"Inputs of type {type(x).__name__} are not supported by {type(self).__name__}()")
        if not found:
            raise TypeError("Found no image in the sample.")
        if len(found) > 1:
            raise TypeError("Auto augment transformations are only properly defined for a single image or video, "
                            f"but found {len(found)}.")
        flat[found[0]] = self._augmented(flat[found[0]])
        return unflatten(flat, spec)

    def _augmented(self, image):
        for name, magnitude in self._steps(F.get_size(image)):
            image = self._apply(image, name, magnitude)
        return image

    def _apply(self, image, name, magnitude):
        if name == "Solarize":  # its magnitudes are shares of full brightness
            magnitude *= largest(image.dtype) if isinstance(image, Tensor) else 255.0
        return v1.OPERATIONS[name](F, image, magnitude, self.interpolation, fill_for(self._fill, type(image)))

    def _space(self, bins, *size):
        """The magnitudes of version 1, save that solarize's are shares."""
        space = self._v1_transform_cls._augmentation_space(self, bins, *size)
        return {name: (linspace(1.0, 0.0, bins), False) if name == "Solarize" else entry for name, entry in space.items()}


class AutoAugment(_Augmenting):
    """One of 25 learnt pairs of operations, each with its probability and strength.  Cubuk et al. 2018, arXiv:1805.09501."""

    _v1_transform_cls = v1.AutoAugment

    def __init__(self, policy=v1.AutoAugmentPolicy.IMAGENET, interpolation="nearest", fill=None):
        super().__init__(interpolation=interpolation, fill=fill)
        if not isinstance(policy, v1.AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy, self._policies = policy, POLICIES[policy.value]

    def _steps(self, size):
        space, found = self._space(10, size), []
        for name, p, strength in self._policies[_draws.integer(0, len(self._policies))]:
            if _draws.uniform(0, 1) <= p:
                magnitudes, signed = space[name]
                magnitude = float(magnitudes[strength]) if magnitudes.ndim else 0.0
                found.append((name, -magnitude if signed and _negative() else magnitude))
        return found


class RandAugment(_Augmenting):
    """num_ops operations of one strength, `magnitude` out of num_magnitude_bins.  Cubuk et al. 2019, arXiv:1909.13719."""

    _v1_transform_cls = v1.RandAugment

    def __init__(self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation="nearest", fill=None):
        super().__init__(interpolation=interpolation, fill=fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueError(f"num_ops should be a non-negative integer, but got {num_ops} instead.")
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins

    def _steps(self, size):
        space = self._space(self.num_magnitude_bins, size)
        return [v1.random_step(space, lambda n: self.magnitude, _negative) for _ in range(self.num_ops)]


class TrivialAugmentWide(_Augmenting):
    """One operation of any strength, from wide ranges.  Müller & Hutter 2021, arXiv:2103.10158."""

    _v1_transform_cls = v1.TrivialAugmentWide

    def __init__(self, num_magnitude_bins=31, interpolation="nearest", fill=None):
        super().__init__(interpolation=interpolation, fill=fill)
        self.num_magnitude_bins = num_magnitude_bins

    def _steps(self, size):
        return [v1.random_step(self._space(self.num_magnitude_bins), lambda n: _draws.integer(0, n), _negative)]


class AugMix(_Augmenting):
    """The image mixed with chains of operations of it; arguments as in version 1.  Hendrycks et al. 2019, arXiv:1912.02781."""

    _v1_transform_cls = v1.AugMix

    def __init__(self, severity=3, mixture_width=3, chain_depth=-1, alpha=1.0, all_ops=True, interpolation="bilinear", fill=None):
        super().__init__(interpolation=interpolation, fill=fill)
        v1.check_severity(severity)
        self.severity, self.mixture_width, self.chain_depth, self.alpha, self.all_ops = severity, mixture_width, chain_depth, alpha, all_ops

    def _augmented(self, image):
        pixels = F.pil_to_tensor(image) if isinstance(image, PIL.Image.Image) else image.as_subclass(Tensor)
        fill = fill_for(self._fill, type(image))
        space = self._space(v1.SEVERITIES, F.get_size(image))

        def apply(batch, name, magnitude):
            magnitude = magnitude * largest(batch.dtype) if name == "Solarize" else magnitude
            return v1.OPERATIONS[name](F, batch, magnitude, self.interpolation, fill)

        out = v1.mixed(self, pixels, space, apply, _negative, 5 if isinstance(image, tv_tensors.Video) else 4)
        if isinstance(image, PIL.Image.Image):
            return F.to_pil_image(out)
        return tv_tensors.wrap(out, like=image) if isinstance(image, tv_tensors.TVTensor) else out

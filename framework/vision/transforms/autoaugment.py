"""Augmentations whose operations are picked by chance from a list."""
import enum
import math

from ..._core.tensor import Tensor
from ..._functional.creation import arange, linspace, tensor
from ...nn import Module
from . import _draws
from . import functional as F
from ._checks import fill_for, shown
from ._modes import InterpolationMode
from ._policies import POLICIES

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


def _shear(F, img, x, y, interpolation, fill):
    degrees = [math.degrees(math.atan(v)) for v in (x, y)]
    return F.affine(img, angle=0.0, translate=[0, 0], scale=1.0, shear=degrees, interpolation=interpolation, fill=fill, center=[0, 0])


def _move(F, img, x, y, interpolation, fill):
    return F.affine(img, angle=0.0, translate=[int(x), int(y)], scale=1.0, shear=[0.0, 0.0], interpolation=interpolation, fill=fill)


OPERATIONS = {  # name: (functional, image, magnitude, interpolation, fill) -> image
    "ShearX": lambda F, img, m, *how: _shear(F, img, m, 0.0, *how),
    "ShearY": lambda F, img, m, *how: _shear(F, img, 0.0, m, *how),
    "TranslateX": lambda F, img, m, *how: _move(F, img, m, 0, *how),
    "TranslateY": lambda F, img, m, *how: _move(F, img, 0, m, *how),
    "Rotate": lambda F, img, m, interpolation, fill: F.rotate(img, m, interpolation=interpolation, fill=fill),
    "Brightness": lambda F, img, m, *how: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda F, img, m, *how: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda F, img, m, *how: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda F, img, m, *how: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda F, img, m, *how: F.posterize(img, int(m)),
    "Solarize": lambda F, img, m, *how: F.solarize(img, m),
    "AutoContrast": lambda F, img, m, *how: F.autocontrast(img),
    "Equalize": lambda F, img, m, *how: F.equalize(img),
    "Invert": lambda F, img, m, *how: F.invert(img),
    "Identity": lambda F, img, m, *how: img,
}


def apply_operation(img, name, magnitude, interpolation, fill):
    """One operation of the lists, by name.  ValueError for a name that is not there."""
    if name not in OPERATIONS:
        raise ValueError(f"The provided operator {name} is not recognized.")
    return OPERATIONS[name](F, img, magnitude, interpolation, fill)


def strengths(bins, shear, x, y, turn, colour, bits, levels=4):
    """{operation: (magnitudes of each strength or None, whether they have a sign)}.

    shear, x, y (pixels), turn (degrees), colour: the largest magnitudes;  bits, levels: posterize goes from `bits` down to `bits - levels`.
    """
    ranges = {"ShearX": shear, "ShearY": shear, "TranslateX": x, "TranslateY": y, "Rotate": turn}
    ranges.update(dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), colour))
    found = {name: (linspace(0.0, largest, bins), True) for name, largest in ranges.items()}
    found["Posterize"] = bits - (arange(bins) / ((bins - 1) / levels)).round().int(), False
    found["Solarize"] = linspace(255.0, 0.0, bins), False
    return {**found, **{name: (tensor(0.0), False) for name in ("AutoContrast", "Equalize")}}


def _negative():
    return _draws.integer(0, 2)


def random_step(operations, strength, negative=_negative):
    """(name, magnitude): one operation.  strength: (number of strengths) -> index;  negative: whether the sign is, called where there is one."""
    names = list(operations)
    name = names[_draws.integer(0, len(names))]
    magnitudes, signed = operations[name]
    magnitude = float(magnitudes[strength(len(magnitudes))]) if magnitudes.ndim > 0 else 0.0
    return name, -magnitude if signed and negative() else magnitude


def _moved(size):
    """How far AutoAugment moves an image of (height, width): (x, y) pixels."""
    return 150.0 / 331.0 * size[1], 150.0 / 331.0 * size[0]


class AutoAugmentPolicy(enum.Enum):
    """The data sets that AutoAugment was learnt on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class AutoAugment(Module):
    """One of 25 learnt pairs of operations, each with its probability and strength.  Cubuk et al. 2018, arXiv:1805.09501."""

    def __init__(self, policy=AutoAugmentPolicy.IMAGENET, interpolation=InterpolationMode.NEAREST, fill=None):
        super().__init__()
        self.policy, self.interpolation, self.fill = policy, interpolation, fill
        self.policies = self._get_policies(policy)

    def _get_policies(self, policy):
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        return POLICIES[policy.value]

    def _augmentation_space(self, num_bins, image_size):
        return {**strengths(num_bins, 0.3, *_moved(image_size), 30.0, 0.9, 8), "Invert": (tensor(0.0), False)}

    @staticmethod
    def get_params(transform_num):
        """(number of the pair, two numbers from 0 to 1, two signs 0 or 1)."""
        pair, probabilities = _draws.integer(0, transform_num), _draws.uniforms(2)
        return pair, probabilities, tensor([_draws.integer(0, 2), _draws.integer(0, 2)])

    def steps(self, size):
        """[(operation, magnitude), ...] for an image of size (height, width)."""
        number, probabilities, signs = self.get_params(len(self.policies))
        space, found = self._augmentation_space(10, size), []
        for i, (name, p, strength) in enumerate(self.policies[number]):
            if float(probabilities[i]) <= p:
                magnitudes, signed = space[name]
                magnitude = 0.0 if strength is None else float(magnitudes[strength])
                found.append((name, -magnitude if signed and int(signs[i]) == 0 else magnitude))
        return found

    def forward(self, img):
        _, height, width = F.get_dimensions(img)
        fill = fill_for(self.fill, img)
        for name, magnitude in self.steps((height, width)):
            img = apply_operation(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self):
        return shown(self, "policy", "fill")


class RandAugment(Module):
    """num_ops operations of one strength, `magnitude` out of num_magnitude_bins.  Cubuk et al. 2019, arXiv:1909.13719."""

    def __init__(self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None):
        super().__init__()
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def _augmentation_space(self, num_bins, image_size):
        return {"Identity": (tensor(0.0), False), **strengths(num_bins, 0.3, *_moved(image_size), 30.0, 0.9, 8)}

    def steps(self, size):
        """[(operation, magnitude), ...] for an image of size (height, width), each drawn when it is asked for."""
        space = self._augmentation_space(self.num_magnitude_bins, size)
        return [random_step(space, lambda n: self.magnitude) for _ in range(self.num_ops)]

    def forward(self, img):
        _, height, width = F.get_dimensions(img)
        fill = fill_for(self.fill, img)
        for name, magnitude in self.steps((height, width)):
            img = apply_operation(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self):
        return shown(self, "num_ops", "magnitude", "num_magnitude_bins", "interpolation", "fill")


class TrivialAugmentWide(Module):
    """One operation of any strength, from wide ranges.  Müller & Hutter 2021, arXiv:2103.10158."""

    def __init__(self, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None):
        super().__init__()
        self.num_magnitude_bins, self.interpolation, self.fill = num_magnitude_bins, interpolation, fill

    def _augmentation_space(self, num_bins):
        return {"Identity": (tensor(0.0), False), **strengths(num_bins, 0.99, 32.0, 32.0, 135.0, 0.99, 8, levels=6)}

    def steps(self, size):
        """[(operation, magnitude)]; the ranges do not depend on the size."""
        return [random_step(self._augmentation_space(self.num_magnitude_bins), lambda n: _draws.integer(0, n))]

    def forward(self, img):
        fill = fill_for(self.fill, img)
        for name, magnitude in self.steps(F.get_dimensions(img)[1:]):
            img = apply_operation(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self):
        return shown(self, "num_magnitude_bins", "interpolation", "fill")


SEVERITIES = 10


def check_severity(severity):
    """ValueError unless AugMix has operations of this strength."""
    if not 1 <= severity <= SEVERITIES:
        raise ValueError(f"The severity must be between [1, {SEVERITIES}]. Got {severity} instead.")


def mixed(options, img, space, apply, negative=_negative, ndim=4):
    """AugMix of a tensor.  options: the transform;  apply: (batch of `ndim` dimensions, operation, magnitude) -> batch."""
    batch = img.reshape(*[1] * max(ndim - img.ndim, 0), *img.shape)
    per_image = (len(batch), *[1] * (batch.ndim - 1))
    share = _draws.dirichlet(options.alpha, 2, len(batch)).to(img.device)
    weights = _draws.dirichlet(options.alpha, options.mixture_width, len(batch)).to(img.device) * share[:, 1:]
    out = share[:, 0].reshape(per_image) * batch
    for i in range(options.mixture_width):
        chain = batch
        for _ in range(options.chain_depth if options.chain_depth > 0 else _draws.integer(1, 4)):
            chain = apply(chain, *random_step(space, lambda n: _draws.integer(0, options.severity), negative))
        out = out + weights[:, i].reshape(per_image) * chain
    return out.reshape(img.shape).to(img.dtype)


class AugMix(Module):
    """The image mixed with mixture_width chains of operations of it.  Hendrycks et al. 2019, arXiv:1912.02781.

    severity: the largest strength, 1 to 10;  chain_depth: length of a chain, by chance 1 to 3 when it is not positive;
    alpha: of the distributions of the shares;  all_ops: with the changes of colour.
    """

    def __init__(self, severity=3, mixture_width=3, chain_depth=-1, alpha=1.0, all_ops=True, interpolation=InterpolationMode.BILINEAR, fill=None):
        super().__init__()
        check_severity(severity)
        self.severity, self.mixture_width, self.chain_depth, self.alpha, self.all_ops = severity, mixture_width, chain_depth, alpha, all_ops
        self.interpolation, self.fill = interpolation, fill

    def _augmentation_space(self, num_bins, image_size):
        found = strengths(num_bins, 0.3, image_size[1] / 3.0, image_size[0] / 3.0, 30.0, 0.9, 4)
        colours = {name: found.pop(name) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
        return {**found, **colours} if self.all_ops else found

    def forward(self, orig_img):
        fill = fill_for(self.fill, orig_img)
        img = orig_img if isinstance(orig_img, Tensor) else F.pil_to_tensor(orig_img)
        space = self._augmentation_space(SEVERITIES, img.shape[-2:])
        out = mixed(self, img, space, lambda batch, name, m: apply_operation(batch, name, m, self.interpolation, fill))
        return out if isinstance(orig_img, Tensor) else F.to_pil_image(out)

    def __repr__(self):
        return shown(self, "severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation", "fill")

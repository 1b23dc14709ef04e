"""The functions that build models on a network which has published weights of its own."""
import functools
import warnings

from ._build import agreed, chosen_weights, register_model
from ._weights import weights_of

__all__ = ["builder_on"]

_UNSAID = object()


def builder_on(backbone, classes, by_default="IMAGENET1K_V1", loaded=None):
    """Decorator of make(num_classes, weights, weights_backbone, progress, **options) -> model: lists it, and reads its weights.

    backbone: the function that builds the network below;  classes: how many where nothing is said;  by_default: the weights of the network below
    where nothing is said, or None;  loaded: called with the model and its weights once these are read.  Weights of the whole model leave those
    of the network below aside.  The old `pretrained` and `pretrained_backbone` warn.
    """
    def decorate(make):
        enumeration, bodies = weights_of(make.__name__), backbone.weights

        @functools.wraps(make)
        def build(*args, weights=None, progress=True, num_classes=None, weights_backbone=_UNSAID, **options):
            chosen = chosen_weights(enumeration, args, weights, options)
            if "pretrained_backbone" in options:
                warnings.warn("The parameter 'pretrained_backbone' is deprecated since torchvision 0.13, please use 'weights_backbone' instead.",
                              UserWarning, stacklevel=2)
                weights_backbone = (by_default or "IMAGENET1K_V1") if options.pop("pretrained_backbone") else None
            body = bodies.verify(by_default if weights_backbone is _UNSAID else weights_backbone)
            if chosen is not None:
                body, num_classes = None, agreed("num_classes", {} if num_classes is None else {"num_classes": num_classes},
                                                 len(chosen.meta["categories"]))
            model = make(num_classes=classes if num_classes is None else num_classes, weights=chosen, weights_backbone=body, progress=progress,
                         **options)
            if chosen is not None:
                model.load_state_dict(chosen.get_state_dict(progress=progress, check_hash=True))
                if loaded is not None:
                    loaded(model, chosen)
            return model
        build.weights = enumeration
        return register_model()(build)
    return decorate

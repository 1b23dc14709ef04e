"""The functions that build models, and the list of them."""
import fnmatch
import functools
import inspect
import warnings

from ._weights import weights_of

__all__ = ["get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models", "register_model"]

BUILDERS = {}


def builder(make, rename=None, published=None):
    """Decorator of a function make(**options) -> model: lists it, and gives it `weights` and `progress`.

    rename: makes today's keys of those of the published files;  published: of the options, makes those that the file fits, and a function that
    gives the model, once it is loaded, the form that was asked for.

    The old `pretrained=True`, also as the first positional argument, means the first weights, and warns.
    """
    enumeration = weights_of(make.__name__)

    @functools.wraps(make)
    def build(*args, weights=None, progress=True, **options):
        chosen = chosen_weights(enumeration, args, weights, options)
        if chosen is not None:
            if chosen.meta["categories"] is not None:
                options["num_classes"] = agreed("num_classes", options, len(chosen.meta["categories"]))
            if "image_size" in inspect.signature(make).parameters:
                options["image_size"] = agreed("image_size", options, chosen.meta["min_size"][0])
            if make.__name__.startswith("vgg"):
                options["init_weights"] = False
        finish = None
        if chosen is not None and published is not None:
            options, finish = published(options)
        model = make(**options)
        if chosen is not None:
            state = chosen.get_state_dict(progress=progress, check_hash=True)
            model.load_state_dict(state if rename is None else rename(state))
        if finish is not None:
            finish(model)
        return model
    build.weights = enumeration
    return register_model()(build)


def register_model(name=None):
    """Decorator of a function that builds a model: lists it under `name`, its own unless given.  ValueError for a name that is taken."""
    def wrapper(fn):
        key = fn.__name__ if name is None else name
        if key in BUILDERS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILDERS[key] = fn
        return fn
    return wrapper


def chosen_weights(enumeration, args, weights, options):
    """The member of `enumeration` that is asked for, or None.  args: what came before the named arguments;  options: loses the old `pretrained`."""
    if len(args) > 1:
        raise TypeError(f"models take at most one positional argument, their weights, and got {len(args)}")
    old = [*args, *([options.pop("pretrained")] if "pretrained" in options else [])]
    if not old:
        return enumeration.verify(weights)
    if not isinstance(old[0], (bool, int)):
        return enumeration.verify(old[0])
    warnings.warn("The parameter 'pretrained' is deprecated since torchvision 0.13, please use 'weights' instead.", UserWarning, stacklevel=4)
    return next(iter(enumeration)) if old[0] else None


def agreed(name, options, expected):
    """`expected`, which options[name] must be if it is given; ValueError otherwise."""
    if options.get(name, expected) != expected:
        raise ValueError(f"The parameter '{name}' expected value {expected} but got {options[name]} instead.")
    return expected


def list_models(module=None, include=None, exclude=None):
    """The names of the models, sorted.  include, exclude: patterns such as "resnet*", one or several;  module: only those defined in it."""
    names = {n for n, b in BUILDERS.items() if module is None or b.__module__.rsplit(".", 1)[0] == module.__name__}
    if include:
        names = {n for pattern in _several(include) for n in fnmatch.filter(names, pattern)}
    for pattern in _several(exclude or ()):
        names -= set(fnmatch.filter(names, pattern))
    return sorted(names)


def _several(patterns):
    return [patterns] if isinstance(patterns, str) else list(patterns)


def get_model_builder(name):
    """The function that builds the model of this name.  ValueError for a name that is not there."""
    found = BUILDERS.get(name.lower())
    if found is None:
        raise ValueError(f"Unknown model {name}; there are {', '.join(sorted(BUILDERS))}")
    return found


def get_model(name, **config):
    """The model of this name, built with these arguments."""
    return get_model_builder(name)(**config)


def get_model_weights(name):
    """The enumeration of the weights of a model, given its name or its function."""
    build = get_model_builder(name) if isinstance(name, str) else name
    if not hasattr(build, "weights"):
        raise ValueError(f"{build.__name__} has no enumeration of weights")
    return build.weights


def get_weight(name):
    """A member of an enumeration of weights by its full name, such as "ResNet50_Weights.DEFAULT".  ValueError for one that is not there."""
    enumeration, _, member = name.partition(".")
    found = next((b.weights for b in BUILDERS.values() if hasattr(b, "weights") and b.weights.__name__ == enumeration), None)
    if found is None or member not in found.__members__:
        raise ValueError(f"Invalid weight name provided: '{name}'." if "." not in name else f"The weight enum '{name}' is not there.")
    return found[member]

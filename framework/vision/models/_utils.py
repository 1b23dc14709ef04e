"""What programs that build on the models take from torchvision's file of this name."""
from collections import OrderedDict

from ... import nn
from .mobilenetv2 import _make_divisible

__all__ = ["IntermediateLayerGetter", "_make_divisible"]


class IntermediateLayerGetter(nn.ModuleDict):
    """The outputs of some of a model's direct parts, which are called in the order of their registration: an OrderedDict of features.

    return_layers: {name of a part: name of its output}.  Parts behind the last of them are left out.  ValueError for a name that is not a part.
    """

    _version = 2

    def __init__(self, model, return_layers):
        parts = dict(model.named_children())
        if not set(return_layers) <= set(parts):
            raise ValueError(f"return_layers are not present in model: {', '.join(sorted(set(return_layers) - set(parts)))}; there are "
                             f"{', '.join(parts)}")
        wanted = {str(k): str(v) for k, v in return_layers.items()}
        last = max(list(parts).index(name) for name in wanted) if wanted else -1
        super().__init__(OrderedDict(list(parts.items())[:last + 1]))
        self.return_layers = wanted

    def forward(self, x):
        out = OrderedDict()
        for name, part in self.items():
            x = part(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out

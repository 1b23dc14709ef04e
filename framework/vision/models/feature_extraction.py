"""Features from within a network, by the names of its parts.

torchvision traces a network to find them; here hooks listen to the parts while the network runs, so that a name is that of a part, or, for the
second and further calls of the same part, that name with _1, _2, ...  The results of functions and operators between the parts have no names.
"""
from collections import Counter, OrderedDict

from ... import nn

__all__ = ["create_feature_extractor", "get_graph_node_names"]


class _Done(Exception):  # noqa: N818 - not an error: all features are there
    """Ends a network's pass when nothing further is asked for."""


class FeatureExtractor(nn.Module):
    """model(...) as far as it is needed, and the outputs of some of its parts: an OrderedDict, in the order in which they come.

    The parts are the model's own, under its names.  train_names, eval_names: {name of a part: name of its output}, for each mode.
    """

    def __init__(self, model, train_names, eval_names):
        super().__init__()
        self.__dict__["_model"] = model  # not a part: its parts are ours, under the same names
        self._modules, self._parameters, self._buffers = model._modules, model._parameters, model._buffers
        self.training, self.return_nodes = model.training, {True: train_names, False: eval_names}

    def train(self, mode=True):
        """Also of the model itself."""
        self._model.training = mode
        return super().train(mode)

    def forward(self, *args, **kwargs):
        names, calls, found = self.return_nodes[self.training], Counter(), OrderedDict()

        def listen(path):
            def hook(module, inputs, output):
                call = path if not calls[path] else f"{path}_{calls[path]}"
                calls[path] += 1
                if call in names:
                    found[names[call]] = output
                    if len(found) == len(names):
                        raise _Done
            return hook
        handles = [module.register_forward_hook(listen(path)) for path, module in self._model.named_modules() if path]
        try:
            self._model.forward(*args, **kwargs)
        except _Done:
            return found
        finally:
            for handle in handles:
                handle.remove()
        raise ValueError(f"the network ended without {', '.join(n for n in names if names[n] not in found)}; names are those of its parts, with _1 "
                         "for a part's second call")


def get_graph_node_names(model, tracer_kwargs=None, suppress_diff_warning=False, concrete_args=None):
    """(names for training, names for evaluation): here the same, those of the parts without parts of their own, in the order of registration."""
    names = [path for path, module in model.named_modules() if path and not any(True for _ in module.children())]
    return names, list(names)


def create_feature_extractor(model, return_nodes=None, train_return_nodes=None, eval_return_nodes=None, tracer_kwargs=None,
                             suppress_diff_warning=False, concrete_args=None):
    """A module whose output is an OrderedDict of what parts of the model give.

    return_nodes: {name of a part, such as "layer2" or "layer4.1.relu_1": name of its output}, or a list of names;  train_return_nodes,
    eval_return_nodes: such, for each mode, in its place.  ValueError for a name that is not a part.
    """
    if return_nodes is None and (train_return_nodes is None or eval_return_nodes is None):
        raise ValueError("Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, should be specified")
    if return_nodes is not None and (train_return_nodes is not None or eval_return_nodes is not None):
        raise ValueError("If `train_return_nodes` and `eval_return_nodes` are specified, `return_nodes` should not be")
    parts, both = {path for path, _ in model.named_modules()} - {""}, []
    for nodes in (return_nodes, return_nodes) if return_nodes is not None else (train_return_nodes, eval_return_nodes):
        names = {str(k): str(v) for k, v in nodes.items()} if isinstance(nodes, dict) else {str(n): str(n) for n in nodes}
        for name in names:
            stem, _, number = name.rpartition("_")
            if name not in parts and not (stem in parts and number.isdigit()):
                raise ValueError(f"node: '{name}' is not present in model. Only outputs of its parts are to be had here, not those of functions and "
                                 "operators between them; get_graph_node_names lists them")
        both.append(names)
    return FeatureExtractor(model, *both)

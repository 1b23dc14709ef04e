"""Spectral normalisation through a forward pre-hook, the form of before there were parametrizations.  Miyato et al. 2018, arXiv:1802.05957."""
from ..._core.modes import no_grad
from ..parameter import Parameter, is_lazy
from ._power_iteration import as_matrix, check_iterations, output_dim, random_unit, step


class SpectralNorm:
    """The hook: before each forward pass, weight = weight_orig / its largest singular value; in training after a step of power iteration.

    The buffers `<name>_u` and `<name>_v` are the singular vectors as far as they are known.
    """

    _version = 1  # in the state dict's metadata; 1 added v

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        check_iterations(n_power_iterations)
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def reshape_weight_to_matrix(self, weight):
        """(outputs, everything else)"""
        return as_matrix(weight, self.dim)

    def compute_weight(self, module, do_power_iteration):
        """The normalised weight.  do_power_iteration: first bring u and v, in place, nearer to the singular vectors."""
        weight, u, v = (getattr(module, f"{self.name}_{what}") for what in ("orig", "u", "v"))
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    step(v, matrix.t(), u, self.eps)
                    step(u, matrix, v, self.eps)
                u, v = u.clone(), v.clone()  # a later forward pass changes the buffers, and this one's backward needs them
        return weight / u.dot(matrix.mv(v))

    def remove(self, module):
        """Make the weight of now an ordinary parameter."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for what in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + what)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    def _solve_v_and_rescale(self, matrix, u, target_sigma):
        """v with u = normalised(W v) and u W v = target_sigma."""
        v = (matrix.t().mm(matrix).pinverse().mm(matrix.t())).mv(u)
        return v.mul_(target_sigma / u.dot(matrix.mv(v)))

    @staticmethod
    def apply(module, name, n_power_iterations, dim, eps):
        """Put `<name>_orig`, a parameter, and the buffers in the place of the weight, and register the hooks."""
        if any(isinstance(h, SpectralNorm) and h.name == name for h in module._forward_pre_hooks.values()):
            raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
        hook, weight = SpectralNorm(name, n_power_iterations, dim, eps), module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if is_lazy(weight):
            raise ValueError("The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy forward "
                             "before applying spectral normalization")
        with no_grad():
            h, w = hook.reshape_weight_to_matrix(weight).shape
            u, v = random_unit(weight, h, eps), random_unit(weight, w, eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)  # a plain attribute, for whoever looks at the weight before the first pass
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        module._register_load_state_dict_pre_hook(SpectralNormLoadStateDictPreHook(hook))
        return hook


class SpectralNormLoadStateDictPreHook:
    """Computes v for state dicts of version 0, which have the normalised weight in its place."""

    def __init__(self, fn):
        self.fn = fn

    def __call__(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        version = local_metadata.get("spectral_norm", {}).get(f"{self.fn.name}.version")
        key = prefix + self.fn.name
        if version is not None and version >= 1:
            return
        if version is None and key not in state_dict and all(key + what in state_dict for what in ("_orig", "_u", "_v")):
            return  # a new one that somebody made without metadata
        missing = [key + what for what in ("_orig", "", "_u") if key + what not in state_dict]
        if missing:
            missing_keys.extend(missing if strict else [])
            return
        with no_grad():
            original, weight = state_dict[f"{key}_orig"], state_dict.pop(key)
            matrix = self.fn.reshape_weight_to_matrix(original)
            state_dict[f"{key}_v"] = self.fn._solve_v_and_rescale(matrix, state_dict[f"{key}_u"], (original / weight).mean())


class SpectralNormStateDictHook:
    """Writes the version into the metadata of state dicts."""

    def __init__(self, fn):
        self.fn = fn

    def __call__(self, module, state_dict, prefix, local_metadata):
        versions = local_metadata.setdefault("spectral_norm", {})
        key = f"{self.fn.name}.version"
        if key in versions:
            raise RuntimeError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.fn._version


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide the weight by its largest singular value, before each forward pass.  `parametrizations.spectral_norm` is the newer form.

    n_power_iterations: per forward pass in training;  dim: the weight's dimension of outputs (None: 1 for transposed convolutions, else 0).
    """
    SpectralNorm.apply(module, name, n_power_iterations, output_dim(module, dim), eps)
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo `spectral_norm`, keeping the weight's values."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            break
    else:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    for hooks, cls in ((module._state_dict_hooks, SpectralNormStateDictHook), (module._load_state_dict_pre_hooks, SpectralNormLoadStateDictPreHook)):
        for key in [k for k, h in hooks.items() if isinstance(h, cls) and h.fn.name == name]:
            del hooks[key]
    return module


__all__ = ["SpectralNorm", "SpectralNormLoadStateDictPreHook", "SpectralNormStateDictHook", "remove_spectral_norm", "spectral_norm"]

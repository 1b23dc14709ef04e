"""`GradScaler`: losses times a large number, so that small float16 gradients do not vanish."""
import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum

from .. import cuda
from .._core.modes import no_grad
from .._core.tensor import Tensor
from .._dtypes import float16, float32, int32
from .._functional.creation import full
from .._state import state
from ..optim._captured import step_unless
from ._scale_ops import _amp_foreach_non_finite_check_and_unscale_, _amp_update_scale_

__all__ = ["GradScaler", "OptState"]


class OptState(Enum):
    """What was done with an optimizer since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh_state():
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class _OnDevices:
    """Copies of a scalar tensor, one per device, made when first asked for."""

    def __init__(self, tensor):
        self.tensor, self.copies = tensor, {}

    def on(self, device):
        if device not in self.copies:
            self.copies[device] = self.tensor.to(device=device, copy=True)
        return self.copies[device]


class GradScaler:
    """Scales a loss up and its gradients down again, and leaves out steps whose gradients overflowed.

        scaler.scale(loss).backward()
        scaler.step(optimizer)     # divides the gradients by the scale; steps unless one is inf or nan
        scaler.update()

    device: "cuda" or "cpu";  init_scale: the first scale;  growth_factor: what it is multiplied by after `growth_interval` steps in a row
    without overflow;  backoff_factor: after an overflow;  enabled=False: every method passes through.  Scale and count live on the device.
    """

    def __init__(self, device="cuda", init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        self._device, self._enabled = device, enabled
        if device == "cuda" and enabled and not cuda.is_available():
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            self._enabled = False
        if self._enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
            self._init_scale, self._init_growth_tracker = init_scale, 0
            self._scale = self._growth_tracker = None  # tensors, made on the device of the first loss
            self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
            self._per_optimizer_states = defaultdict(_fresh_state)

    def _tensors(self, asker):
        """(scale, count of good steps); AssertionError before anything was scaled."""
        fix = "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."
        for name in ("_scale", "_growth_tracker"):
            if getattr(self, name) is None:
                raise AssertionError(f"Attempted {asker} but {name} is None.  {fix}")
        return self._scale, self._growth_tracker

    def scale(self, outputs):
        """`outputs`, a tensor or an iterable of them, times the scale."""
        if not self._enabled:
            return outputs
        if state.stepper is not None:
            state.stepper.sees_scaler(self)
        replicas = []

        def scaled(value):
            if isinstance(value, Tensor):
                if self._scale is None:
                    self._scale = full((), self._init_scale, dtype=float32, device=value.device)
                    self._growth_tracker = full((), self._init_growth_tracker, dtype=int32, device=value.device)
                if not replicas:
                    replicas.append(_OnDevices(self._scale))
                return value * replicas[0].on(value.device)
            if isinstance(value, Iterable):
                return type(value)(map(scaled, value)) if isinstance(value, (list, tuple)) else map(scaled, value)
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")
        return scaled(outputs)

    def unscale_(self, optimizer):
        """Divide the gradients of `optimizer` by the scale, before clipping them, say; `step` does it otherwise.

        RuntimeError for a second time before `update`, or after `step`.  ValueError for float16 gradients.
        """
        if not self._enabled:
            return
        scale, _ = self._tensors("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, scale.double().reciprocal().float(), allow_fp16=False)
        state["stage"] = OptState.UNSCALED

    @no_grad()
    def _unscale_grads_(self, optimizer, inv_scale, allow_fp16):
        """Multiply the gradients by inv_scale.  Returns {device: 1 where one of them was not finite, else 0}."""
        factors, found = _OnDevices(inv_scale), _OnDevices(full((), 0.0, dtype=float32, device=inv_scale.device))
        by_place = defaultdict(list)
        for group in optimizer.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.dtype is float16 and not allow_fp16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                if g.is_sparse:
                    if g.dtype is float16:
                        p.grad = g = g.coalesce()
                    g = g._values()
                by_place[g.device].append(g)
        for device, gradients in by_place.items():
            _amp_foreach_non_finite_check_and_unscale_(gradients, found.on(device), factors.on(device))
        return found.copies

    def _check_inf_per_device(self, optimizer):
        scale, _ = self._tensors("_check_inf_per_device")
        state = self._per_optimizer_states[id(optimizer)]
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, full((), 1.0, dtype=float32, device=scale.device), allow_fp16=True)
        return state["found_inf_per_device"]

    def _found_inf_per_device(self, optimizer):
        return self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]

    def step(self, optimizer, *args, **kwargs):
        """`unscale_` if that was not done, then optimizer.step(*args, **kwargs) unless a gradient is inf or nan.  Returns what it returned.

        An optimizer with fused=True gets the scale and the finding as its attributes and does both itself.
        RuntimeError for a closure, and for a second step before `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._tensors("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._step_itself(optimizer, state, args, kwargs)
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if not state["found_inf_per_device"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = self._maybe_opt_step(optimizer, state, *args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def _maybe_opt_step(self, optimizer, optimizer_state, *args, **kwargs):
        findings = optimizer_state["found_inf_per_device"]
        if state.capture is not None:
            return step_unless(sum(f.to(self._scale.device) for f in findings.values()), optimizer, args, kwargs)
        if sum(found.item() for found in findings.values()):
            return None
        return optimizer.step(*args, **kwargs)

    def _step_itself(self, optimizer, state, args, kwargs):
        """A step of an optimizer that handles the scale by itself."""
        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            warnings.warn("GradScaler is going to stop passing itself as a keyword argument to the passed optimizer. In the near future "
                          "GradScaler registers `grad_scale: Tensor` and `found_inf: Tensor` to the passed optimizer and let the optimizer "
                          "use them directly.", FutureWarning, stacklevel=3)
            result = optimizer.step(*args, **kwargs, grad_scaler=self)
            state["stage"] = OptState.STEPPED
            return result
        if state["stage"] is OptState.READY:
            self._check_inf_per_device(optimizer)
        own = getattr(optimizer, "grad_scale", None)
        optimizer.grad_scale = own if state["stage"] is OptState.UNSCALED else self._scale if own is None else self._scale * own
        optimizer.found_inf = sum(found.to(self._scale.device) for found in state["found_inf_per_device"].values())
        result = optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        del optimizer.grad_scale, optimizer.found_inf
        return result

    @no_grad()
    def update(self, new_scale=None):
        """Lower the scale after an overflow, raise it after enough good steps; or set it to new_scale (a number or tensor).

        Once per iteration, after the last `step`.
        """
        if not self._enabled:
            return
        scale, tracker = self._tensors("update")
        if new_scale is not None:
            self._set_scale(new_scale)
        else:
            found = [f.to(scale.device) for state in self._per_optimizer_states.values() for f in state["found_inf_per_device"].values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            _amp_update_scale_(scale, tracker, sum(found[1:], found[0]), self._growth_factor, self._backoff_factor, self._growth_interval)
        self._per_optimizer_states = defaultdict(_fresh_state)

    def _begin_iteration(self):
        """Forget what was unscaled and stepped, as after `update`: a captured step that came to nothing."""
        self._per_optimizer_states = defaultdict(_fresh_state)

    def _set_scale(self, new_scale):
        if isinstance(new_scale, float):
            self._scale.fill_(new_scale)
            return
        if new_scale.device.type != self._device or new_scale.numel() != 1 or new_scale.requires_grad:
            raise AssertionError("new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with "
                                 "requires_grad=False.")
        self._scale.copy_(new_scale)

    def _get_scale_async(self):
        return self._scale

    def get_scale(self):
        """The scale as a Python float (the host waits for the device); 1.0 when disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def get_growth_factor(self):
        """What the scale is multiplied by when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Change what the scale is multiplied by when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """What the scale is multiplied by after an overflow."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Change what the scale is multiplied by after an overflow."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """After how many good steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Change after how many good steps in a row the scale grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self):
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()

    def is_enabled(self):
        """Whether losses are scaled at all."""
        return self._enabled

    def state_dict(self):
        """scale, growth_factor, backoff_factor, growth_interval and _growth_tracker as Python numbers; empty when disabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._get_growth_tracker()}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned; nothing when disabled.  RuntimeError for the empty dict of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.")
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self):
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError("A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                                     "scaler.update().")
            state.update(_init_scale=self.get_scale(), _init_growth_tracker=self._get_growth_tracker(), _scale=None, _growth_tracker=None)
        return state

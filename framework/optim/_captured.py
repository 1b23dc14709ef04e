"""What a step that is captured in a CUDA graph needs to know of optimizers, schedules and loss scalers, found out while it runs.

`compiler/_captured_step.py` puts a Record into `state.stepper` for the length of a step.  Optimizers announce themselves in `step`, schedules in
theirs, loss scalers in `scale`; nobody has to list them.  While there is a Record, step counts live on the device, and numbers that a replay must
see change (learning rates above all) are read from device memory, which the Record brings up to date before each replay.
"""
import numpy as np

from .._backends import of_array
from .._backends.uploads import upload
from .._core.tensor import Tensor, wrap
from .._state import state

FOLLOWED = ("lr", "momentum", "betas", "eps", "weight_decay")  # options that a step in one launch reads from device memory
NO_OPTIONS = ("params", "param_names", "initial_lr")


class Record:
    """What one compiled step has touched so far.

    optimizers, scalers    in the order of their first use
    leaves                 what got a gradient in the last run, whether an optimizer steps in it or not
    """

    def __init__(self):
        self.optimizers, self.scalers = [], []
        self.begin_run()

    def begin_run(self, arguments=()):
        """A run of the step begins, which may be the one that is captured.  Its arguments are nobody's parameters."""
        self.leaves, self._arguments = [], {id(a) for a in arguments if isinstance(a, Tensor)}
        self.schedules, self._refreshers, self._stepped, self._lent, self._one_launch = [], [], [], [], set()

    # -- what others call --------------------------------------------------------------------------------------------------

    def begin(self, optimizer):
        """An optimizer's step begins.  In a capture, rates that a rule would take as a number become device scalars until `end`."""
        if not any(o is optimizer for o in self.optimizers):
            self.optimizers.append(optimizer)
        self._stepped.append(optimizer)
        if state.capture is not None:
            for group in optimizer.param_groups:
                if in_one_launch(optimizer, group):
                    self._one_launch.add(id(group))
                elif isinstance(group.get("lr"), (int, float)):
                    self._lend_rate(group)

    def _lend_rate(self, group):
        p = next((p for p in group["params"] if p.grad is not None), None)
        if p is None or type(p._data) is np.ndarray:
            return
        rate, backend = group["lr"], of_array(p._data)
        with backend.on_device_of(p._data):
            scalar = upload(backend.xp, np.full((1,), rate, np.float64 if p._data.dtype == np.float64 else np.float32))
        held = [rate]

        def refresh():
            if group["lr"] != held[0]:
                held[0] = group["lr"]
                scalar.fill(held[0])
        self.before_replays(refresh)
        self._lent.append((group, rate))
        group["lr"] = wrap(scalar.reshape(()))

    def end(self, optimizer):
        """An optimizer's step has ended, well or badly."""
        for group, rate in self._lent:
            group["lr"] = rate
        self._lent = []

    def before_replays(self, refresh):
        """Call refresh() before each replay of what is being captured."""
        if state.capture is not None:
            self._refreshers.append(refresh)

    def postpones(self, schedule, arguments):
        """Whether a call of schedule.step waits for the replays: in a capture it does, before or after them as it stands in the step."""
        if state.capture is None:
            return False
        before = not any(o is schedule.optimizer for o in self._stepped)
        self.schedules.append((schedule, arguments, before))
        return True

    def sees_leaves(self, leaves):
        """A backward pass has ended that may have given these tensors gradients."""
        known = {id(p) for p in self.leaves} | self._arguments
        self.leaves += [p for p in leaves if id(p) not in known]

    def sees_scaler(self, scaler):
        """A loss scaler is used."""
        if not any(s is scaler for s in self.scalers):
            self.scalers.append(scaler)

    # -- what the compiled step calls --------------------------------------------------------------------------------------

    def taken(self):
        """What each replay of the run that was captured has to do on the host."""
        return Replays(self.schedules, self._refreshers, self._stepped, self._one_launch, self.leaves)

    def parameters(self):
        """All parameters of the optimizers, and what else got a gradient in the last run."""
        stepped = [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]
        known = {id(p) for p in stepped}
        return stepped + [p for p in self.leaves if id(p) not in known]

    def state_keys(self):
        """{(optimizer's number, parameter): names of its state}: what must be there before a step is captured."""
        return {(i, p): set(entry) for i, optimizer in enumerate(self.optimizers) for p, entry in optimizer.state.items() if isinstance(p, Tensor)}

    def forget_new_state(self, known):
        """Take away state that was made since `known`.  Returns whether there was any."""
        new = [(i, p, names - known.get((i, p), set())) for (i, p), names in self.state_keys().items()]
        for i, p, names in new:
            entry = self.optimizers[i].state[p]
            for name in names:
                del entry[name]
            if not entry:
                del self.optimizers[i].state[p]
        return any(names for _, _, names in new)


class Replays:
    """What the host does at each replay of a captured run.

    schedules    calls of schedules: (schedule, arguments, before the replay?);  refreshers: bring device scalars up to date
    optimizers   those that stepped;  one_launch: ids of their groups that read all numbers from device memory;  leaves: what got a gradient
    """

    def __init__(self, schedules, refreshers, optimizers, one_launch, leaves):
        self.schedules, self.refreshers, self.optimizers, self.one_launch, self.leaves = schedules, refreshers, optimizers, one_launch, leaves

    def refresh(self):
        """Bring device scalars up to date, in the order of the current stream."""
        for refresh in self.refreshers:
            refresh()

    def step_schedules(self, before):
        """Make the schedules' calls that stand before, or behind, the optimizers' steps."""
        for schedule, arguments, early in self.schedules:
            if early is before:
                schedule.step(*arguments)

    def fixed(self):
        """(objects, values) that a captured step holds fixed: where parameters and state are, and the options that it does not follow."""
        objects, values = [p._data for p in self.leaves], []
        for optimizer in self.optimizers:
            objects += [optimizer.state, optimizer.param_groups]
            for group in optimizer.param_groups:
                objects += [p._data for p in group["params"]]
                for key, value in group.items():
                    if key in NO_OPTIONS:
                        continue
                    if isinstance(value, Tensor):
                        objects.append(value)
                    elif key == "momentum" and id(group) in self.one_launch:
                        values.append(bool(value))  # with it there are velocities
                    elif key not in (FOLLOWED if id(group) in self.one_launch else ("lr",)):
                        values.append(value)
        return objects, values


def in_one_launch(optimizer, group):
    """Whether all parameters of a group are updated in one launch, which reads its numbers from device memory."""
    asked = getattr(optimizer, "one_launch", None)
    return asked is not None and bool(asked(group))


def step_unless(found, optimizer, args, kwargs):
    """optimizer.step(...), without effect where the tensor `found` of one element is not 0; the host does not wait for it.  Returns its result.

    An optimizer that steps in one launch looks at `found` in that launch.  Any other steps, and gets its old values back.
    """
    if all(in_one_launch(optimizer, group) for group in optimizer.param_groups if any(p.grad is not None for p in group["params"])):
        own = optimizer.__dict__.get("_step_supports_amp_scaling")
        optimizer._step_supports_amp_scaling, optimizer.found_inf = True, found
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            del optimizer.found_inf
            optimizer._step_supports_amp_scaling = own
    before = [(t, t._data.copy()) for t in _touched(optimizer)]
    result = optimizer.step(*args, **kwargs)
    for t, old in before:
        xp = of_array(t._data).xp
        t._data[...] = xp.where(found._data.reshape(()) != 0, old, t._data)
    return result


def _touched(optimizer):
    """The tensors that a step writes: parameters with a gradient, and their state."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                yield p
                yield from (v for v in optimizer.state.get(p, {}).values() if isinstance(v, Tensor))

"""L-BFGS."""
from .. import ops
from .._core.modes import enable_grad, no_grad
from ._hyper import check_lr
from ._line_search import Point, strong_wolfe
from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4).  All parameters are one vector, in one group and on one device.

    `step` needs a closure, which it calls several times.  Its state is kept with the first parameter.
    lr: length of the steps (of the first trial with a line search);  max_iter: iterations of one `step`;  max_eval: calls of the closure in
    one `step` (by default 1.25 max_iter);  tolerance_grad, tolerance_change: stop when the largest element of the gradient, or the change of
    the loss or the parameters, is at most this;  history_size: how many steps are remembered;  line_search_fn: None or "strong_wolfe".
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
                 line_search_fn=None):
        check_lr(lr)
        super().__init__(params, {"lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
                                  "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def __getstate__(self):
        return {**super().__getstate__(), "_params": self._params}

    @no_grad()
    def step(self, closure):
        """Up to max_iter iterations.  closure: clears the gradients, computes the loss and its gradients; its first result is returned."""
        if len(self.param_groups) != 1:
            raise AssertionError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        closure, group = enable_grad()(closure), self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        state["func_evals"] += 1
        gradient = self._gradient()
        if gradient.abs().max() <= group["tolerance_grad"]:
            return first_loss
        memory = {name: state.get(name) for name in ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")}
        self._iterate(closure, group, state, memory, float(first_loss), gradient)
        state.update(memory)
        return first_loss

    def _iterate(self, closure, group, state, memory, loss, gradient):
        """The iterations of one step, from `loss` and `gradient` at the point where the parameters are."""
        lr = group["lr"] if not hasattr(group["lr"], "dim") else group["lr"].reshape(())
        evaluations = 1
        for n in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(gradient, state, memory, group["history_size"])
            first = state["n_iter"] == 1
            if memory["prev_flat_grad"] is None:
                memory["prev_flat_grad"] = gradient.clone()
            else:
                memory["prev_flat_grad"].copy_(gradient)
            memory["prev_loss"] = loss
            length = min(1.0, 1.0 / gradient.abs().sum()) * lr if first else lr
            memory["t"] = length
            slope = gradient.dot(direction)
            if slope > -group["tolerance_change"]:
                return
            if group["line_search_fn"] is not None:
                loss, gradient, length, used = self._search(closure, group, Point(0, loss, gradient, slope), length, direction, evaluations)
                memory["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                used = n != group["max_iter"]  # after the last iteration nobody asks for the new loss
                if used:
                    loss, gradient = float(closure()), self._gradient()
            evaluations += int(used)
            state["func_evals"] += int(used)
            if n == group["max_iter"] or evaluations >= group["max_eval"] or gradient.abs().max() <= group["tolerance_grad"]:
                return
            if direction.mul(length).abs().max() <= group["tolerance_change"] or abs(loss - memory["prev_loss"]) < group["tolerance_change"]:
                return

    def _direction(self, gradient, state, memory, history_size):
        """The direction of the next step: the gradient times the approximate inverse Hessian, negated.  Algorithm 7.4."""
        if state["n_iter"] == 1:
            memory.update(d=gradient.neg(), old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return memory["d"]
        changes, steps, inverse = memory["old_dirs"], memory["old_stps"], memory["ro"]
        change, step = gradient.sub(memory["prev_flat_grad"]), memory["d"].mul(memory["t"])
        curvature = change.dot(step)
        if curvature > 1e-10:
            if len(changes) == history_size:
                del changes[0], steps[0], inverse[0]
            changes.append(change)
            steps.append(step)
            inverse.append(1.0 / curvature)
            memory["H_diag"] = curvature / change.dot(change)
        weights = state.setdefault("al", [None] * history_size)
        q = gradient.neg()
        for i in reversed(range(len(changes))):
            weights[i] = steps[i].dot(q) * inverse[i]
            q.add_(changes[i] * -weights[i])
        direction = q * memory["H_diag"]
        for i in range(len(changes)):
            direction.add_(steps[i] * (weights[i] - changes[i].dot(direction) * inverse[i]))
        memory["d"] = direction
        return direction

    def _search(self, closure, group, start, length, direction, evaluations):
        """(loss, gradient, length, evaluations) of a line search along `direction`; the parameters stay where they are."""
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        here = [p.clone() for p in self._params]

        def evaluate(step):
            self._move(step, direction)
            loss, gradient = float(closure()), self._gradient()
            for p, old in zip(self._params, here):
                p.copy_(old)
            return Point(step, loss, gradient, gradient.dot(direction))

        found, used = strong_wolfe(evaluate, start, length, direction.abs().max(), max_evaluations=group["max_eval"] - evaluations)
        return found.value, found.gradient, found.step, used

    def _gradient(self):
        """The gradients of all parameters as one new vector, zeros where there is none."""
        parts = []
        for p in self._params:
            g = p.new_zeros(p.shape) if p.grad is None else p.grad.to_dense() if p.grad.is_sparse else p.grad
            parts.append(_real(g.detach()).reshape(-1))
        return ops.concatenate(parts)

    def _move(self, length, direction):
        """Add length * direction to the parameters."""
        offset = 0
        for p in self._params:
            real = _real(p)
            part = direction[offset:offset + real.numel()].view(real.shape)
            real.add_(part * length)
            offset += real.numel()


def _real(t):
    """The tensor, or the view of a complex one as pairs of numbers."""
    return ops.view_as_real(t) if t.is_complex() else t

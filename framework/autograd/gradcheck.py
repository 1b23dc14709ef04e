"""Check gradients against central differences, in float64, as torch.autograd.gradcheck does.

A complex number counts as the pair of its parts: gradients follow torch's convention, dL/dRe(x) + i dL/dIm(x) for a real L.
"""
import numpy as np

from .._backends import of_array
from .._core.tensor import Tensor, wrap
from ._derivatives import grad


class GradcheckError(RuntimeError):
    """An analytic gradient does not match the numeric one."""


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, **_):
    """True when the gradients of `func(*inputs)` match central differences within atol + rtol * |numeric|, for every input that requires grad.

    inputs: a Tensor or a tuple; those that require grad should be float64.  eps: the step of the differences.
    GradcheckError (or False, with raise_exception=False) names the output and input that do not match.  ValueError without such an input.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [t for t in inputs if isinstance(t, Tensor) and t.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.")
    try:
        outputs = _differentiable(func(*inputs))
        for o, output in enumerate(outputs):
            analytic = _analytic(output, checked)
            again = _analytic(output, checked)
            for i, t in enumerate(checked):
                _compare(f"output {o} with respect to input {i}", analytic[i], again[i], nondet_tol, 0.0,
                         "the backward pass is not deterministic: two runs differ for ")
                numeric = _numeric(lambda o=o: _differentiable(func(*inputs))[o], t, eps)
                _compare(f"output {o} with respect to input {i}", numeric, analytic[i], atol, rtol, "Jacobian mismatch for ")
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0, **_):
    """gradcheck of the gradients of `func` themselves: derivatives of second order."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        grad_outputs = [wrap(_beside(rng.standard_normal(o._data.shape).astype(o._data.dtype), o), True) for o in outputs]
    else:
        grad_outputs = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)

    def gradients(*args):
        own, seeds = args[:len(inputs)], args[len(inputs):]
        wanted = [t for t in own if isinstance(t, Tensor) and t.requires_grad]
        found = grad(_differentiable(func(*own)), wanted, list(seeds), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)

    return gradcheck(gradients, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
                     nondet_tol=nondet_tol)


def _differentiable(result):
    result = (result,) if isinstance(result, Tensor) else tuple(result)
    found = [t for t in result if isinstance(t, Tensor) and t.requires_grad]
    if not found:
        raise ValueError("gradcheck: no output of the function requires grad")
    return found


def _parts(a):
    """A complex array as its real and imaginary parts, side by side; a real one as it is."""
    flat = np.asarray(a).reshape(-1)
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _host(t):
    return of_array(t._data).to_host(t._data)


def _beside(array, t):
    backend = of_array(t._data)
    with backend.on_device_of(t._data):
        return backend.asarray(array)


def _analytic(output, inputs):
    """Per input: the Jacobian, (parts of the output, parts of the input)."""
    shape, dtype = output._data.shape, output._data.dtype
    rows = []
    for unit in (1, 1j) if dtype.kind == "c" else (1,):
        for k in range(output._data.size):
            seed = np.zeros(shape, dtype)
            seed.reshape(-1)[k] = unit
            found = grad(output, inputs, wrap(_beside(seed, output)), retain_graph=True, allow_unused=True)
            rows.append([_parts(np.zeros(t._data.shape, t._data.dtype) if g is None else _host(g)) for t, g in zip(inputs, found)])
    return [np.stack([row[i] for row in rows]) if rows else np.zeros((0, _parts(_host(t)).size)) for i, t in enumerate(inputs)]


def _numeric(run, t, eps):
    """The Jacobian by central differences, (parts of the output, parts of the input)."""
    columns, x = [], t._data
    for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
        for index in np.ndindex(x.shape):
            kept = x[index].copy() if hasattr(x[index], "copy") else x[index]
            x[index] = kept + eps * unit
            high = _parts(_host(run()).copy())
            x[index] = kept - eps * unit
            low = _parts(_host(run()).copy())
            x[index] = kept
            columns.append((high - low) / (2 * eps))
    return np.stack(columns, axis=1) if columns else np.zeros((_parts(_host(run())).size, 0))


def _compare(what, a, b, atol, rtol, text):
    if not np.allclose(b, a, atol=atol, rtol=rtol):
        raise GradcheckError(f"{text}{what},\nnumerical:{a}\nanalytical:{b}\n")

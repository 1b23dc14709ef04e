"""The op record: formula, one rule per argument, kernel overrides.  See docs/architecture.md, "An op is one paragraph".

    @op(promote=to_float)
    def silu(xp, x): ...             # parameters without annotation are tensors, annotated ones are attributes

    @silu.vjp("x")                   # gradient for input x; what it names is saved, and nothing else
    def _(xp, g, out, x): ...

A rule may name inputs, `out`, attributes, and `x_shape` / `x_dtype` / `x_device` (saved without keeping x alive).  A rule for several inputs,
`@conv.vjp("x", "weight")`, returns one gradient for each and may name `needs`, which says which of them are wanted.
"""
import contextlib
import inspect
from functools import cached_property

import numpy as np

from .. import _dtypes
from .._backends import BACKENDS, meta_
from .._backends.sparse_ import Elsewhere, SparseArray
from .._state import state
from . import errors
from .graph import Node, refresh_view
from .placing import device_to_enter, placed
from .quiet import OFF, restore, silence
from .recording import F32, record, shares_memory, tie_view
from .tensor import Tensor, unwrap, wrap

REGISTRY = {}  # every op by name


class Rule:
    """The vector-Jacobian product for some inputs of an op (for all, where the op is variadic).

    fn       called as fn(xp, g, *saved values, **attributes)
    numpy    fn, or the override for NumPy arrays
    targets  indexes of the inputs whose gradients it returns; a single one returns the gradient itself, several a tuple
    slots    indexes into the op's save slots, in the order of fn's parameters
    attrs    names of the attributes that fn takes, and "shapes" where it takes the shapes of all inputs
    needs    fn takes `needs`, a tuple of bools beside `targets`
    cuda     CUDA C body of an elementwise rule with one target, or None: kernels/elementwise.py
    """

    __slots__ = ("fn", "numpy", "targets", "single", "slots", "attrs", "needs", "cuda")

    def __init__(self, fn, targets, slots, attrs, needs, cuda=None):
        self.numpy, self.cuda = fn, cuda
        self.fn, self.targets, self.slots, self.attrs, self.needs = fn, targets, slots, attrs, needs
        self.single = targets[0] if len(targets) == 1 else None

    def formula(self, xp, *arrays, **attrs):
        """fn for GPU kernels to fall back on: half precision is computed in float32."""
        return _widely(self.fn, xp, arrays, attrs)


class Op:
    """One operation.  Calling it runs the general path, `apply`; `compile.fast_function` makes the quick one from the same record."""

    def __init__(self, forward, promote, view, random, syncs, variadic, holomorphic, fast, cuda, grad_name, broadcasts, several, half):
        self.name = self.__name__ = forward.__name__.rstrip("_")
        self.__doc__, self.forward, self.promote = forward.__doc__, forward, promote
        self.view, self.random, self.syncs, self.variadic, self.cuda = view, random, syncs, variadic, cuda
        self.holomorphic, self.fast, self.several, self.half = holomorphic, fast, several, half
        self.order, self.defaults = _parameters(forward, skip=1)
        notes = forward.__annotations__
        self.inputs = tuple(n for n in self.order if n not in notes)
        self.attrs = {n: self.defaults.get(n, inspect.Parameter.empty) for n in self.order if n in notes}
        self.broadcasts = promote is not None and len(self.inputs) > 1 if broadcasts is None else broadcasts
        self.optional = tuple(n for n in self.inputs if n in self.defaults and self.defaults[n] is None)
        self.slots, self.users, self.rules, self.overrides = [], [], [], {}
        self.rules_on = {}  # backend name -> rules, where a kernel there does the work of several: see kernel
        self.sparse = None  # what it does when an operand is sparse: see on_sparse
        self.kernels = _Kernels(self)
        self.frees = variadic  # what it saves are values, which a backward pass frees, and not just shapes and types
        self.unrolls = not variadic  # the engine's plain path may run its rules
        self.gives_away = 0  # so many outputs come first that rules do not read: they are None in a rule's `out`, and may be written over
        self.in_float32 = None  # an op that gives for half precision what this one gives for it in float32: for autocast on a GPU, in place of a cast
        self.writer = None  # writer(target, *others, **attrs) writes the result over an array where it can, and says whether it did
        self.lists = variadic or several  # run_plain's way may be taken for its list of inputs or outputs
        self.quick = None  # the function that compile.py made of it, where that takes inputs and then attributes: for tracers that pass operations on
        self.rules_take_tensors = False  # saved values come to its rules as Tensors even when the pass is not recorded
        self.grad_name = (grad_name or "".join(w[:1].upper() + w[1:] for w in self.name.split("_"))) + "Backward0"
        if grad_name and "::" in grad_name:
            self.grad_name = grad_name
        self.backward_name = None  # function(node) -> name, where torch's name depends on the call
        if self.name in REGISTRY:
            raise ValueError(f"an op named {self.name} is registered already")
        REGISTRY[self.name] = self

    @cached_property
    def node_class(self):
        """The type of this op's nodes: Node under torch's name."""
        return type(self.grad_name.rpartition("::")[2], (Node,), {"__slots__": (), "__module__": Node.__module__})

    # -- declaration ---------------------------------------------------------------------------------------------------

    def vjp(self, *targets, cuda=None, reads=None):
        """Decorator: the gradient rule for the named inputs.  cuda: the CUDA C body of an elementwise one, which assigns `d`.

        reads  {name: targets} of a rule for several inputs: what it names is saved if one of those targets is wanted, and else comes as None
        """
        def register(fn):
            names, _ = _parameters(fn, skip=2)
            attrs = tuple(n for n in names if n in self.attrs or n == "shapes")
            indexes = tuple(self.inputs.index(t) for t in targets)
            users = {n: tuple(self.inputs.index(t) for t in wanted) for n, wanted in (reads or {}).items()}
            self.unrolls = self.unrolls and not users
            slots = tuple(self._slot(n, users.get(n, indexes)) for n in names if n not in self.attrs and n not in ("needs", "shapes"))
            self.rules.append(Rule(fn, indexes, slots, attrs, "needs" in names, cuda))
            self.kernels.clear()
            return fn
        return register

    def _slot(self, name, users):
        if name != "out" and name not in self.inputs and not (
                name.rpartition("_")[0] in self.inputs and name.rpartition("_")[2] in ("shape", "dtype", "device")):
            raise TypeError(f"{self.name}: a gradient rule names {name!r}, which is neither an input, `out`, nor an attribute")
        if name not in self.slots:
            self.slots.append(name)
            self.frees = self.frees or name == "out" or name in self.inputs
            self.lists = self.lists and not self.variadic and name != "out"
            self.users.append(())
        at = self.slots.index(name)
        self.users[at] = tuple(sorted({*self.users[at], *users}))
        return at

    def kernel(self, backend, vjp=None):
        """Decorator: an override of the formula (or of the rule whose first input is `vjp`) on one backend, "numpy" or "cupy".

        vjp: a tuple of inputs that have a rule each: fn computes their gradients together, as a rule for several inputs does.  It may name what those
        rules save, which is None where nobody wanted it.  Not for "numpy", whose rules the engine calls by themselves.
        """
        def register(fn):
            if type(vjp) is tuple:
                self._join(backend, vjp, fn)
                return fn
            self.overrides[backend, vjp] = fn
            self.kernels.clear()
            for rule in self.rules:
                if backend == "numpy" and vjp is not None and self.inputs[rule.targets[0]] == vjp:
                    rule.numpy = fn
            return fn
        return register

    def _join(self, backend, targets, fn):
        """Let `fn` do the work of the rules of several inputs on a backend."""
        names, indexes = _parameters(fn, skip=2)[0], tuple(self.inputs.index(t) for t in targets)
        attrs = tuple(n for n in names if n in self.attrs)
        slots = tuple(self.slots.index(n) for n in names if n not in self.attrs and n != "needs")
        kept = [rule for rule in self.rules_on.get(backend, self.rules) if not {*rule.targets} & {*indexes}]
        self.rules_on[backend] = [*kept, Rule(fn, indexes, slots, attrs, "needs" in names)]
        self.kernels.clear()

    def on_sparse(self, fn):
        """Decorator: fn(*inputs, **attributes), on Tensors, takes the op's place when an operand is sparse."""
        self.sparse = fn
        return fn

    def elsewhere(self, inputs, attrs):
        """The op on operands of which one is sparse.  NotImplementedError, torch's type, where it has no way for them."""
        if self.sparse is None:
            raise NotImplementedError(str(Elsewhere(self.name))) from None
        with device_to_enter([unwrap(t) for t in inputs]) or contextlib.nullcontext():
            return self.sparse(*inputs, **attrs)

    def rule_for(self, rule, backend):
        """The function that computes `rule` on `backend`."""
        fn = self.overrides.get((backend.name, self.inputs[rule.targets[0]]), rule.fn)
        return backend.rule(fn, rule.numpy) if backend is meta_ else fn

    def formula(self, xp, *arrays, **attrs):
        """The formula for GPU kernels to fall back on: half precision is computed in float32, where the op has a policy of types."""
        return self.forward(xp, *arrays, **attrs) if self.promote is None else _widely(self.forward, xp, arrays, attrs)

    def widens_half(self, backend, arrays, target=None):
        """Whether the formula, or the rule for the input `target`, sees float32 in the place of half precision.

        On the CPU always.  On a GPU kernels take halves as they are, and so do ops with the flag `half`, unless a number came in float32.
        """
        if backend.name != "cupy":
            return backend.COMPUTES_HALF_IN_FLOAT32
        kernel = self.overrides.get(("cupy", target))
        if kernel is not None and not hasattr(kernel, "formula"):  # which runs the formula on arrays in another order
            return False
        return not self.half or any(getattr(a, "dtype", None) == F32 for a in arrays)

    # -- the general path ----------------------------------------------------------------------------------------------

    def __call__(self, *args, **kwargs):
        inputs, attrs = self.bind(args, kwargs)
        return self.apply(inputs, attrs)

    def bind(self, args, kwargs):
        """(inputs, attrs) of a call, attributes complete with their defaults.  TypeError as Python gives it for a wrong call."""
        if self.variadic:
            return tuple(args[0]), self._bind_rest(args[1:], kwargs)
        if len(args) > len(self.order):
            raise TypeError(f"{self.name}() takes {len(self.order)} positional arguments but {len(args)} were given")
        values = dict(self.defaults)
        values.update(zip(self.order, args))
        for key, value in kwargs.items():
            if key not in self.order:
                raise TypeError(f"{self.name}() got an unexpected keyword argument {key!r}")
            values[key] = value
        for key in self.order:
            if key not in values:
                raise TypeError(f"{self.name}() missing 1 required positional argument: {key!r}")
        return tuple(values[k] for k in self.inputs), {k: values[k] for k in self.attrs}

    def _bind_rest(self, args, kwargs):
        return {**self.attrs, **dict(zip(self.attrs, args)), **kwargs}

    def apply(self, inputs, attrs):
        """Run the op on tensors, arrays and numbers: what the fast path must equal.  attrs holds every attribute."""
        if state.tracer is not None:
            return state.tracer(self, inputs, attrs)
        needs = False
        raw = []
        for t in inputs:
            if isinstance(t, Tensor):
                if t._view is not None:
                    refresh_view(t)
                needs = needs or t._requires_grad
                raw.append(t._data)
            else:
                raw.append(t)
        try:
            backend, converted, result = self.compute(raw, attrs)
        except Elsewhere:
            return self.elsewhere(inputs, attrs)
        if type(result) in (tuple, list):
            outputs = [wrap(a) for a in result]
        else:
            outputs = wrap(result if type(result) is backend.Array or type(result) is SparseArray else backend.asarray(result))
        if self.view:
            self._tie_views(inputs[0], outputs, attrs)
        if needs and state.grad and self.rules and (type(outputs) is list or outputs._data.dtype.kind in "fcV"):
            record(self, inputs, raw, converted, outputs, attrs)
        return tuple(outputs) if type(outputs) is list else outputs

    def pass_on(self, inputs, attrs):
        """`apply`, by the quick path where there is one and no hooks wait for what it saves: for a tracer that lets an operation run as it is."""
        return self.apply(inputs, attrs) if self.quick is None or state.saved_hooks else self.quick(*inputs, *[attrs[n] for n in self.attrs])

    def compute(self, raw, attrs):
        """(backend, inputs as the formula saw them, its result) for raw arrays.  Errors of the array library come out in torch's words."""
        backend = _backend_of(self, raw)
        if backend.name == "cupy" and any(type(a) is np.ndarray for a in raw):
            raw = _with_numbers(raw, backend)
        if backend.name in ("cupy", "sparse") and (device := device_to_enter(raw)) is not None:
            with device:  # for what is converted before the kernel runs, and after
                return self.compute(raw, attrs)
        converted, half = raw, None
        token = silence(OFF)
        try:
            if self.promote is not None:
                converted, common = self.promote(raw, backend)
                if _dtypes.is_half(common) and self.widens_half(backend, converted):
                    half = common
            if half is not None:
                result = in_float32(half, lambda *a: self.kernels[backend.Array](backend.xp, *a, **attrs), converted)
            else:
                result = self.kernels[backend.Array](backend.xp, *converted, **attrs)
        except Exception as error:
            errors.explain(self, error, converted)
            raise
        finally:
            restore(token)
        return backend, converted, result

    def _tie_views(self, x, outputs, attrs):
        several = type(outputs) is list
        for i, out in enumerate(outputs if several else [outputs]):
            if shares_memory(out._data, x._data):
                tie_view(self, x, out, attrs, i if several else None)

    def __repr__(self):
        rules = ", ".join("+".join(self.inputs[i] for i in r.targets) for r in self.rules)
        return f"<op {self.name}({', '.join(self.order)}): gradients for {rules or 'no input'}>"


def _parameters(fn, skip):
    """(names, {name: default}) of a formula's or rule's parameters after the first `skip`; inspect takes ten times as long at import."""
    code = fn.__code__
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    names = list(code.co_varnames[:positional + keyword_only])
    values = fn.__defaults__ or ()
    defaults = {**dict(zip(names[positional - len(values):positional], values)), **(fn.__kwdefaults__ or {})}
    if code.co_flags & inspect.CO_VARARGS:
        names.insert(positional, code.co_varnames[positional + keyword_only])
    return tuple(names[skip:]), {n: defaults[n] for n in names if n in defaults}


class _Kernels(dict):
    """Array type -> the function that computes the op there: an override, else the formula.

    rules   array type -> [(rule, the function that computes it there)], of kernels for several inputs too; see `rules_for`
    halves  (array type, data type) -> whether half precision is taken as it is: see `compile.takes_half`
    """

    def __init__(self, op):
        super().__init__()
        self.op, self.rules, self.halves = op, {}, {}

    def clear(self):
        """Find everything anew: a kernel came, or went."""
        super().clear()
        self.rules.clear()
        self.halves.clear()

    def rules_for(self, array_type):
        """What the engine runs on arrays of a GPU, looked up once."""
        found = self.rules.get(array_type)
        if found is None:
            op, backend = self.op, BACKENDS[array_type]
            found = self.rules[array_type] = [(rule, op.rule_for(rule, backend)) for rule in op.rules_on.get(backend.name, op.rules)]
        return found

    def __missing__(self, array_type):
        backend = BACKENDS[array_type]
        formula = backend.kernel(self.op) if backend.name in ("sparse", "meta") else self.op.forward
        fn = self.op.overrides.get((backend.name, None), formula)
        fn = self[array_type] = placed(self.op, fn, backend) if backend.name == "cupy" else fn
        return fn


def op(promote=None, view=False, random=False, syncs=False, variadic=False, holomorphic=True, fast=True, cuda=None, grad_name=None,
       broadcasts=None, several=False, half=False):
    """Decorator: declare an operation.

    promote      type policy, from `promotion`; None leaves the inputs as they are
    view         the result shares the first input's memory (or does so when it can)
    random       draws random numbers
    syncs        makes the host wait for the device: cuda.set_sync_debug_mode says so; a capture finds it out by itself (cuda/_capture.py)
    variadic     takes one sequence of tensors first
    holomorphic  complex gradients are conj(rule(conj(g)));  False: the rule takes care of complex numbers itself
    fast         compile a quick path (see compile.py)
    cuda         CUDA C body of an elementwise formula, or one for each value of an attribute that is a string: kernels/elementwise.py
    grad_name    what torch calls its backward, without "Backward0" (a name with "::" is whole)
    broadcasts   the inputs may have been broadcast; by default true of ops with a promotion policy and two inputs or more
    several      returns a list or tuple of arrays made of one input (such ops without the flag are right, but have no quick path)
    half         on a GPU formula and rules take half precision as it is: they round once.  Others see float32 there too, as on the CPU
    """
    def declare(forward):
        return Op(forward, promote, view, random, syncs, variadic, holomorphic, fast, cuda, grad_name, broadcasts, several, half)
    return declare


def _backend_of(op, raw):
    """The backend of the arrays among `raw`.  RuntimeError when they are on different devices.  NumPy's scalars are on none."""
    found = None
    for a in raw:
        backend = BACKENDS.get(type(a))
        if backend is not None and hasattr(a, "dtype") and not isinstance(a, np.generic):
            if found is not None and backend is not found:
                others = [x for x in raw if not (type(x) is np.ndarray and x.ndim == 0)]  # a CPU tensor without dimensions is a number to others
                return _backend_of(op, others) if len(others) < len(raw) else errors.refuse_mixture(op, raw)
            found = backend
    return found or BACKENDS[np.ndarray]


def _with_numbers(raw, backend):
    """`raw` with the CPU's 0-d arrays, which are numbers to a GPU, on the GPU of the first array."""
    there = next(a for a in raw if type(a) is backend.Array)
    return [backend.from_host(a, backend.index_of(there)) if type(a) is np.ndarray else a for a in raw]


def in_float32(half, fn, args):
    """fn on float32 copies of the half-precision arrays among `args`; float32 results are rounded back to `half`."""
    result = fn(*[_widened(a) for a in args])
    if type(result) in (tuple, list):
        return tuple(r.astype(half) if hasattr(r, "dtype") and r.dtype == F32 else r for r in result)
    return result.astype(half) if hasattr(result, "dtype") and result.dtype == F32 else result


def _widely(fn, xp, arrays, attrs):
    """fn(xp, *arrays, **attrs), computed in float32 where there are arrays of half precision."""
    half = next((a.dtype for a in arrays if hasattr(a, "dtype") and _dtypes.is_half(a.dtype)), None)
    if half is None:
        return fn(xp, *arrays, **attrs)
    return in_float32(half, lambda *wide: fn(xp, *wide, **attrs), arrays)


def _widened(a):
    if type(a) is list:
        return [_widened(each) for each in a]
    return a.astype(F32) if hasattr(a, "dtype") and _dtypes.is_half(a.dtype) else a

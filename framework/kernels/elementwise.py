"""Elementwise CUDA kernels, generated from the one-line bodies that stand with the ops and with their gradient rules.

    @op(cuda="out = x / (1 + exp(-x))")                              # assigns `out` from the inputs, by their names, and the attributes (numbers)
    @silu.vjp("x", cuda="const auto s = 1 / (1 + exp(-x)); d = ...")  # assigns `d` from `g`, what the rule names, and its attributes

A body for each value of an attribute that is a string: cuda={"none": "...", "tanh": "..."}.  float16 and bfloat16 are read and written as such and
computed in float.  Inputs are of one type; each is of the result's shape, or repeated along some dimensions (a row, a column, a channel, one
element), or a piece of a larger array (one of the halves of a row), or a number; an optional one that is missing is the number 1.  What lies
otherwise runs the formula.  The type to compute in is called A.
"""
import functools
import math

import numpy as np

from .._backends import BACKENDS
from ..ops._layout import channels_last, dense, turned
from .family import CODES, SCALARS, TYPES, maker

THREADS, MAX_BLOCKS, MOST_PLANS = 256, 1 << 16, 1 << 14
BLOCK = (THREADS,)
OPTIONS = ("-std=c++17",)
REPEATED = r"""
#ifndef REPEATED
#define REPEATED
// An input that is repeated or lies in pieces: element i is p[i / inner % size * step + i % inner * unit], or, where each piece is repeated `size`
// times before the next one comes, p[i / inner / size * step + i % inner * unit].
template <class T, class I, bool EACH> struct Repeated { const T* p; I inner, size, step, unit; };
template <class T, class I, bool EACH> __device__ inline I place(const Repeated<T, I, EACH>& r, I i) {
    const I block = i / r.inner;
    return (EACH ? block / r.size : block % r.size) * r.step + (i - block * r.inner) * r.unit;
}
// Whether 16 bytes of elements that begin at a multiple of `wide` are neighbours in memory, at a place where 16 bytes may be read.
template <class T, class I, bool EACH> __device__ inline bool packs(const Repeated<T, I, EACH>& r, unsigned wide) {
    return r.unit == 1 && r.inner % wide == 0 && r.step % wide == 0 && ((unsigned long long)r.p & 15) == 0;
}
template <class T, class I, bool EACH, class P>
__device__ inline void read(const Repeated<T, I, EACH>& r, P& pack, I i, unsigned wide, bool packed) {
    if (packed) pack = *(const P*)(r.p + place(r, i));
    else if (r.inner % wide) for (unsigned j = 0; j < wide; ++j) pack.v[j] = r.p[place(r, (I)(i + j))];
    else { const T* at = r.p + place(r, i); for (unsigned j = 0; j < wide; ++j) pack.v[j] = at[j * r.unit]; }
}
#endif
"""
TEMPLATE = """{header}{repeated}extern "C" __global__ void {name}({parameters}) {{
    struct alignas(16) Pack {{ {storage} v[{wide}]; }};
    const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, step = (long long)gridDim.x * blockDim.x;
    using A [[maybe_unused]] = {compute};
    const auto compute = [=]({values}) {{ {compute} {result}; {body}; return {result}; }};
    {prepare}
    long long done = 0;
    if ((({aligned}) & 15) == 0) {{
        done = n / {wide} * {wide};
        for (long long k = first; k < done / {wide}; k += step) {{
            {packs}
            Pack {result}_v;
            for (int j = 0; j < {wide}; ++j) {result}_v.v[j] = ({storage})compute({each});
            ((Pack*){result}_p)[k] = {result}_v;
        }}
    }}
    for (long long i = done + first; i < n; i += step) {result}_p[i] = ({storage})compute({one});
}}
"""
ONCE, WHOLE, NUMBER, OVER = 1 << 31, "a", "n", "o"  # an `inner` that no index below 2^31 reaches; letters of a pattern, beside those in INDEXES
INDEXES = {"b": "unsigned", "B": "long long", "e": "unsigned", "E": "long long"}  # what is repeated as a whole (b), or piece by piece (e)
EVERY = {}  # bodies by name


class Body:
    """CUDA bodies of an op or of a rule: `source` is their text for a type and a pattern, calling one runs it.

    inputs, numbers: names;  choice: the attribute that chooses among `texts`, a dict, or None;  result: the variable that a body assigns
    pattern: a letter for each input: a, of the result's shape and contiguous; b, repeated or in pieces; e, in pieces of which each is repeated;
             B and E, the same beyond 2^31 elements; n, a number; o, contiguous, and the result is written over it
    overwrites: whether there is a kernel of that last pattern: of one input, and nothing else
    """

    def __init__(self, name, texts, inputs, attrs, result):
        self.name, self.inputs, self.result = name, tuple(inputs), result
        self.choice = next((n for n, kind in attrs.items() if kind is str), None)
        self.numbers = tuple(n for n in attrs if n != self.choice)
        self.texts = texts if self.choice else {None: texts}
        self.plain, self.functions, self.plans = WHOLE * len(self.inputs), {}, {}
        self.overwrites = result == "out" and self.inputs == ("x",) and not self.numbers and not self.choice
        EVERY[name] = self

    def kernel_name(self, dtype, pattern=None, choice=None):
        """What the kernel is called; pattern None: all inputs contiguous and of one shape."""
        return "_".join(filter(None, (self.name, choice, "" if pattern in (None, self.plain) else pattern, dtype)))

    def source(self, dtype, pattern=None, choice=None):
        """CUDA C for one float type (a name in TYPES)."""
        storage, compute, header = TYPES[dtype]
        r, wide, kinds = self.result, {"float64": 2, "float32": 4}.get(dtype, 8), dict(zip(self.inputs, pattern or self.plain))
        whole = [n for n, k in kinds.items() if k in (WHOLE, OVER)]
        alone = "" if OVER in kinds.values() else "__restrict__ "  # the only pointer to its memory
        spread = {n: INDEXES[k] for n, k in kinds.items() if k in INDEXES}
        types = {n: f"{storage}, {i}, {'true' if kinds[n] in 'eE' else 'false'}" for n, i in spread.items()}
        numbers = [n for n, k in kinds.items() if k == NUMBER]
        parameters = {WHOLE: f"const {storage}* __restrict__ {{0}}_p", OVER: f"const {storage}* {{0}}_p", NUMBER: f"{compute} {{0}}_n"}
        places = f"const {storage}* __restrict__ {{0}}_p, long long {{0}}_inner, long long {{0}}_size, long long {{0}}_step, long long {{0}}_unit"
        listed = [parameters.get(k, places).format(n) for n, k in kinds.items()]
        listed += [f"{storage}* {alone}{r}_p", "long long n"] + [f"{compute} {a}" for a in self.numbers]
        prepare = "".join(f"const Repeated<{types[n]}> {n}_r = {{{n}_p, ({i}){n}_inner, ({i}){n}_size, ({i}){n}_step, ({i}){n}_unit}}; "
                          f"const bool {n}_k = packs({n}_r, {wide}); " for n, i in spread.items())
        packs = "".join(f"const Pack {n}_v = ((const Pack*){n}_p)[k]; " for n in whole)
        packs += "".join(f"Pack {n}_v; read({n}_r, {n}_v, ({i})(k * {wide}), {wide}, {n}_k); " for n, i in spread.items())
        one = {**{n: f"{n}_p[i]" for n in whole}, **{n: f"{n}_p[place({n}_r, ({i})i)]" for n, i in spread.items()}}
        given = {n: f"{n}_n" for n in numbers}
        cast = lambda values: ", ".join(given.get(n) or f"({compute}){values[n]}" for n in self.inputs)  # noqa: E731
        return TEMPLATE.format(
            header=header, repeated=REPEATED if spread else "", name=self.kernel_name(dtype, pattern, choice), parameters=", ".join(listed),
            storage=storage, wide=wide, compute=compute, result=r, body=self.texts[choice].rstrip("; "), prepare=prepare, packs=packs,
            values=", ".join(f"const {compute} {n}" for n in self.inputs), one=cast(one), each=cast({n: f"{n}_v.v[j]" for n in kinds}),
            aligned=" | ".join(f"(unsigned long long){n}_p" for n in (*whole, r)))

    def __call__(self, xp, inputs, attrs):
        """The result on CuPy arrays; None where the inputs lie so that a kernel cannot take them.

        What lies alike goes by a plan for that shape; the rest is described anew.
        """
        first, kind = inputs[0], xp.ndarray
        if first.__class__ is kind:
            dtype, shape, strides = first.dtype, first.shape, first.strides
            for a in inputs:
                if a is not first and (a.__class__ is not kind or a.dtype is not dtype or a.shape != shape or a.strides != strides):
                    return self.described(xp, inputs, attrs)
            choice = attrs[self.choice] if self.choice else None
            plan = self.plans.get((shape, strides, dtype, choice, xp))
            if plan is None:
                plan = self._plan(xp, first, choice)
            if plan:
                function, grid, count, make, number = plan
                out = make(shape, dtype)
                function(grid, BLOCK, (*inputs, out, count, *[number(attrs[a]) for a in self.numbers]) if self.numbers else (*inputs, out, count))
                return out
        return self.described(xp, inputs, attrs)

    def _plan(self, xp, like, choice):
        """(kernel, grid, number of elements, what makes the result, type of numbers) for arrays that all lie like one; False where there is none."""
        dtype = like.dtype
        if len(self.plans) >= MOST_PLANS:
            self.plans.clear()
        key = like.shape, like.strides, dtype, choice, xp
        if dtype.char not in CODES or choice not in self.texts or not like.size or not like.flags.c_contiguous:
            self.plans[key] = False
        else:
            self.plans[key] = (self._function(xp, self.plain, dtype.char, choice), *_grid(like.size, dtype.itemsize), maker(xp), SCALARS[dtype.char])
        return self.plans[key]

    def described(self, xp, inputs, attrs):
        """`__call__` without plans."""
        first, given, pattern, kind = inputs[0], inputs, self.plain, xp.ndarray
        for a in inputs:
            if a.__class__ is not kind or a.dtype is not first.dtype or a.shape != first.shape or not a.flags.c_contiguous:
                for b in inputs:
                    if b.__class__ is kind and not b.flags.c_contiguous and channels_last(b) and b.ndim == _rank(kind, inputs):
                        return self._channels_last(xp, inputs, attrs, b.ndim)
                described = _described(kind, inputs)
                if described is None:
                    return None
                pattern, given, shape, dtype = described
                break
        else:
            shape, dtype = first.shape, first.dtype
        code = dtype.char
        choice = attrs[self.choice] if self.choice else None
        if code not in CODES or choice not in self.texts:
            return None
        out = xp.empty(shape, dtype)
        size = out.size
        if not size:
            return out
        function, number = self._function(xp, pattern, code, choice), SCALARS[code]
        if given is not inputs:
            given = [number(p) if p.__class__ is float else p for p in given]
        grid, count = _grid(size, dtype.itemsize)
        function(grid, BLOCK, (*given, out, count, *[number(attrs[a]) for a in self.numbers]))
        return out

    def over(self, xp, x):
        """Write the result of a body that `overwrites` over the array; whether that could be done."""
        code = x.dtype.char
        if code not in CODES or not x.size:
            return False
        lying = xp.moveaxis(x, 1, -1) if channels_last(x) else x
        if not lying.flags.c_contiguous:
            return False
        grid, count = _grid(x.size, x.itemsize)
        self._function(xp, OVER, code, None)(grid, BLOCK, (lying, lying, count))
        return True

    def _channels_last(self, xp, inputs, attrs, ndim):
        """The result on images of which one has its channels last; so has the result."""
        shape = max((a.shape for a in inputs if type(a) is xp.ndarray and a.ndim == ndim), key=math.prod)  # the others are repeated
        out = self(xp, [turned(xp, dense(xp, a, True) if a.shape == shape and 0 not in a.strides else a, ndim)
                        if type(a) is xp.ndarray and a.ndim else a for a in inputs], attrs)
        return None if out is None else xp.moveaxis(out, -1, 1)

    def _function(self, xp, pattern, code, choice):
        """The kernel, compiled once."""
        function = self.functions.get((pattern, code, choice, xp))
        if function is None:
            module = xp.RawModule(code=self.source(CODES[code], pattern, choice), options=OPTIONS)
            function = self.functions[pattern, code, choice, xp] = module.get_function(self.kernel_name(CODES[code], pattern, choice))
        return function


def _rank(kind, inputs):
    return max([a.ndim for a in inputs if a.__class__ is kind])


@functools.lru_cache(1 << 14)
def _grid(size, itemsize):
    """(grid, the number of elements as kernels take it): a thread for 16 bytes."""
    return (min(-(-size * itemsize // (16 * THREADS)), MAX_BLOCKS),), np.int64(size)


def _described(kind, inputs):
    """(pattern, arguments, shape, dtype) for inputs that are not all alike; None where a kernel cannot take them.  Numbers become floats."""
    layout, dtype = [], None
    for a in inputs:
        if a.__class__ is kind:
            if dtype is not None and a.dtype != dtype:
                return None
            dtype = a.dtype
            layout.append((a.shape, a.strides))
        elif a is None or isinstance(a, (int, float, np.generic)) and not isinstance(a, (np.bool_, np.complexfloating)):
            layout.append(None)
        else:
            return None
    found = dtype and _layout(tuple(layout), dtype.itemsize)
    if not found:
        return None
    pattern, places, shape = found
    arguments = []
    for a, place in zip(inputs, places):
        if place is None:
            arguments.append(1.0 if a is None else float(a))
        else:
            arguments += (a, *place)
    return pattern, arguments, shape, dtype


@functools.lru_cache(4096)
def _layout(layout, itemsize):
    """(pattern, the four numbers of each array that has some, common shape) for (shape, strides) of arrays and None for numbers; or None."""
    shapes = [each[0] for each in layout if each]
    shape = shapes[0] if all(s == shapes[0] for s in shapes) else np.broadcast_shapes(*shapes)
    found = [_places(shape, *each, itemsize) if each else (NUMBER, None) for each in layout]
    return None if None in found else ("".join([letter for letter, _ in found]), [place for _, place in found], shape)


def _places(shape, own, strides, itemsize):
    """(letter, (inner, size, step, unit)) of an array that is broadcast to `shape`; (letter, ()) where it is that, contiguous; else None."""
    total, steps = math.prod(shape), tuple([s // itemsize for s in strides])
    if own == shape and all(s == math.prod(own[k + 1:]) for k, (n, s) in enumerate(zip(own, steps)) if n > 1):
        return WHOLE, ()
    found, letter = places(shape, own, steps), "b"
    if found is None:
        found, letter = places_of_pieces(shape, own, steps), "e"
    reach = sum((n - 1) * s for n, s in zip(own, steps))
    return found and (letter if total < ONCE and reach < ONCE else letter.upper(), found)


@functools.lru_cache(4096)
def places(shape, own, steps):
    """(inner, size, step, unit) of what is broadcast from dimensions `own`, with elements `steps` apart along each, to `shape`; else None."""
    total, runs = math.prod(shape), _runs(shape, own, steps)
    if any(step < 0 for _, step in runs) or len(runs) > 3 or len(runs) == 3 and runs[0][1]:
        return None
    if not runs or len(runs) == 1 and not runs[0][1]:
        found = ONCE if total < ONCE else ONCE * ONCE, 1, 0, 0
    elif len(runs) == 1:
        found = 1, runs[0][0], runs[0][1], 0
    else:
        (m, step), (n, unit) = runs[-2:]
        found = n, m, step, unit
    return tuple(map(np.int64, found))


@functools.lru_cache(4096)
def places_of_pieces(shape, own, steps):
    """The same where each piece is repeated before the next one comes: an image's channels, channels last, for all its pixels; else None."""
    runs = _runs(shape, own, steps)
    if len(runs) != 3 or runs[1][1] or any(step < 0 for _, step in runs):
        return None
    (_, step), (size, _), (inner, unit) = runs
    return tuple(map(np.int64, (inner, size, step, unit)))


def _runs(shape, own, steps):
    """[(elements, step), ...]: dimensions that can be walked as one, joined."""
    runs = []
    for n, step in zip(shape, [0] * (len(shape) - len(own)) + [0 if n == 1 else s for n, s in zip(own, steps)]):
        if n == 1:
            continue
        if runs and runs[-1][1] == step * n:
            runs[-1] = runs[-1][0] * n, step
        else:
            runs.append((n, step))
    return runs


@functools.cache
def of_op(op):
    """The Body of an op that has one."""
    return Body(op.name, op.cuda, op.inputs, {n: op.forward.__annotations__[n] for n in op.attrs}, "out")


@functools.cache
def of_rule(op, rule):
    """The Body of a rule that has one."""
    names = ("g", *[op.slots[k] for k in rule.slots])
    return Body(f"{op.name}_d{op.inputs[rule.single]}", rule.cuda, names, {n: op.forward.__annotations__[n] for n in rule.attrs}, "d")


def bodies(registry):
    """[(op, rule or None, Body)] of every op and rule with a body."""
    ops = [op for _, op in sorted(registry.items())]
    return [(op, None, of_op(op)) for op in ops if op.cuda] + [(op, rule, of_rule(op, rule)) for op in ops for rule in op.rules if rule.cuda]


def register(registry):
    """Put the bodies in the place of their formulas and rules on CuPy arrays."""
    for op, rule, body in bodies(registry):
        if rule is None:
            op.kernel("cupy")(_forward(op, body))
            if body.overwrites and not isinstance(op.writer, _Over):
                op.writer = _Over(op.writer, body)
        else:
            op.kernel("cupy", vjp=op.inputs[rule.single])(_gradient(rule, body))


class _Over:
    """An op's writer for CuPy arrays, before the one it had: writes over its input, and says whether it did."""

    def __init__(self, before, body):
        self.before, self.body = before, body

    def __call__(self, x):
        backend = BACKENDS.get(type(x))
        if getattr(backend, "name", "") == "cupy":
            return self.body.over(backend.xp, x)
        return self.before is not None and self.before(x)


def _forward(op, body):
    formula = op.formula

    def kernel(xp, *inputs, **attrs):
        out = body(xp, inputs, attrs)
        return formula(xp, *inputs, **attrs) if out is None else out
    return kernel


def _gradient(rule, body):
    formula = rule.formula

    def kernel(xp, g, *saved, **attrs):
        out = body(xp, (g, *saved), attrs)
        return formula(xp, g, *saved, **attrs) if out is None else out
    return kernel

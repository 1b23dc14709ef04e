"""Attention and its gradients as graphs for cuDNN, which knows them and computes them without the softmax in memory.

Forward, from q, k and v:        o = dropout(softmax(scale * q k^T + bias)) v,  stats = log(sum(exp(scale * q k^T + bias)))  per query
Backward, from do besides:       p = exp(scale * q k^T + bias - stats),  dv = dropout(p)^T do,  ds = p * (dropout'(do v^T) - sum(do * o)),
                                 dq = scale * ds k,  dk = scale * ds^T q

Dao 2023, arXiv:2307.08691.  The order of operations is the one by which the library recognises the pattern.

A batch of sequences of several lengths lies packed, one sequence after the other, without padding.  Its tensors are told as if every sequence were
the longest, with the places at which each begins (offsets) and the lengths; products stop at these, and nothing beside a sequence is written.
B: batch, H: heads of queries, G: heads of keys and values, each for H / G neighbouring heads of queries, L: queries, S: keys, D and E: features.
"""
from typing import NamedTuple

from .cudnn import DATA_TYPE, DESCRIPTOR, DOUBLE, NONDETERMINISTIC, REDUCTION_OPERATOR, RNG_DISTRIBUTION, TYPES, Described, Graph

MATMUL, OPERATION_MATMUL, MATMUL_ATTRIBUTES = 18, 19, {"precision": 1500, "a": 1520, "b": 1521, "c": 1522, "matmul": 1523, "rows": 1525,
                                                    "columns": 1526, "terms": 1527}
REDUCTION, OPERATION_REDUCTION = 21, 22
REDUCTION_ATTRIBUTES = {"operator": 1600, "precision": 1601, "x": 1610, "y": 1611, "reduction": 1612}
RESHAPE, RESHAPE_ATTRIBUTES = 31, {"x": 2200, "y": 2201}
RNG, OPERATION_RNG, RNG_ATTRIBUTES = 32, 33, {"distribution": 2300, "probability": 2305, "y": 2310, "seed": 2311, "rng": 2312, "offset": 2313}
BERNOULLI, SUM, LARGEST = 0, 0, 3
ADD, MUL, DIV, SUB, EXP, LOG, IDENTITY, ABOVE, NOT_BELOW, BELOW, BOTH, INDEX, SELECT = 0, 1, 6, 9, 13, 15, 21, 302, 303, 304, 400, 501, 601
ONE = ((1, 1, 1, 1), (1, 1, 1, 1))


class Attention(NamedTuple):
    """What is to be planned.  q, k, v, o are (sizes, steps in elements): (B, H, L, D), (B, G, S, D), (B, G, S, E), (B, H, L, E).

    dq, dk, dv  the gradients, in the same form;  do is laid out as o
    backward  whether they are computed, and not o
    bias      added to the scaled scores: (B or 1, H or 1, L, S) and its steps, 0 where it is repeated; None for none
    causal    queries look at no later keys
    dropout   the probability with which a weight becomes 0
    same_bits only ways that give the same bits every time
    learns    the backward graph also computes the gradient of the bias, in its own sizes
    packed    (left, right) for packed sequences: a query looks at `left` keys before and `right` keys after its own, None for all.  Its own key is
              the one at the same distance from the end.  B is the number of sequences, L and S the largest lengths, steps of B mean nothing
    """

    backward: bool
    dtype: str
    q: tuple
    k: tuple
    v: tuple
    o: tuple
    dq: tuple
    dk: tuple
    dv: tuple
    bias: tuple | None
    causal: bool
    dropout: float
    same_bits: bool
    learns: bool = False
    packed: tuple | None = None

    def refuses(self, notes):
        """Whether engines with these notes may not be taken."""
        return self.same_bits and NONDETERMINISTIC in notes

    def draw(self, library):
        """The Graph.  Its tensors in memory: q, k, v, o, bias, stats (float32), and by value scale, nothing (-infinity), keep_scale
        (1 / (1 - dropout)); seed and offset of the dropout; backward also do, dq, dk, dv, dbias, keep (1 - dropout), and room for sums (B, H, L) and
        dq_sum (B, H, L, D) in float32.  Packed: stats is (tokens, H); offsets (B + 1) int64, in elements of the tensor that they are for, of q, k, v,
        o (and do), stats, dq, dk, dv; lengths (B) int32 of q and k; by value left + 1 and right.  sums and dq_sum are packed where D and E are
        multiples of 16 (`compact`)."""
        drawn = _Drawn(library, self)
        (drawn.backward if self.backward else drawn.forward)()
        return drawn.graph

    @property
    def compact(self):
        """Whether the backward graph's room is packed as its tensors are: the library computes wrong results for other sizes."""
        return self.packed is not None and not (self.q[0][3] % 16 or self.v[0][3] % 16)


class _Drawn:
    """A graph while it is drawn."""

    def __init__(self, library, what):
        self.library, self.what = library, what
        self.graph = Graph(library, "float32", 16)
        (self.b, self.h, self.l, self.d), (_, self.g, self.s, _) = what.q[0], what.k[0]
        self.scores = ((self.b, self.h, self.l, self.s), (self.h * self.l * self.s, self.l * self.s, self.s, 1))
        self.turned = ((self.b, self.h, self.s, self.l), (self.h * self.l * self.s, self.l * self.s, 1, self.s))
        self.rows = ((self.b, self.h, self.l, 1), (self.h * self.l, self.l, 1, 1))
        self.lengths, self.offsets, self.numbers = {}, {}, {}

    def forward(self):
        what, graph = self.what, self.graph
        scores = self._scores(self._input("q"), self._input("k", turned=True))
        high = self._reduced(LARGEST, scores, graph.tensor(*self.rows))
        exponentials = self._new(EXP, self._new(SUB, scores, high))
        total = self._reduced(SUM, exponentials, graph.tensor(*self.rows))
        log = graph.pointwise(LOG, graph.tensor(*self.rows), total)
        graph.pointwise(ADD, self._per_row("stats"), high, log)
        if not what.dropout:
            weights = graph.pointwise(DIV, graph.tensor(*self.scores, what.dtype), exponentials, total)
        else:
            kept = self._new(MUL, self._new(DIV, exponentials, total), self._kept())
            weights = graph.pointwise(MUL, graph.tensor(*self.scores, what.dtype), kept, self._number("keep_scale"))
        self._product(weights, self._input("v"), self._input("o"), rows="q", terms="k")

    def backward(self):
        what, graph = self.what, self.graph
        q, k, v, o, do = self._input("q"), self._input("k", turned=True), self._input("v", turned=True), self._input("o"), self._input("do", "o")
        stats, keep_scale = self._per_row("stats"), self._number("keep_scale") if what.dropout else None
        kept = self._kept() if what.dropout else None
        sizes = what.o[0]
        products = graph.pointwise(MUL, graph.tensor(sizes, _heads_between_rows(sizes)), do, o)
        sums = self._reduced(SUM, products, graph.tensor(*self.rows))
        room = self._per_row("sums") if what.compact else graph.tensor(*self.rows, "float32", "sums")
        sums = graph.pointwise(MUL, room, sums, self._number("keep"))
        p = self._new(EXP, self._seen(self._new(SUB, self._scaled_scores(q, k), stats)))
        weights = p if kept is None else self._new(MUL, self._new(MUL, p, kept), keep_scale)
        self._turned_product(weights, do, "dv")
        dp = self._product(do, v, graph.tensor(*self.scores), rows="q", columns="k")
        dp = dp if kept is None else self._new(MUL, dp, kept)
        ds = self._new(MUL, self._new(SUB, dp, sums), p)
        ds = ds if kept is None else self._new(MUL, ds, keep_scale)
        if what.learns:
            self._reduced(SUM, ds, self._input("dbias", "bias"))
        ds = self._new(MUL, ds, self.scale)
        self._turned_product(ds, q, "dk")
        self._query_gradient(ds, k)

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _input(self, name, like=None, turned=False):
        """A tensor of the library's own type in memory; turned: its last two dimensions exchanged."""
        sizes, steps = getattr(self.what, like or name)
        if turned:
            sizes, steps = (*sizes[:2], sizes[3], sizes[2]), (*steps[:2], steps[3], steps[2])
        packed = self.what.packed is not None and not name.endswith("bias")
        return self.graph.tensor(sizes, steps, self.what.dtype, name, offsets=self._offsets(like or name) if packed else None)

    def _per_row(self, name):
        """A number for every query and head, in memory."""
        if self.what.packed is None:
            return self.graph.tensor(*self.rows, "float32", name)
        return self.graph.tensor(self.rows[0], (self.h * self.l, 1, self.h, 1), "float32", name, offsets=self._offsets("stats"))

    def _offsets(self, name):
        """Where each sequence begins in a packed tensor, and the last ends."""
        if name not in self.offsets:
            self.offsets[name] = self.graph.tensor((self.b + 1, 1, 1, 1), (1, 1, 1, 1), "int64", f"{name} offsets")
        return self.offsets[name]

    def _length(self, name):
        """How many queries ("q") or keys ("k") each sequence has."""
        if name not in self.lengths:
            self.lengths[name] = self.graph.tensor((self.b, 1, 1, 1), (1, 1, 1, 1), "int32", f"{name} lengths")
        return self.lengths[name]

    def _number(self, name, dtype="float32"):
        """A number that is told by value; one tensor, however often it is used."""
        if name not in self.numbers:
            self.numbers[name] = self.graph.tensor(*ONE, dtype, name, by_value=True)
        return self.numbers[name]

    def _new(self, mode, x, b=None):
        """A new tensor of the scores' shape."""
        return self.graph.pointwise(mode, self.graph.tensor(*self.scores), x, b)

    def _scaled_scores(self, q, k):
        """The scores as they are before the mask of later keys."""
        scores = self._product(q, k, self.graph.tensor(*self.scores), rows="q", columns="k")
        self.scale = self._number("scale")
        scores = self._new(MUL, scores, self.scale)
        scores = scores if self.what.bias is None else self._new(ADD, scores, self._input("bias"))
        return scores if self.what.packed is None else self._within_lengths(scores)

    def _scores(self, q, k):
        return self._seen(self._scaled_scores(q, k))

    def _seen(self, scores):
        """The scores with -infinity where a query may not look for its place."""
        if self.what.causal:
            return self._where(scores, NOT_BELOW, *self._places(scores))
        if self.what.packed is None:
            return scores
        left, right = self.what.packed
        if right is not None:
            row, column = self._places(scores)
            for mode, other in ((ADD, self._length("k")), (SUB, self._length("q")), (ADD, self._number("right", "int32"))):
                row = self._whole(mode, row, other)
            scores = self._where(scores, NOT_BELOW, row, column)
        if left is not None:
            row, column = self._places(scores)
            for mode, other in ((ADD, self._number("left + 1", "int32")), (SUB, self._length("k")), (ADD, self._length("q"))):
                column = self._whole(mode, column, other)
            scores = self._where(scores, ABOVE, column, row)
        return scores

    def _within_lengths(self, scores):
        """The scores with -infinity beside a sequence's queries and keys."""
        row, column = self._places(scores)
        inside = [self._compared(BELOW, place, self._length(name)) for place, name in ((row, "q"), (column, "k"))]
        return self._where(scores, BOTH, *inside)

    def _places(self, scores):
        """The numbers of queries and of keys, in the scores' shape."""
        return [self.graph.pointwise(INDEX, self.graph.tensor(*self.scores, "int32"), scores, precision="int32", axis=axis) for axis in (2, 3)]

    def _whole(self, mode, x, b):
        """A new tensor of whole numbers in the scores' shape."""
        return self.graph.pointwise(mode, self.graph.tensor(*self.scores, "int32"), x, b, precision="int32")

    def _compared(self, mode, x, b):
        return self.graph.pointwise(mode, self.graph.tensor(*self.scores, "bool"), x, b, precision="bool")

    def _where(self, scores, mode, x, b):
        """The scores where mode(x, b), else -infinity."""
        return self.graph.pointwise(SELECT, self.graph.tensor(*self.scores), scores, self._number("nothing"), self._compared(mode, x, b))

    def _kept(self):
        """1 where a weight is kept, 0 elsewhere."""
        graph, a = self.graph, RNG_ATTRIBUTES
        kept = graph.tensor(*self.scores)
        told = Described(self.library, RNG).set(a["distribution"], RNG_DISTRIBUTION, [BERNOULLI])
        told.set(a["probability"], DOUBLE, [1 - self.what.dropout])
        seed, offset = [graph.tensor(*ONE, "int64", name) for name in ("seed", "offset")]
        graph.operation(OPERATION_RNG, (a["rng"], DESCRIPTOR, [told.finish()]), (a["y"], DESCRIPTOR, [kept]), (a["seed"], DESCRIPTOR, [seed]),
                        (a["offset"], DESCRIPTOR, [offset]))
        return kept

    def _product(self, x, y, out, **stops):
        """x @ y.  stops: where packed sequences end, {"rows", "columns" of the product or "terms" of its sums: "q" or "k"}"""
        a = MATMUL_ATTRIBUTES
        told = Described(self.library, MATMUL).set(a["precision"], DATA_TYPE, [TYPES["float32"]]).finish()
        lengths = [] if self.what.packed is None else [(a[place], DESCRIPTOR, [self._length(name)]) for place, name in stops.items()]
        self.graph.operation(OPERATION_MATMUL, (a["a"], DESCRIPTOR, [x]), (a["b"], DESCRIPTOR, [y]), (a["c"], DESCRIPTOR, [out]),
                             (a["matmul"], DESCRIPTOR, [told]), *lengths)
        return out

    def _reduced(self, operator, x, out):
        a = REDUCTION_ATTRIBUTES
        told = Described(self.library, REDUCTION).set(a["operator"], REDUCTION_OPERATOR, [operator])
        told.set(a["precision"], DATA_TYPE, [TYPES["float32"]]).finish()
        self.graph.operation(OPERATION_REDUCTION, (a["reduction"], DESCRIPTOR, [told]), (a["x"], DESCRIPTOR, [x]), (a["y"], DESCRIPTOR, [out]))
        return out

    def _reshaped(self, x, out):
        self.graph.operation(RESHAPE, (RESHAPE_ATTRIBUTES["x"], DESCRIPTOR, [x]), (RESHAPE_ATTRIBUTES["y"], DESCRIPTOR, [out]))
        return out

    def _turned_product(self, x, y, name):
        """x^T @ y of the scores' shape and of queries -> a gradient; that of a head of keys is summed over the heads of queries that it serves."""
        graph, dtype = self.graph, self.what.dtype
        turned = self._reshaped(x, graph.tensor(*self.turned, dtype))
        out = self._input(name)
        if self.g == self.h:
            self._product(turned, y, out, rows="k", terms="q")
            return
        features = getattr(self.what, name)[0][3]
        sizes = (self.b, self.h, self.s, features)
        steps = (self.h * self.s * features, self.s * features, features, 1)
        self._reduced(SUM, self._product(turned, y, graph.tensor(sizes, steps, dtype), rows="k", terms="q"), out)

    def _query_gradient(self, ds, k):
        """dq = ds k.  Parts are added up in float32 in no fixed order, unless the same bits are asked for, or the gradient of a bias, beside which
        the library has the other way only."""
        what, graph = self.what, self.graph
        k = self._reshaped(k, graph.tensor(*what.k, what.dtype, offsets=None if what.packed is None else self._offsets("k")))
        if what.same_bits or what.learns:
            self._product(ds, k, self._input("dq"), rows="q", terms="k")
            return
        if what.compact:
            total = graph.tensor(*what.dq, "float32", "dq_sum", offsets=self._offsets("dq"))
        else:
            total = graph.tensor(what.q[0], (self.h * self.l * self.d, self.l * self.d, self.d, 1), "float32", "dq_sum")
        graph.pointwise(IDENTITY, self._input("dq"), self._product(ds, k, total, rows="q", terms="k"))


def _heads_between_rows(sizes):
    """Steps of (B, H, L, E) stored as (B, L, H, E)."""
    _, h, rows, e = sizes
    return (h * rows * e, rows * e, h * e, 1)

"""einsum, as permutations, sums and one matrix product per pair of operands; all of them recorded, so it has derivatives of every order."""
import math
import string

from .. import ops
from .._core.tensor import Tensor


def einsum(equation, *operands):
    """Sums of products by the Einstein convention: einsum("bij,bjk->bik", a, b).

    equation  one term of letters per operand, `...` for dimensions that broadcast; without "->", letters that occur once, in order, are left
    operands  tensors, also as one list; or the form einsum(a, [0, 1], b, [1, 2], [0, 2])
    A letter twice in one term takes the diagonal.  Dimensions of size 1 broadcast.  RuntimeError, in torch's words, for what does not fit.
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_lists((equation, *operands))
    operands = operands[0] if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else operands
    terms, output = _parse(equation, operands)
    _check_sizes(terms, operands)
    parts = [_without_repeats(x, list(term)) for x, term in zip(operands, terms)]
    x, labels = parts[0]
    for i, (y, more) in enumerate(parts[1:]):
        later = set(output).union(*(t for _, t in parts[i + 2:]))
        x, labels = _pair(x, labels, y, more, later)
    x, labels = _sum_out(x, labels, set(output))
    return _arranged(x, labels, output)


# -- the equation ------------------------------------------------------------------------------------------------------

def _from_lists(args):
    """(equation, operands) of einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    def letters(numbers):
        return "".join("..." if n is ... else string.ascii_letters[n] for n in numbers)
    pairs = len(args) // 2
    terms = [letters(args[2 * i + 1]) for i in range(pairs)]
    tail = "->" + letters(args[-1]) if len(args) % 2 else ""
    return ",".join(terms) + tail, list(args[0:2 * pairs:2])


def _parse(equation, operands):
    """(labels of each operand, labels of the result).  The dimensions of `...` are labelled by negative numbers, -1 the last of them."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        what = "fewer" if len(operands) < len(terms) else "more"
        raise RuntimeError(f"einsum(): {what} operands were provided than specified in the equation: {len(operands)} for '{equation}'")
    labels = [_labels(term, x._data.ndim, i) for i, (term, x) in enumerate(zip(terms, operands))]
    dots = max((-min(t) for t in ([n for n in term if isinstance(n, int)] for term in labels) if t), default=0)
    if arrow:
        output = [n for part in right.partition("...") for n in (range(-dots, 0) if part == "..." else part)]
        if right.count(".") not in (0, 3):
            raise RuntimeError("einsum(): found '.' in the output that is not part of any ellipsis")
    else:
        flat = [n for term in labels for n in term]
        output = [*range(-dots, 0), *sorted(n for n in set(flat) if isinstance(n, str) and flat.count(n) == 1)]
    known = {n for term in labels for n in term}
    for n in output:
        if n not in known:
            raise RuntimeError(f"einsum(): output subscript {n} does not appear in the equation for any input operand")
        if output.count(n) > 1:
            raise RuntimeError(f"einsum(): output subscript {n} appears more than once in the output")
    return labels, output


def _labels(term, ndim, operand):
    before, dots, after = term.partition("...")
    for n in before + after:
        if n not in string.ascii_letters:
            raise RuntimeError(f"einsum(): invalid subscript given at index {term.index(n)} of operand {operand} in the equation string, "
                               "subscripts must be in [a-zA-Z]")
    spare = ndim - len(before) - len(after)
    if spare < 0 or (spare and not dots):
        raise RuntimeError(f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) "
                           f"{'is more than' if spare < 0 else 'does not match'} the number of dimensions ({ndim}) for operand {operand}"
                           + ("" if dots else " and no ellipsis was given"))
    return [*before, *range(-spare, 0), *after]


def _check_sizes(terms, operands):
    seen = {}
    for i, (term, x) in enumerate(zip(terms, operands)):
        for n, size in zip(term, x._data.shape):
            if seen.setdefault(n, size) != size and 1 not in (size, seen[n]):
                raise RuntimeError(f"einsum(): subscript {n} has size {size} for operand {i} which does not broadcast with previously seen size "
                                   f"{seen[n]}")
            seen[n] = max(seen[n], size) if size else 0


# -- the contraction ---------------------------------------------------------------------------------------------------

def _without_repeats(x, labels):
    """The diagonal along labels that occur twice."""
    for n in dict.fromkeys(labels):
        while labels.count(n) > 1:
            i = labels.index(n)
            j = labels.index(n, i + 1)
            x = ops.diagonal(x, 0, i, j)
            labels = [m for k, m in enumerate(labels) if k not in (i, j)] + [n]
    return x, labels


def _sum_out(x, labels, keep):
    """Sum over the labels that nothing else needs."""
    axes = tuple([i for i, n in enumerate(labels) if n not in keep])
    return (ops.sum(x, axes), [n for n in labels if n in keep]) if axes else (x, labels)


def _pair(x, a, y, b, later):
    """The contraction of two operands over the labels that no later operand and not the result needs."""
    x, a = _squeezed(x, a, dict(zip(b, y._data.shape)))
    y, b = _squeezed(y, b, dict(zip(a, x._data.shape)))
    x, a = _sum_out(x, a, later | set(b))
    y, b = _sum_out(y, b, later | set(a))
    both = [n for n in a if n in b]
    batch, inner = [n for n in both if n in later], [n for n in both if n not in later]
    rows, columns = [n for n in a if n not in both], [n for n in b if n not in both]
    size = {**dict(zip(a, x._data.shape)), **dict(zip(b, y._data.shape))}
    out = tuple([size[n] for n in (*batch, *rows, *columns)])
    groups = [math.prod(size[n] for n in g) for g in (batch, rows, inner, columns)]
    left = ops.reshape(_arranged(x, a, [*batch, *rows, *inner]), _group(groups, batch, 1, 2))
    right = ops.reshape(_arranged(y, b, [*batch, *inner, *columns]), _group(groups, batch, 2, 3))
    product = ops.matmul(left, right) if inner else ops.multiply(left, right)
    return ops.unsafe_reshape(product, out), [*batch, *rows, *columns]


def _group(sizes, batch, i, j):
    return (sizes[0], sizes[i], sizes[j]) if batch else (sizes[i], sizes[j])


def _squeezed(x, labels, other):
    """Without the dimensions of size 1 that broadcast against a larger one of the other operand."""
    gone = tuple([i for i, n in enumerate(labels) if x._data.shape[i] == 1 and other.get(n, 1) != 1])
    return (ops.squeeze(x, gone), [n for i, n in enumerate(labels) if i not in gone]) if gone else (x, labels)


def _arranged(x, labels, order):
    return x if labels == list(order) else ops.transpose(x, tuple([labels.index(n) for n in order]))

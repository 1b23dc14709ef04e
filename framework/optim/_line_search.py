"""A line search for the strong Wolfe conditions, on values and slopes (Nocedal and Wright 2006, algorithms 3.5 and 3.6)."""
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A place on the line.

    step: how far along the direction;  value: of the function;  gradient: a tensor (N,);  slope: gradient times direction, a 0-d tensor
    """

    step: Any
    value: float
    gradient: Any
    slope: Any


def cubic_minimum(a, b, bounds=None):
    """The step at which the cubic through two Points is smallest, kept in `bounds` (by default between them).

    The middle of the bounds where the cubic has no minimum.  Equation 3.59.
    """
    low, high = bounds or ((a.step, b.step) if a.step <= b.step else (b.step, a.step))
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square.sqrt()
    left, right = (a, b) if a.step <= b.step else (b, a)
    step = right.step - (right.step - left.step) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(step, low), high)


def strong_wolfe(evaluate, start, step, length, c1=1e-4, c2=0.9, tolerance_change=1e-9, max_evaluations=25):
    """Search from the Point `start` (its step is 0), trying `step` first.  Returns (the Point found, evaluations).

    evaluate: step -> Point;  length: the largest element of the direction, by which a bracket counts as too small (tolerance_change);
    c1, c2: of the conditions value <= start + c1 * step * slope and |slope| <= c2 * |slope at the start|
    """
    def too_high(point):
        return point.value > start.value + c1 * point.step * start.slope

    def flat_enough(point):
        return abs(point.slope) <= -c2 * start.slope

    bracket, done, evaluations = _bracket(evaluate, start, step, too_high, flat_enough, max_evaluations)
    if done:
        return bracket[0], evaluations
    return _zoom(evaluate, bracket, evaluations, too_high, flat_enough, length, tolerance_change, max_evaluations)


def _bracket(evaluate, start, step, too_high, flat_enough, max_evaluations):
    """Go outwards until a step fits (done), or two Points lie round one that does.  Returns (Points, done, evaluations)."""
    previous, point, evaluations = start, evaluate(step), 1
    for tries in range(max_evaluations):
        if too_high(point) or (tries > 1 and point.value >= previous.value):
            return [previous, point], False, evaluations
        if flat_enough(point):
            return [point], True, evaluations
        if point.slope >= 0:
            return [previous, point], False, evaluations
        bounds = (point.step + 0.01 * (point.step - previous.step), point.step * 10)
        previous, point = point, evaluate(cubic_minimum(previous, point, bounds))
        evaluations += 1
    return [start, point], False, evaluations


def _zoom(evaluate, bracket, evaluations, too_high, flat_enough, length, tolerance_change, max_evaluations):
    """Narrow a bracket of two Points.  Returns (the lower one at the end, evaluations)."""
    low = 0 if bracket[0].value <= bracket[1].value else 1
    slow = False  # the last step made little progress
    while evaluations <= max_evaluations and not abs(bracket[1].step - bracket[0].step) * length < tolerance_change:
        step, slow = _away_from_ends(cubic_minimum(*bracket), [p.step for p in bracket], slow)
        point = evaluate(step)
        evaluations += 1
        if too_high(point) or point.value >= bracket[low].value:
            bracket[1 - low] = point
            low = 0 if bracket[0].value <= bracket[1].value else 1
            continue
        fits = flat_enough(point)
        if not fits and point.slope * (bracket[1 - low].step - bracket[low].step) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
        if fits:
            break
    return bracket[low], evaluations


def _away_from_ends(step, ends, slow):
    """`step`, or a tenth of the bracket away from the near end when steps go there a second time.  Returns (step, slow)."""
    near, far = min(ends), max(ends)
    margin = 0.1 * (far - near)
    if not min(far - step, step - near) < margin:
        return step, False
    if not (slow or step >= far or step <= near):
        return step, True
    return (far - margin if abs(step - far) < abs(step - near) else near + margin), False

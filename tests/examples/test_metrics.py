"""examples/_metrics.py beside the definitions."""
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import ringgrad

_FILE = Path(__file__).resolve().parents[2] / "examples" / "_metrics.py"
_spec = importlib.util.spec_from_file_location("examples_metrics", _FILE)
metrics = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(metrics)

RNG = np.random.default_rng(0)
SCORES, LABELS, PREDICTED = RNG.standard_normal((50, 4)), RNG.integers(0, 4, 50), RNG.integers(0, 4, 50)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_hits_and_accuracy(k):
    best = np.argsort(-SCORES, axis=1)[:, :k]
    expected = sum(label in row for label, row in zip(LABELS, best))
    scores, labels = ringgrad.from_numpy(SCORES), ringgrad.from_numpy(LABELS)
    assert metrics.hits(scores, labels, k).item() == expected
    assert metrics.accuracy(scores, labels, k) == expected / 50
    assert math.isnan(metrics.accuracy(scores[:0], labels[:0], k))


def test_a_mean_of_groups_is_that_of_all():
    running = metrics.RunningMean()
    assert math.isnan(running.mean)
    values = RNG.standard_normal(10)
    for part in np.split(values, [3, 4, 9]):
        running.add(ringgrad.tensor(part.mean()), len(part))
    assert running.mean == pytest.approx(values.mean()) and running.count == 10


def test_a_confusion_matrix():
    matrix = metrics.ConfusionMatrix(4)
    for part in (slice(0, 20), slice(20, 50)):
        matrix.add(ringgrad.from_numpy(PREDICTED[part]), ringgrad.from_numpy(LABELS[part]))
    said, are = PREDICTED, LABELS
    expected = np.array([[np.sum((are == i) & (said == j)) for j in range(4)] for i in range(4)])
    assert matrix.counts.tolist() == expected.tolist()
    assert matrix.accuracy() == pytest.approx(np.mean(said == are))
    assert matrix.recall() == pytest.approx([expected[i, i] / np.sum(are == i) for i in range(4)])
    assert matrix.precision() == pytest.approx([expected[i, i] / np.sum(said == i) for i in range(4)])


def test_a_confusion_matrix_of_nothing_and_of_unknown_classes():
    matrix = metrics.ConfusionMatrix(2)
    assert math.isnan(matrix.accuracy()) and all(map(math.isnan, matrix.recall() + matrix.precision()))
    with pytest.raises(ValueError, match="labels reach from 0 to 2, and the matrix has classes 0 to 1"):
        matrix.add(ringgrad.tensor([0, 1]), ringgrad.tensor([0, 2]))
    assert matrix.counts.sum() == 0


STOPS = [
    ({"patience": 2}, [1, 2, 2, 1, 3], [False, False, False, True, False]),
    ({"patience": 1, "better": min}, [3, 2, 2.5], [False, False, True]),
    ({"patience": 1, "min_delta": 0.5}, [1, 1.4, 1.6], [False, True, False]),
    ({"patience": 1, "min_delta": 0.5, "better": min}, [1, 0.9, 0.4], [False, True, False]),
    ({"patience": None}, [1, 0, 0, 0], [False] * 4),
    ({"patience": 2}, [math.nan, math.nan, 1], [False, True, False]),
    ({"patience": 1}, [-5, -4, -6], [False, False, True]),
]


@pytest.mark.parametrize(("arguments", "scores", "expected"), STOPS, ids=[str(row[0]) + str(row[1]) for row in STOPS])
def test_early_stopping(arguments, scores, expected):
    stopping = metrics.EarlyStopping(**arguments)
    assert [stopping.update(s) for s in scores] == expected


def test_early_stopping_goes_on_from_a_checkpoint():
    first, second = metrics.EarlyStopping(2), metrics.EarlyStopping(2)
    assert not first.update(1) and not first.update(1)
    second.load_state_dict(first.state_dict())
    assert second.update(1) and first.update(1)
    with pytest.raises(ValueError, match="better must be max or min"):
        metrics.EarlyStopping(1, better=sum)

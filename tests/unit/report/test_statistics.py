"""Curves, intervals and the kind of task, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from dlutil_core.report import bootstrap
from dlutil_core.report.performance import confusion_matrix, errors, performance, wilson
from dlutil_core.report.tasks import BINARY, CLASSES, LABELS, OTHER, REGRESSION, Task, task_of


def binary(count: int = 300, seed: int = 0, ties: bool = False) -> Task:
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.3
    scores = np.clip(0.3 + 0.25 * truth + 0.2 * rng.normal(size=count), 0, 1)
    return task_of(truth.astype(int), np.round(scores, 1) if ties else scores)


@pytest.mark.parametrize("ties", [False, True])
def test_curves_are_those_of_scikit_learn(ties: bool) -> None:
    task = binary(ties=ties)
    truth, scores = task.truth[:, 0], task.scores[:, 0]
    found = bootstrap.statistics(task)
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(truth, scores)
    )
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, scores > 0.5))


def test_weights_are_repeated_records() -> None:
    task = binary(60, ties=True)
    weights = next(bootstrap.draws(60, 1))
    assert weights.sum() == 60 and weights.max() > 1
    rows = np.repeat(np.arange(60), weights.astype(int))
    repeated = Task(BINARY, task.truth[rows], task.scores[rows], True)
    assert bootstrap.statistics(task, weights) == pytest.approx(bootstrap.statistics(repeated))


def test_regression_statistics_and_weights() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(50, 2))
    task = task_of(truth, truth + rng.normal(size=(50, 2)))
    found = bootstrap.statistics(task)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(truth, task.scores))
    expected = np.mean([np.corrcoef(truth[:, k], task.scores[:, k])[0, 1] for k in (0, 1)])
    assert found["pearson"] == pytest.approx(expected)
    weights = next(bootstrap.draws(50, 1))
    rows = np.repeat(np.arange(50), weights.astype(int))
    repeated = Task(REGRESSION, task.truth[rows], task.scores[rows])
    assert bootstrap.statistics(task, weights) == pytest.approx(bootstrap.statistics(repeated))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    # The area of two normal distributions d apart is Phi(d / sqrt 2); d = 1: 0.7602.
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(60):
        truth = np.repeat([0, 1], 100)
        scores = rng.normal(size=200) + truth
        found = bootstrap.intervals(task_of(truth, scores))["metrics"]["auroc"]
        inside += found["low"] <= 0.7602 <= found["high"]
    assert inside >= 50


def test_intervals_are_the_same_every_time_and_bounded_in_work() -> None:
    assert bootstrap.intervals(binary()) == bootstrap.intervals(binary())
    assert bootstrap.resamples_for(100) == 1000
    assert bootstrap.resamples_for(10**9) == 100


def test_intervals_leave_out_what_is_not_defined() -> None:
    one_class = task_of(np.ones(20, int), np.linspace(0.1, 0.9, 20))
    assert set(bootstrap.intervals(one_class)["metrics"]) == {"accuracy"}
    constant = task_of(np.zeros(20), np.ones(20) * 3.5)
    assert set(bootstrap.intervals(constant)["metrics"]) == {"mse"}
    assert bootstrap.intervals(task_of(np.ones(1), np.ones(1) * 2.5))["metrics"] == {}


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[labels]


@pytest.mark.parametrize(
    ("kind", "y_true", "y_pred"),
    [
        (BINARY, np.array([0, 1, 1]), np.array([0.1, 0.9, 0.4])),
        (BINARY, np.array([[0.0], [1.0]]), np.array([[0.1], [0.9]])),
        (BINARY, np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])),
        (BINARY, np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.1], [0.2, 0.8]])),
        (BINARY, np.array([0, 1]), np.array([-2.0, 3.0])),
        (CLASSES, np.array([0, 2]), np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])),
        (CLASSES, one_hot(np.array([0, 2]), 3), np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])),
        (LABELS, np.array([[1, 1, 0], [0, 1, 0]]), np.array([[0.9, 0.8, 0.1], [0.2, 0.6, 0.3]])),
        (LABELS, np.array([[1, 1], [0, 1]]), np.array([[0.9, 0.8], [0.2, 0.6]])),
        (REGRESSION, np.array([0.5, 2.0]), np.array([0.4, 2.2])),
        (REGRESSION, np.array([[0.5], [2.0]]), np.array([0.4, 2.2])),
        (OTHER, np.array([1.0, 2.0]), np.array([[0.4, 1.0, 2.0], [2.2, 1.0, 0.0]])),
    ],
)
def test_kind_of_task(kind: str, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    task = task_of(y_true, y_pred)
    assert task.kind == kind
    for figure in [*performance(task), *errors(task)]:
        assert figure.caption and figure.chart.x_label and figure.chart.y_label
        assert figure.chart.svg().startswith("<svg ")


def test_confusion_matrix_is_scikit_learns() -> None:
    task = binary()
    expected = metrics.confusion_matrix(task.truth[:, 0], task.scores[:, 0] > 0.5)
    assert (confusion_matrix(task) == expected).all()
    rng = np.random.default_rng(4)
    labels, scores = rng.integers(0, 4, 100), rng.dirichlet(np.ones(4), 100)
    task = task_of(labels, scores)
    assert (confusion_matrix(task) == metrics.confusion_matrix(labels, scores.argmax(1))).all()


def test_wilson_interval() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857, table I: 15 of 148.
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=2e-4)
    assert wilson(0.0, 20)[0] == 0.0

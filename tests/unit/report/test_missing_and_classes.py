"""Missing labels are left out of figures and intervals; classes go by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from dlutil_core.report import bootstrap
from dlutil_core.report.performance import confusion_matrix, errors, performance
from dlutil_core.report.tables import data_table
from dlutil_core.report.tasks import BINARY, CLASSES, LABELS, REGRESSION, Task, read_task, task_of

RNG = np.random.default_rng(0)


def some_missing(labels: np.ndarray, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """The labels as float32 with NaN in places, and where they are known."""
    known = RNG.random(labels.shape) >= share
    return np.where(known, labels, np.nan).astype(np.float32), known


def drawn(task: Task) -> str:
    return "".join(f.chart.title + f.caption for f in [*performance(task), *errors(task)])


@pytest.mark.parametrize("shape", [(200,), (200, 1)])
def test_records_without_a_label_are_left_out(shape: tuple[int, ...]) -> None:
    truth = RNG.integers(0, 2, shape)
    scores = np.clip(truth.ravel() * 0.3 + RNG.random(200) * 0.7, 0, 1)
    labels, known = some_missing(truth)
    task = task_of(labels, scores)
    rows = known.ravel()
    assert task.kind == BINARY and task.records == rows.sum()
    expected = metrics.roc_auc_score(truth.ravel()[rows], scores[rows])
    assert bootstrap.intervals(task)["metrics"]["auroc"]["value"] == pytest.approx(expected)
    assert confusion_matrix(task).sum() == rows.sum() and drawn(task)


def test_classes_with_missing_labels() -> None:
    truth = RNG.integers(0, 3, (90, 1))
    scores = RNG.dirichlet([1, 1, 1], 90)
    labels, known = some_missing(truth)
    task = task_of(labels, scores, ("a", "b", "c"))
    assert task.kind == CLASSES and task.names == ("a", "b", "c")
    assert task.truth.argmax(1).tolist() == truth[known].tolist()


def test_columns_with_missing_labels() -> None:
    truth = RNG.integers(0, 2, (300, 3))
    scores = np.clip(truth * 0.2 + RNG.random((300, 3)) * 0.8, 0, 1)
    labels, known = some_missing(truth)
    labels[0] = np.nan
    known[0] = False
    task = task_of(labels, scores)
    assert task.kind == LABELS and task.records == known.any(1).sum()
    found = bootstrap.intervals(task)["metrics"]
    areas = [metrics.roc_auc_score(truth[k, i], scores[k, i]) for i, k in enumerate(known.T)]
    assert found["auroc"]["value"] == pytest.approx(np.mean(areas))
    right = ((scores > 0.5) == truth)[known]
    assert found["accuracy"]["value"] == pytest.approx(right.mean())
    assert found["accuracy"]["low"] < right.mean() < found["accuracy"]["high"]
    assert "nan" not in drawn(task)


def test_regression_with_missing_labels() -> None:
    truth = RNG.normal(size=(200, 2))
    pred = truth + RNG.normal(size=(200, 2))
    labels, known = some_missing(truth)
    task = task_of(labels, pred)
    assert task.kind == REGRESSION
    found = bootstrap.statistics(task)
    assert found["mse"] == pytest.approx(((truth - pred)[known] ** 2).mean(), rel=1e-6)
    each = [np.corrcoef(truth[k, i], pred[k, i])[0, 1] for i, k in enumerate(known.T)]
    assert found["pearson"] == pytest.approx(np.mean(each), rel=1e-6)
    assert np.isfinite(found["mse"]) and "nan" not in drawn(task)
    assert task_of(labels[:, 0], pred[:, 0]).records == known[:, 0].sum()


@pytest.mark.parametrize("columns", [1, 3])
def test_no_label_at_all(columns: int) -> None:
    task = task_of(np.full((20, columns), np.nan, np.float32), RNG.random((20, columns)))
    assert bootstrap.intervals(task)["metrics"] == {}
    assert performance(task) and errors(task)


def test_classes_go_by_their_names(tmp_path: Path) -> None:
    truth = RNG.integers(0, 3, (120, 1))
    scores = RNG.dirichlet([1, 1, 1], 120)
    names = np.array(["dark", "en<hancer", "prömoter"])
    np.savez(tmp_path / "outputs.npz", y_true=truth, y_pred=scores, classes=names)
    task = read_task(tmp_path / "outputs.npz")
    assert task.kind == CLASSES and task.names == tuple(names)
    found = bootstrap.intervals(task)["metrics"]
    recalls = metrics.recall_score(truth, scores.argmax(1), average=None)
    for name, recall, k in zip(names, recalls, range(3), strict=True):
        assert found[f"recall.{name}"]["value"] == pytest.approx(recall)
        area = metrics.roc_auc_score(truth[:, 0] == k, scores[:, k])
        assert found[f"auroc.{name}"]["value"] == pytest.approx(area)
    [_, matrix] = errors(task)
    assert [text for _, text in matrix.chart.x.ticks] == list(names)
    assert [text for text, _ in performance(task)[0].chart.legend] == list(names)


def test_two_named_classes() -> None:
    truth = RNG.integers(0, 2, 50)
    task = task_of(truth, RNG.random(50), ("no", "yes"))
    assert task.kind == BINARY and task.names == ("no", "yes")
    assert "Positives are the class yes" in drawn(task) and "above 0.5 is class yes" in drawn(task)


def test_names_of_other_classes_are_not_used() -> None:
    assert task_of(RNG.integers(0, 3, 50), RNG.dirichlet([1] * 3, 50), ("a", "b")).names == ()
    assert task_of(RNG.normal(size=50), RNG.normal(size=50), ("a", "b")).names == ()


def test_the_data_table_tells_classes_and_missing_labels() -> None:
    entry = {"file": "train.h5", "records": 3, "shape": [3, 4, 1, 5]}

    class Results:
        data = [  # noqa: RUF012
            entry | {"labels": [{"classes": ["a", "b"], "counts": {"a": 1, "b": 1}, "missing": 1}]},
            entry | {"labels": [{"classes": list("abcdefgh")}]},
            entry | {"labels": [{"min": None, "max": None, "mean": None, "missing": 3}]},
        ]

    table = data_table(Results())  # type: ignore[arg-type]
    assert table is not None
    told = [row[table.head.index("labels")] for row in table.rows]
    assert told == ["a: 1, b: 1, 1 missing", "8 classes", "none known, 3 missing"]

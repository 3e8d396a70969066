"""What kind of task labels and predictions of a test set belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlutil_core.model.metrics import class_labels, class_scores

BINARY = "binary"
CLASSES = "classes"
LABELS = "labels"
REGRESSION = "regression"
OTHER = "other"


@dataclass(frozen=True)
class Task:
    """Labels and predictions in one form.

    Parameters
    ----------
    kind
        `binary` (`truth` bool `(N, 1)`, `scores` `(N, 1)` of class 1), `classes` (`truth` bool
        `(N, K)` one-hot, `scores` `(N, K)` that add up to 1), `labels` (`truth` bool `(N, K)`,
        each column a yes or no of its own), `regression` (both float64 `(N, C)`) or `other`
        (`scores` alone).
    probabilities
        Whether the scores are within 0 and 1.
    names
        Names of the classes in the order of their numbers, or of the labels or columns, where they
        are known.
    known
        Bool, the shape of `truth`: which labels are not missing; `None`: all of them. Records
        without any label are left out of the task.
    """

    kind: str
    truth: np.ndarray
    scores: np.ndarray
    probabilities: bool = False
    names: tuple[str, ...] = ()
    known: np.ndarray | None = None

    @property
    def records(self) -> int:
        """How many records were tested."""
        return len(self.scores)

    def rows(self, column: int) -> np.ndarray:
        """Numbers of the records whose label in this column is known."""
        return (
            np.arange(self.records) if self.known is None else np.flatnonzero(self.known[:, column])
        )

    def name(self, number: int) -> str:
        """What class (or column) `number` is called."""
        return self.names[number] if self.names else str(number)


def read_task(outputs: Path) -> Task:
    """The task of a `test/outputs.npz`."""
    with np.load(outputs) as arrays:
        y_true, y_pred = arrays.get("y_true"), arrays.get("y_pred")
        names = tuple(str(name) for name in arrays.get("classes", ()))
    if y_true is None or y_pred is None:
        values = np.empty(0) if y_pred is None else y_pred
        return Task(OTHER, np.empty((0, 0)), values.reshape(len(values), -1))
    return task_of(y_true, y_pred, names)


def task_of(y_true: np.ndarray, y_pred: np.ndarray, names: tuple[str, ...] = ()) -> Task:
    """The task that labels and predictions, arrays `(N, …)`, look like.

    Labels that are NaN are missing: records without any other are left out. `names` are those of
    the classes, labels or columns, used where there are as many of these.
    """
    if y_true.dtype.kind == "f" and np.isnan(y_true).any() and len(y_true) == len(y_pred):
        return _partly_known(y_true, y_pred, names)
    task = _kind_of(y_true, y_pred)
    return _named(task, names)


def _named(task: Task, names: tuple[str, ...]) -> Task:
    """The task with the names of its classes, labels or columns, if these are as many."""
    wanted = 2 if task.kind == BINARY else task.truth.shape[1]
    alone = task.kind == REGRESSION and wanted == 1
    return replace(task, names=names) if len(names) == wanted and not alone else task


def _partly_known(y_true: np.ndarray, y_pred: np.ndarray, names: tuple[str, ...]) -> Task:
    """The task of the records with a label, with a note of those that they lack."""
    known = ~np.isnan(y_true.reshape(len(y_true), -1))
    chosen = known.any(axis=1)
    y_true, y_pred, known = y_true[chosen], y_pred[chosen], known[chosen]
    if known.all():
        return task_of(y_true, y_pred, names)
    # What is missing must not decide what kind of task it is: 0 is a flag and a number.
    filled = _kind_of(np.nan_to_num(y_true, nan=0.0), y_pred)
    if filled.kind in (LABELS, REGRESSION) and filled.truth.shape == known.shape:
        return _named(replace(filled, known=known), names)
    return Task(OTHER, np.empty((0, 0)), filled.scores)


def _kind_of(y_true: np.ndarray, y_pred: np.ndarray) -> Task:
    """The task of labels that are all known."""
    probabilities = bool(((y_pred >= 0) & (y_pred <= 1)).all())
    columns = y_pred.shape[1] if y_pred.ndim == 2 else 1
    flags = bool(np.isin(y_true, (0, 1)).all())
    whole = y_true.dtype.kind in "iub"
    one = columns == 1 or y_true.ndim == 1 or _one_hot(y_true) or y_true.shape[1] == 1
    if flags and one and y_pred.ndim <= 2 and columns <= 2 and (probabilities or whole):
        scores = class_scores(y_pred).astype(np.float64)[:, None]
        return Task(BINARY, (class_labels(y_true) == 1)[:, None], scores, probabilities)
    if y_pred.ndim == 2 and probabilities and _names_classes(y_true, y_pred):
        truth = class_labels(y_true)[:, None] == np.arange(columns)
        return Task(CLASSES, truth, y_pred.astype(np.float64), probabilities)
    if flags and y_true.shape == y_pred.shape and y_pred.ndim == 2 and (probabilities or whole):
        return Task(LABELS, y_true > 0.5, y_pred.astype(np.float64), probabilities)
    if y_true.size == y_pred.size and len(y_pred):
        true, pred = (a.reshape(len(a), -1).astype(np.float64) for a in (y_true, y_pred))
        return Task(REGRESSION, true, pred)
    return Task(OTHER, np.empty((0, 0)), y_pred.reshape(len(y_pred), -1).astype(np.float64))


def _one_hot(y_true: np.ndarray) -> bool:
    return y_true.ndim == 2 and bool((y_true.sum(axis=1) == 1).all())


def _names_classes(y_true: np.ndarray, y_pred: np.ndarray) -> bool:
    """Whether the rows of predictions are distributions over the classes that labels name."""
    if not np.allclose(y_pred.sum(axis=1), 1, atol=1e-3):
        return False
    if y_true.shape == y_pred.shape:
        return _one_hot(y_true)
    labels = y_true.reshape(len(y_true), -1)
    whole = labels.shape[1] == 1 and bool((labels == np.floor(labels)).all())
    return whole and bool(((labels >= 0) & (labels < y_pred.shape[1])).all())

"""Metrics by name, of each class, label or column, and as means over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlutil_core.common.errors import UserError
from dlutil_core.model import metrics

Array = np.ndarray
Row = dict[str, float]


@dataclass(frozen=True)
class Columns:
    """Labels and predictions, a column for each class, label or number that is predicted.

    Parameters
    ----------
    truth, scores
        `(N, C)` float64; of classes and labels the truth is 0 or 1.
    known
        `(N, C)` bool: which labels are not missing.
    chosen
        `(N, C)` bool: what is predicted to be so; of numbers all false.
    exclusive
        Whether a record is of exactly one of the columns.
    """

    truth: Array
    scores: Array
    known: Array
    chosen: Array
    exclusive: bool = False

    def each(self) -> Iterable[tuple[Array, Array, Array]]:
        """Truth, scores and choice of each column, of the records where it is known."""
        for k in range(self.truth.shape[1]):
            rows = self.known[:, k]
            yield self.truth[rows, k], self.scores[rows, k], self.chosen[rows, k]


def of_classes(y_true: Array, y_pred: Array, multi_label: bool | None = None) -> Columns | None:
    """Labels that are classes, or each a yes or no; `None` where they are neither.

    Parameters
    ----------
    y_true
        Class numbers `(N,)` or `(N, 1)`, one-hot or several labels `(N, K)`.
    y_pred
        Probabilities: of class 1 `(N,)` or `(N, 1)`, of each class or label `(N, K)`.
    multi_label
        Whether each column is a yes or no of its own; `None`: unless they are one-hot.
    """
    if y_pred.ndim > 2 or y_true.ndim > 2 or len(y_true) != len(y_pred) or not len(y_true):
        return None
    known = ~np.isnan(y_true) if y_true.dtype.kind == "f" else np.ones(y_true.shape, bool)
    several = y_true.ndim == 2 and y_true.shape == y_pred.shape and y_true.shape[1] > 1
    if multi_label is None:
        multi_label = several and not bool((y_true.sum(axis=1) == 1).all())
    if multi_label:
        if y_true.shape != y_pred.shape or not _are(y_true[known], 2):
            return None
        truth, scores, known = (part.reshape(len(part), -1) for part in (y_true, y_pred, known))
        return Columns(truth.astype(float), scores.astype(float), known, scores > 0.5)
    rows = known.reshape(len(known), -1).all(axis=1)
    y_true, y_pred = y_true[rows], y_pred[rows]
    scores = metrics.class_scores(y_pred).astype(float)
    count = scores.shape[1] if scores.ndim == 2 else 2
    if not several and (y_true.size != len(y_true) or not _are(y_true, count)):
        return None
    truth = metrics.class_labels(y_true)[:, None] == (np.arange(count) if count > 2 else [1])
    if count == 2:
        scores = scores.reshape(len(scores), 1)
        return Columns(truth.astype(float), scores, np.ones_like(truth), scores > 0.5)
    chosen = scores.argmax(axis=1)[:, None] == np.arange(count)
    return Columns(truth.astype(float), scores, np.ones_like(truth), chosen, exclusive=True)


def of_numbers(y_true: Array, y_pred: Array) -> Columns | None:
    """Labels that are numbers, as many as predictions; `None` where they are not."""
    if y_true.size != y_pred.size or len(y_true) != len(y_pred) or not len(y_true):
        return None
    truth, scores = (part.reshape(len(part), -1).astype(float) for part in (y_true, y_pred))
    return Columns(truth, scores, ~np.isnan(truth), np.zeros(truth.shape, bool))


def _are(labels: Array, count: int) -> bool:
    """Whether labels are whole numbers from 0 to below `count`."""
    return bool(((labels >= 0) & (labels < count) & (labels == np.floor(labels))).all())


def average_precision(truth: Array, scores: Array, _: Array) -> float:
    """Mean of precision over recall, without interpolation; ties share a threshold."""
    positives = float(truth.sum())
    if not 0 < positives < len(truth) or not np.isfinite(scores).all():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    found = np.cumsum(truth[order])[ends]
    gained = np.diff(np.append(0.0, found)) / positives
    return float(np.dot(gained, found / (ends + 1)))


def _counts(truth: Array, chosen: Array) -> tuple[float, float, float, float]:
    """True and false positives, false and true negatives."""
    positive = truth > 0.5
    pairs = ((positive & chosen), (~positive & chosen), (positive & ~chosen), ~(positive | chosen))
    true, false, missed, rest = (float(np.count_nonzero(part)) for part in pairs)
    return true, false, missed, rest


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _precision(truth: Array, _: Array, chosen: Array) -> float:
    true, false, *_rest = _counts(truth, chosen)
    return _ratio(true, true + false)


def _recall(truth: Array, _: Array, chosen: Array) -> float:
    true, _false, missed, _rest = _counts(truth, chosen)
    return _ratio(true, true + missed)


def _f1(truth: Array, _: Array, chosen: Array) -> float:
    true, false, missed, _rest = _counts(truth, chosen)
    return _ratio(2 * true, 2 * true + false + missed)


def _mcc(truth: Array, _: Array, chosen: Array) -> float:
    """Matthews' correlation (1975, BBA 405, 442-451)."""
    true, false, missed, rest = _counts(truth, chosen)
    below = math.sqrt((true + false) * (true + missed) * (rest + false) * (rest + missed))
    return _ratio(true * rest - false * missed, below)


def _balanced(truth: Array, _: Array, chosen: Array) -> float:
    true, false, missed, rest = _counts(truth, chosen)
    return (_ratio(true, true + missed) + _ratio(rest, rest + false)) / 2


def _accuracy(truth: Array, _: Array, chosen: Array) -> float:
    return _ratio(float(np.count_nonzero((truth > 0.5) == chosen)), len(truth))


def _auroc(truth: Array, scores: Array, _: Array) -> float:
    return metrics.binary_auroc(truth > 0.5, scores)


def _r2(truth: Array, scores: Array, _: Array) -> float:
    total = float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0
    return 1 - float(((truth - scores) ** 2).sum()) / total if total else math.nan


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else math.nan


Metric = Callable[[Array, Array, Array], float]

OF_CLASSES: dict[str, Metric] = {
    "accuracy": _accuracy,
    "auroc": _auroc,
    "average_precision": average_precision,
    "balanced_accuracy": _balanced,
    "f1": _f1,
    "mcc": _mcc,
    "precision": _precision,
    "recall": _recall,
}
OF_NUMBERS: dict[str, Metric] = {
    "mae": lambda truth, scores, _: _mean(np.abs(truth - scores)),
    "mse": lambda truth, scores, _: _mean((truth - scores) ** 2),
    "pearson": lambda truth, scores, _: metrics.pearson(truth, scores),
    "r2": _r2,
    "spearman": lambda truth, scores, _: metrics.spearman(truth, scores),
}
KNOWN = (*OF_CLASSES, *OF_NUMBERS)
"""Names of all metrics."""

SMALLER_IS_BETTER = ("loss", "mae", "mse")
CORRELATIONS = ("mcc", "pearson", "spearman")
"""Not defined where predictions do not vary, which as a reward is none."""


def columns_for(
    name: str, y_true: Array, y_pred: Array, multi_label: bool | None = None
) -> Columns | None:
    """Labels and predictions as a metric takes them; `None` where they are not of its kind."""
    if not isinstance(y_true, np.ndarray) or not isinstance(y_pred, np.ndarray):
        return None
    if name in OF_NUMBERS:
        return of_numbers(y_true, y_pred)
    return of_classes(y_true, y_pred, multi_label)


def each_column(name: str, columns: Columns) -> list[float]:
    """A metric of each column."""
    metric = (OF_CLASSES | OF_NUMBERS)[name]
    return [metric(*column) for column in columns.each()]


def overall(name: str, columns: Columns) -> float:
    """A metric of all columns: the mean of those on which it is defined.

    Of classes, accuracy is the share of right ones, and balanced accuracy the mean recall.
    """
    if columns.exclusive and name == "accuracy":
        right = (columns.chosen & (columns.truth > 0.5)).any(axis=1)
        return _mean(np.asarray(right))
    if columns.exclusive and name == "balanced_accuracy":
        name = "recall"
    found = [value for value in each_column(name, columns) if not math.isnan(value)]
    return float(np.mean(found)) if found else math.nan


def chosen_metrics(
    names: Iterable[str], y_true: Array, y_pred: Array, multi_label: bool | None = None
) -> Row:
    """The metrics of these names.

    Raises
    ------
    UserError
        One is not for such labels and predictions.
    """
    found = {}
    for name in names:
        columns = columns_for(name, y_true, y_pred, multi_label)
        if columns is None:
            wanted = "numbers" if name in OF_NUMBERS else "classes, or zeros and ones"
            raise UserError(
                f"metrics: {name} is for labels that are {wanted}, with a prediction for each, but "
                f"labels are {_told(y_true)} and predictions {_told(y_pred)}; take it out of "
                "metrics (and reward)"
            )
        found[name] = overall(name, columns)
    return found


def column_metrics(
    names: Iterable[str],
    y_true: Array,
    y_pred: Array,
    multi_label: bool | None = None,
    titles: Sequence[str] | None = None,
) -> Row:
    """The metrics of these names of each class, label or column: `auroc.<title>`.

    Where there is one column, or labels are not of a metric's kind, there is nothing to tell.
    """
    found: Row = {}
    for name in names:
        columns = columns_for(name, y_true, y_pred, multi_label)
        count = columns.truth.shape[1] if columns is not None else 0
        if columns is None or count < 2 or (name == "recall" and not columns.exclusive):
            continue
        called = titles if titles is not None and len(titles) == count else range(count)
        values = each_column(name, columns)
        found |= {f"{name}.{title}": v for title, v in zip(called, values, strict=True)}
    return found


def of_a_column(name: str) -> bool:
    """Whether a metric is that of one class, label or column: `auroc.CTCF`."""
    metric, dot, _ = name.partition(".")
    return bool(dot) and metric in KNOWN


def _told(part: object) -> str:
    if not isinstance(part, np.ndarray):
        return f"a {type(part).__name__}"
    return f"{part.dtype} of shape {part.shape}"


def reward_of(row: Row, wanted: str) -> float:
    """The reward that `reward:` of the config asks for, of an epoch's row.

    Parameters
    ----------
    wanted
        A metric's name, of validation unless it begins with `train_`; with a minus before it where
        smaller is better.
    """
    sign, name = (-1.0, wanted[1:]) if wanted.startswith("-") else (1.0, wanted)
    key = name if name.startswith(("train_", "val_")) else f"val_{name}"
    if key not in row:
        there = ", ".join(k for k in row if k != "epoch")
        raise UserError(f"reward: {wanted} asks for {key}, but there are only {there}")
    value = row[key]
    if math.isnan(value) and key.partition("_")[2] in CORRELATIONS:
        return 0.0
    return sign * value

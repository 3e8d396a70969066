"""Confidence intervals by the bootstrap: records of the test set drawn again with replacement.

Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13: percentile intervals.
A resample is kept as how often each record was drawn, so scores are sorted once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlutil_core.report.tasks import BINARY, CLASSES, LABELS, REGRESSION, Task

LEVEL = 0.95
SEED = 0
MAX_RESAMPLES = 1000
MIN_RESAMPLES = 100
WORK = 2e8
"""Resamples are fewer where the test set is so large that this many values would be passed."""

MAX_CLASSES = 12
"""More classes than these get no metrics of their own."""

GRID = np.linspace(0, 1, 101)
"""Where curves of resamples are compared: false positive rates, or recalls."""


class Curve:
    """ROC and precision-recall of scores, for any weights of the records.

    Parameters
    ----------
    positive
        Boolean labels `(N,)`, some true and some false.
    scores
        `(N,)`; higher means more likely positive. Ties share a threshold.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ordered = scores[self.order]
        self.positive = positive[self.order].astype(np.float64)
        self.ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """False positive rate, true positive rate (recall) and precision by falling threshold."""
        w = np.ones(len(self.order)) if weights is None else weights[self.order]
        true = np.cumsum(w * self.positive)[self.ends]
        false = np.cumsum(w * (1 - self.positive))[self.ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            return false / false[-1], true / true[-1], true / (true + false)


def area(false_rate: np.ndarray, true_rate: np.ndarray) -> float:
    """Area under a ROC curve by trapezoids."""
    x, y = np.append(0.0, false_rate), np.append(0.0, true_rate)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """Mean of precision over recall, without interpolation."""
    gained = np.diff(np.append(0.0, recall))
    return float(np.sum(np.where(gained > 0, gained * np.nan_to_num(precision), 0.0)))


@dataclass
class Bands:
    """Curves of the resamples on `GRID`, as `(B, 101)` arrays."""

    true_rate: np.ndarray
    precision: np.ndarray

    def limits(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limit at each grid point."""
        low, high = np.nanquantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
        return low, high


def resamples_for(values: int) -> int:
    """How many resamples are drawn for arrays of so many values."""
    return int(np.clip(WORK // max(values, 1), MIN_RESAMPLES, MAX_RESAMPLES))


def draws(records: int, resamples: int) -> Iterator[np.ndarray]:
    """How often each record is drawn, one array per resample; the same on every call."""
    rng = np.random.default_rng(SEED)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, records, records), minlength=records).astype(np.float64)


def bands(positive: np.ndarray, scores: np.ndarray) -> Bands:
    """The curves of resamples of one yes-or-no column."""
    curve = Curve(positive, scores)
    true_rates, precisions = [], []
    for weights in draws(len(scores), resamples_for(len(scores))):
        false_rate, true_rate, precision = curve.rates(weights)
        if not (np.isfinite(false_rate[-1]) and np.isfinite(true_rate[-1])):
            continue
        true_rates.append(np.interp(GRID, np.append(0, false_rate), np.append(0, true_rate)))
        place = np.minimum(np.searchsorted(true_rate, GRID - 1e-12), len(true_rate) - 1)
        precisions.append(precision[place])
    return Bands(np.array(true_rates), np.array(precisions))


def statistics(task: Task, weights: np.ndarray | None = None) -> dict[str, float]:
    """Metrics of a task under weights of the records; NaN where one is not defined."""
    return _Statistics(task)(weights)


def weighted_statistics(task: Task) -> Callable[[np.ndarray], dict[str, float]]:
    """The same as a function of the weights, which sorts the scores only once."""
    return _Statistics(task)


@dataclass
class _Column:
    """The curve of one class or label over the records where it is known."""

    name: str
    rows: np.ndarray
    curve: Curve

    def rates(self, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.curve.rates(None if weights is None else weights[self.rows])


class _Statistics:
    """Metrics of a task for any weights of its records."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.columns: list[_Column] = []
        if task.kind in (BINARY, CLASSES, LABELS):
            self.columns = list(self._columns())
            if task.kind == CLASSES:
                right = (task.scores.argmax(axis=1) == task.truth.argmax(axis=1))[:, None]
            else:
                right = (task.scores > 0.5) == task.truth
            known = np.ones_like(right) if task.known is None else task.known
            self.known = known.sum(axis=1).astype(np.float64)
            self.right = (right & known).sum(axis=1).astype(np.float64)

    def _columns(self) -> Iterator[_Column]:
        for k, (truth, scores) in enumerate(
            zip(self.task.truth.T, self.task.scores.T, strict=True)
        ):
            rows = self.task.rows(k)
            if truth[rows].any() and not truth[rows].all():
                yield _Column(self.task.name(k), rows, Curve(truth[rows], scores[rows]))

    def __call__(self, weights: np.ndarray | None = None) -> dict[str, float]:
        if self.task.kind == REGRESSION:
            return self._regression(weights)
        if self.task.kind not in (BINARY, CLASSES, LABELS):
            return {}
        found: dict[str, float] = {}
        if self.task.probabilities:
            w = np.ones(len(self.known)) if weights is None else weights
            total = float(w @ self.known)
            found["accuracy"] = float(w @ self.right) / total if total else math.nan
        rates = [column.rates(weights) for column in self.columns]
        if rates:
            areas = [area(f, t) for f, t, _ in rates]
            precisions = [average_precision(t, p) for _, t, p in rates]
            found["auroc"] = float(np.mean(areas))
            found["average_precision"] = float(np.mean(precisions))
            if self.task.kind != BINARY and self.task.truth.shape[1] <= MAX_CLASSES:
                for name, values in (("auroc", areas), ("average_precision", precisions)):
                    titles = [f"{name}.{column.name}" for column in self.columns]
                    found |= dict(zip(titles, values, strict=True))
                found |= self._recalls(weights) if self.task.kind == CLASSES else {}
        return found

    def _recalls(self, weights: np.ndarray | None) -> dict[str, float]:
        """Fraction of each class's records that are predicted to be of it."""
        w = np.ones(self.task.records) if weights is None else weights
        found = {}
        for k in range(self.task.truth.shape[1]):
            name = self.task.name(k)
            of_class = w * self.task.truth[:, k]
            total = float(of_class.sum())
            found[f"recall.{name}"] = float(of_class @ self.right) / total if total else math.nan
        return found

    def _regression(self, weights: np.ndarray | None) -> dict[str, float]:
        true, pred = self.task.truth, self.task.scores
        w = (np.ones(len(true)) if weights is None else weights)[:, None]
        w = np.broadcast_to(w, true.shape) if self.task.known is None else w * self.task.known
        squares = w * (true - pred) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            each = {
                "pearson": correlations(true, pred, w),
                "spearman": correlations(self._ranks(0, w), self._ranks(1, w), w),
            }
            errors = squares.sum(axis=0) / w.sum(axis=0)
        found = {"mse": float(squares.sum() / w.sum())}
        found |= {name: float(np.mean(values)) for name, values in each.items()}
        if 1 < true.shape[1] <= MAX_CLASSES:
            for name, values in ({"mse": errors} | each).items():
                found |= {f"{name}.{self.task.name(k)}": float(v) for k, v in enumerate(values)}
        return found

    @cached_property
    def _groups(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For labels and predictions, each column's records by the place of their value."""
        both = (self.task.truth, self.task.scores)
        true, pred = ([np.unique(c, return_inverse=True)[1] for c in part.T] for part in both)
        return true, pred

    def _ranks(self, which: int, w: np.ndarray) -> np.ndarray:
        """Mean ranks of each column's records, each counted as often as its weight says."""
        columns = []
        for k, group in enumerate(self._groups[which]):
            counts = np.bincount(group, weights=w[:, k])
            columns.append((np.cumsum(counts) - counts / 2)[group])
        return np.column_stack(columns)


def correlations(a: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Pearson's correlation `(C,)` of columns `(N, C)` under weights of their records."""
    each = w / w.sum(axis=0)
    a, b = a - (each * a).sum(axis=0), b - (each * b).sum(axis=0)
    scale = np.sqrt((each * a * a).sum(axis=0) * (each * b * b).sum(axis=0))
    return np.asarray((each * a * b).sum(axis=0) / scale)


def intervals(task: Task) -> dict[str, Any]:
    """The content of `test/intervals.json`: each metric with its limits."""
    document: dict[str, Any] = {"level": LEVEL, "resamples": 0, "records": task.records}
    document["metrics"] = {}
    if task.records < 2:
        return document
    compute = _Statistics(task)
    count = resamples_for(task.scores.size)
    drawn: dict[str, list[float]] = {}
    for weights in draws(task.records, count):
        for name, value in compute(weights).items():
            drawn.setdefault(name, []).append(value)
    document["resamples"] = count
    for name, value in compute().items():
        kept = np.array([v for v in drawn[name] if np.isfinite(v)])
        if np.isfinite(value) and kept.size:
            low, high = np.quantile(kept, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
            document["metrics"][name] = {"value": value, "low": float(low), "high": float(high)}
    return document

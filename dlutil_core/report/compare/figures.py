"""Pictures of two models beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlutil_core.report import bootstrap
from dlutil_core.report.chart import Chart
from dlutil_core.report.compare.pair import Pair
from dlutil_core.report.scales import Scale, categories, linear
from dlutil_core.report.tasks import BINARY, REGRESSION, Task

if TYPE_CHECKING:
    from dlutil_core.report.compare.comparison import Line

STYLES = ("c0", "c1")
UNIT = Scale(0.0, 1.0, tuple((k / 5, f"{k / 5:.1f}") for k in range(6)))
MAX_LINES = 20
MAX_POINTS = 400


def pictures(pair: Pair, lines: Sequence[Line]) -> list[Chart]:
    """The differences with their limits, and both models' curves."""
    return [_differences(pair, lines), _curves(pair)]


def _differences(pair: Pair, lines: Sequence[Line]) -> Chart:
    """Each metric's difference in percent of the first model's value, as one row."""
    drawn = [
        line
        for line in lines
        if line.a and all(map(math.isfinite, (line.difference, line.low, line.high)))
    ][:MAX_LINES]
    rows = [tuple(100 * v / abs(n.a) for v in (n.low, n.difference, n.high)) for n in drawn]
    reached = [value for row in rows for value in row]
    chart = Chart(
        f"Second model less the first, {pair.records} records",
        linear(min([0.0, *reached]), max([0.0, *reached]), 0.05),
        categories(["" for _ in drawn] or [""]),
        "% of the first model's value, with 95 % limits",
        "metric",
        height=max(300, 120 + 34 * len(drawn)),
    )
    chart.rule(x=0.0)
    for row, (line, (low, middle, high)) in enumerate(zip(drawn, rows, strict=True)):
        style = STYLES[1] if line.is_clear else STYLES[0]
        chart.line([(low, row), (high, row)], f"{style} bold")
        chart.dots([((middle, row), f"{line.metric}: {line.difference:.4g}")], style, 4)
        chart.text(chart.x.low, row, line.metric, dx=4, dy=-9)
    return chart


def _curves(pair: Pair) -> Chart:
    if pair.a.kind == BINARY:
        return _roc(pair)
    if pair.a.kind == REGRESSION:
        return _cumulative(
            pair,
            [np.abs(task.truth - task.scores)[_known(task)] for task in (pair.a, pair.b)],
            "Size of the errors",
            "absolute error (units of the labels)",
            "share of labels with at most this error",
        )
    return _cumulative(
        pair,
        [np.where(t.truth, t.scores, 1 - t.scores)[_true(t)] for t in (pair.a, pair.b)],
        "Belief in what is true",
        "score of the true class or label",
        "share of records with at most this score",
    )


def _known(task: Task) -> np.ndarray:
    return np.ones(task.truth.shape, bool) if task.known is None else task.known


def _true(task: Task) -> np.ndarray:
    """The true class of each record, or every label that is known."""
    one_each = bool((task.truth.sum(axis=1) == 1).all())
    return task.truth if one_each else _known(task)


def _roc(pair: Pair) -> Chart:
    chart = Chart(
        "ROC of both",
        UNIT,
        UNIT,
        "false positive rate (fraction of negatives)",
        "true positive rate (fraction)",
    )
    chart.line([(0, 0), (1, 1)], "cut")
    for task, name, style in zip((pair.a, pair.b), pair.names, STYLES, strict=True):
        rows = task.rows(0)
        positive = task.truth[rows, 0]
        if positive.any() and not positive.all():
            x, y, _ = bootstrap.Curve(positive, task.scores[rows, 0]).rates()
            chart.line([(0.0, 0.0), *zip(x.tolist(), y.tolist(), strict=True)], f"{style} bold")
        chart.legend.append((_short(name), style))
    return chart


def _cumulative(
    pair: Pair, values: Sequence[np.ndarray], title: str, x_label: str, y_label: str
) -> Chart:
    every = np.concatenate([v.ravel() for v in values])
    every = every[np.isfinite(every)] if np.isfinite(every).any() else np.zeros(1)
    chart = Chart(title, linear(float(every.min()), float(every.max())), UNIT, x_label, y_label)
    shares = np.linspace(0, 1, MAX_POINTS)
    for found, name, style in zip(values, pair.names, STYLES, strict=True):
        kept = found[np.isfinite(found)]
        if kept.size:
            at = np.quantile(kept, shares)
            chart.line(list(zip(at.tolist(), shares.tolist(), strict=True)), f"{style} bold")
        chart.legend.append((_short(name), style))
    return chart


def _short(name: str) -> str:
    """The end of a folder's path, which tells it from others."""
    return name if len(name) <= 24 else f"…{name[-23:]}"

"""How the best model does on the test set, as charts with captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlutil_core.common.files import write_json
from dlutil_core.report import bootstrap
from dlutil_core.report.chart import LETTER, Chart, save, short
from dlutil_core.report.scales import Scale, categories, linear
from dlutil_core.report.style import CATEGORIES
from dlutil_core.report.tasks import BINARY, CLASSES, LABELS, REGRESSION, Task, read_task

MAX_DOTS = 2000
MAX_COLUMNS = 6
MAX_CLASSES = 12
BINS = 10
UNIT = Scale(0.0, 1.0, tuple((k / 5, f"{k / 5:.1f}") for k in range(6)))


@dataclass(frozen=True)
class Figure:
    """A chart and how to read it."""

    chart: Chart
    caption: str


def draw_performance(outputs: Path, out: Path) -> None:
    """Write `performance.svg`, `errors.svg` and `intervals.json` into the folder `out`."""
    task = read_task(outputs)
    save([figure.chart for figure in performance(task)], out / "performance.svg")
    save([figure.chart for figure in errors(task)], out / "errors.svg")
    write_json(out / "intervals.json", bootstrap.intervals(task))


def performance(task: Task) -> list[Figure]:
    """ROC and precision-recall, or predicted against true."""
    if task.kind == BINARY and task.truth.any() and not task.truth.all():
        return [_roc(task), _precision_recall(task)]
    if task.kind in (CLASSES, LABELS):
        return _curves_of_columns(task)
    if task.kind == REGRESSION:
        return [_against_true(task, column) for column in shown_columns(task)]
    return [_histogram(task)]


def errors(task: Task) -> list[Figure]:
    """Calibration and confusion matrix, or residuals."""
    if task.kind in (BINARY, CLASSES):
        found = [_calibration(task)] if task.probabilities else []
        few = task.kind == BINARY or task.truth.shape[1] <= MAX_CLASSES
        found += [_confusion(task)] if few and (task.probabilities or task.kind == CLASSES) else []
        return found or [_histogram(task)]
    if task.kind == LABELS and task.probabilities:
        return [_calibration(task)]
    if task.kind == REGRESSION:
        return [f for column in shown_columns(task) for f in _residuals(task, column)]
    return [_histogram(task)]


def shown_columns(task: Task) -> range:
    """The columns of a regression that get pictures."""
    return range(min(task.truth.shape[1], MAX_COLUMNS))


def _roc(task: Task) -> Figure:
    positive, scores = task.truth[:, 0], task.scores[:, 0]
    false_rate, true_rate, _ = bootstrap.Curve(positive, scores).rates()
    value = bootstrap.area(false_rate, true_rate)
    chart = Chart(
        f"ROC, area {value:.3f}",
        UNIT,
        UNIT,
        "false positive rate (fraction of negatives)",
        "true positive rate (fraction)",
    )
    resampled = bootstrap.bands(positive, scores)
    low, high = resampled.limits(resampled.true_rate)
    chart.band(_points(bootstrap.GRID, low), _points(bootstrap.GRID, high), "c0")
    chart.line([(0, 0), (1, 1)], "cut")
    chart.line([(0.0, 0.0), *_points(false_rate, true_rate)], "c0 bold")
    caption = (
        "Each point of the line is a threshold: how many of the positives (up) and of the "
        "negatives (right) score above it. A line near the upper left corner is good, the dotted "
        f"diagonal is chance. The band holds the curves of {len(resampled.true_rate)} bootstrap "
        "resamples, 95 % at each false positive rate."
        + (f" Positives are the class {task.name(1)}." if task.names else "")
    )
    return Figure(chart, caption)


def _precision_recall(task: Task) -> Figure:
    positive, scores = task.truth[:, 0], task.scores[:, 0]
    _, recall, precision = bootstrap.Curve(positive, scores).rates()
    value = bootstrap.average_precision(recall, precision)
    chart = Chart(
        f"Precision and recall, average {value:.3f}",
        UNIT,
        UNIT,
        "recall (fraction of positives found)",
        "precision (fraction of found that are positive)",
    )
    resampled = bootstrap.bands(positive, scores)
    low, high = resampled.limits(resampled.precision)
    chart.band(_points(bootstrap.GRID, low), _points(bootstrap.GRID, high), "c0")
    chart.rule(y=float(positive.mean()))
    chart.line([(0.0, float(precision[0])), *_points(recall, precision)], "c0 bold")
    caption = (
        "How pure the records above a threshold are (up) when so many of the positives are among "
        "them (right). A line near the upper right corner is good; the dotted line is chance, the "
        f"share of positives ({positive.mean():.3g}). The band holds 95 % of the bootstrap "
        "resamples at each recall."
    )
    return Figure(chart, caption)


def _curves_of_columns(task: Task) -> list[Figure]:
    """One ROC and one precision-recall chart with a line for each of the first columns."""
    what = "class" if task.kind == CLASSES else "label"
    roc = Chart(
        f"ROC of each {what}",
        UNIT,
        UNIT,
        "false positive rate (fraction)",
        "true positive rate (fraction)",
    )
    found = Chart(
        f"Precision and recall of each {what}",
        UNIT,
        UNIT,
        "recall (fraction)",
        "precision (fraction)",
    )
    roc.line([(0, 0), (1, 1)], "cut")
    shown = 0
    for column in range(task.truth.shape[1]):
        rows = task.rows(column)
        truth, scores = task.truth[rows, column], task.scores[rows, column]
        if shown == CATEGORIES or truth.all() or not truth.any():
            continue
        false_rate, true_rate, precision = bootstrap.Curve(truth, scores).rates()
        style = f"c{shown}"
        roc.line(
            [(0.0, 0.0), *_points(false_rate, true_rate)], style, f"{what} {task.name(column)}"
        )
        found.line(_points(true_rate, precision), style, f"{what} {task.name(column)}")
        for chart in (roc, found):
            chart.legend.append((task.name(column), style))
        shown += 1
    rest = task.truth.shape[1] - shown
    more = f" {rest} more are not drawn." if rest > 0 else ""
    caption = f"One line for each {what}, against all others.{more} "
    return [
        Figure(roc, caption + "Near the upper left corner is good, the diagonal is chance."),
        Figure(found, caption + "Near the upper right corner is good."),
    ]


def _calibration(task: Task) -> Figure:
    """How often records of a predicted probability are positive."""
    if task.kind == CLASSES:
        scores = task.scores.max(axis=1)
        truth = task.scores.argmax(axis=1) == task.truth.argmax(axis=1)
        of_what, label = "the class with the highest probability", "fraction that is right"
    else:
        known = ... if task.known is None else task.known
        scores, truth = task.scores[known].ravel(), task.truth[known].ravel()
        of_what, label = "the positive class", "fraction that is positive"
    chart = Chart("Calibration", UNIT, UNIT, f"predicted probability of {of_what}", label)
    chart.line([(0, 0), (1, 1)], "cut")
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    points = []
    for index in range(BINS):
        inside = place == index
        count = int(inside.sum())
        if not count:
            continue
        mean, share = float(scores[inside].mean()), float(truth[inside].mean())
        low, high = wilson(share, count)
        chart.line([(mean, low), (mean, high)], "c0 thin")
        points.append(((mean, share), f"{count} records: {share:.3f} at {mean:.3f}"))
    chart.line([point for point, _ in points], "c0")
    chart.dots(points, "c0", radius=4)
    caption = (
        "Records in ten groups by predicted probability: what was predicted (right) and how often "
        "it was so (up), with 95 % Wilson intervals. On the dotted diagonal a probability means "
        "what it says; below it the model is too sure."
    )
    return Figure(chart, caption)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a fraction (Wilson 1927, JASA 22, 209-212)."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def confusion_matrix(task: Task) -> np.ndarray:
    """Counts `(K, K)`: rows are true classes, columns predicted ones."""
    if task.kind == BINARY:
        truth, chosen, size = task.truth[:, 0].astype(int), (task.scores[:, 0] > 0.5).astype(int), 2
    else:
        truth, chosen = task.truth.argmax(axis=1), task.scores.argmax(axis=1)
        size = task.truth.shape[1]
    return np.bincount(truth * size + chosen, minlength=size * size).reshape(size, size)


def _confusion(task: Task) -> Figure:
    counts = confusion_matrix(task)
    names = [task.name(k) for k in range(len(counts))]
    left = int(min(150, max(60, 32 + LETTER * max(map(len, names)))))
    wide = [short(name, (406 - left) / len(names) - 4) for name in names]
    axis, rows = categories(wide), [short(name, left - 30) for name in names]
    flipped = Scale(axis.low, axis.high, tuple((len(rows) - 1 - v, n) for v, n in enumerate(rows)))
    chart = Chart("Confusion matrix", axis, flipped, "predicted class", "true class", left=left)
    totals = counts.sum(axis=1)
    for row, total in enumerate(totals):
        for column, count in enumerate(counts[row]):
            share = count / total if total else 0.0
            chart.cell(column, len(names) - 1 - row, share, f"{count} ({share:.0%})")
    how = (
        f"a probability above 0.5 is class {task.name(1)}"
        if task.kind == BINARY
        else "the likeliest class"
    )
    caption = (
        f"Records by true class (row) and predicted class (column; {how}), with the share of the "
        "row. The diagonal from the upper left to the lower right is right."
    )
    return Figure(chart, caption)


def _against_true(task: Task, column: int) -> Figure:
    true, pred = _thinned(task, column)
    low, high = float(min(true.min(), pred.min())), float(max(true.max(), pred.max()))
    axis = linear(low, high, 0.03)
    name = _column(task, column)
    chart = Chart(
        f"Predicted against true{name}",
        axis,
        axis,
        "true value (units of the labels)",
        "predicted value (units of the labels)",
    )
    chart.line([(low, low), (high, high)], "cut")
    chart.dots([(p, "") for p in _points(true, pred)], "c0", radius=2.5)
    return Figure(
        chart,
        "One point for each record of the test set; on the dotted line the prediction is exact."
        + _thinning(task, column),
    )


def _residuals(task: Task, column: int) -> list[Figure]:
    true, pred = _thinned(task, column)
    rows = task.rows(column)
    every = task.truth[rows, column] - task.scores[rows, column]
    axis = linear(float(every.min()), float(every.max()), 0.03)
    name = _column(task, column)
    scattered = Chart(
        f"Residuals{name}",
        linear(float(pred.min()), float(pred.max()), 0.03),
        axis,
        "predicted value (units of the labels)",
        "true - predicted (units of the labels)",
    )
    scattered.rule(y=0.0)
    scattered.dots([(p, "") for p in _points(pred, true - pred)], "c0", radius=2.5)
    caption = (
        "What is left over, against the prediction: an even band about the dotted zero is good, a "
        "bend or a funnel shows what the model does not know yet." + _thinning(task, column)
    )
    counts = _histogram_of(
        every, f"Distribution of residuals{name}", "true - predicted (units of the labels)"
    )
    counts.chart.rule(x=0.0)
    return [Figure(scattered, caption), counts]


def _histogram(task: Task) -> Figure:
    values = task.scores.ravel()
    return _histogram_of(values, "Predictions on the test set", "prediction (units of the labels)")


def _histogram_of(values: np.ndarray, title: str, label: str) -> Figure:
    values = values[np.isfinite(values)]
    values = values if values.size else np.zeros(1)
    counts, edges = np.histogram(values, bins=30)
    chart = Chart(
        title,
        linear(float(edges[0]), float(edges[-1])),
        linear(0.0, float(counts.max())),
        label,
        "records (count)",
    )
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            chart.bar(float(low), float(high), count, "c0", f"{count}")
    return Figure(chart, "How many values fall into each of 30 intervals of equal width.")


def _column(task: Task, column: int) -> str:
    """What a column's pictures add to their titles."""
    if task.names:
        return f", {task.name(column)}"
    return f", column {column}" if task.truth.shape[1] > 1 else ""


def _thinned(task: Task, column: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `MAX_DOTS` records, evenly spaced in record order."""
    rows = task.rows(column)
    rows = rows[:: max(1, -(-len(rows) // MAX_DOTS))]
    return task.truth[rows, column], task.scores[rows, column]


def _thinning(task: Task, column: int) -> str:
    count = len(task.rows(column))
    step = -(-count // MAX_DOTS)
    return f" Every {step}th of {count} records is drawn." if step > 1 else ""


def _points(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True) if np.isfinite(b)]

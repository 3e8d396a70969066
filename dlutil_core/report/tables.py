"""The report's tables: heads and rows of cells that are ready to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from dlutil_core.model.chosen_metrics import of_a_column
from dlutil_core.report.axes import value_text
from dlutil_core.report.collect import ABSENT, Results, Test
from dlutil_core.report.tasks import CLASSES, LABELS
from dlutil_core.search.plan import MODEL

SHOWN_AT_FIRST = 50
MAX_FAILED = 50


@dataclass(frozen=True)
class Table:
    """A table: `numeric` says which columns hold numbers."""

    caption: str
    head: list[str]
    rows: list[list[str]]
    numeric: list[bool]


def shown(value: Any, digits: int = 5) -> str:
    """A value as text: floats in a few digits, what is undefined as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)


def leaderboard(results: Results) -> Table:
    """Every trial, best first."""
    metrics = [n for n in results.trials[0].metrics if n != "reward"]
    config = results.hyperparameters
    head = [
        "rank",
        "trial",
        results.plan.kind,
        "epochs",
        "score",
        "best epoch",
        "status",
        *config,
        *metrics,
    ]
    rows = [
        [
            str(t.rank),
            str(t.trial),
            str(t.bracket),
            str(t.budget),
            shown(t.score, 6),
            shown(t.best_epoch),
            t.status,
            *(_config_text(results.value(t, name)) for name in config),
            *(shown(t.metrics.get(name, math.nan)) for name in metrics),
        ]
        for t in results.trials
    ]
    caption = (
        "Every trial at the last rung that it reached, best first; the metrics are those of its "
        "best epoch. A click on a head sorts."
    )
    return Table(caption, head, rows, [_all_numbers(column) for column in zip(*rows, strict=True)])


def _config_text(value: Any) -> str:
    """A hyperparameter's value; floats are shortened where they are long."""
    if value is ABSENT:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if len(repr(value)) > 8 else repr(value)
    return value_text(value)


def _all_numbers(column: tuple[str, ...]) -> bool:
    for text in column:
        try:
            float(text.replace("–", "0") or 0)
        except ValueError:
            return False
    return True


def failed_trials(results: Results) -> Table | None:
    """Failed trials, those with equal messages together."""
    groups: dict[tuple[str, str], list[int]] = {}
    for trial in results.trials:
        if trial.failed:
            groups.setdefault((trial.status, trial.message), []).append(trial.trial)
    if not groups:
        return None
    rows = [
        [status, str(len(numbers)), _numbers(numbers), message]
        for (status, message), numbers in sorted(groups.items(), key=lambda g: g[1])
    ]
    more = len(rows) - MAX_FAILED
    caption = "Trials without a score; they rank last and end no search."
    if more > 0:
        caption += f" {more} more messages are in best/leaderboard.csv."
    head = ["status", "trials", "which", "message"]
    return Table(caption, head, rows[:MAX_FAILED], [False, True, False, False])


def _numbers(numbers: list[int], most: int = 8) -> str:
    text = ", ".join(map(str, numbers[:most]))
    return f"{text} and {len(numbers) - most} more" if len(numbers) > most else text


def plan_table(results: Results) -> Table:
    """Brackets and rungs."""
    plan = results.plan
    rows = [
        [
            str(b.number),
            " → ".join(f"{r.trials} to {r.budget}" for r in b.rungs),
            str(b.rungs[0].trials),
            str(b.epochs),
        ]
        for b in plan.brackets
    ]
    rows.append(["all", "", str(plan.trial_count), str(plan.epochs)])
    caption = (
        "Each bracket starts with its trials and, at each rung, goes on with the best of them."
    )
    if plan.is_staged:
        caption = (
            "Each stage starts with its trials and, at each rung, goes on with the best of them "
            "and of those that stages before cut there."
        )
        if plan.sampler == MODEL:
            caption += " What it tries is drawn by what came of the stages before."
    head = [plan.kind, "trials and epochs of each rung", "trials", "epochs in all"]
    return Table(caption, head, rows, [False, False, True, True])


def data_table(results: Results) -> Table | None:
    """The data sets' statistics: as preprocessing counted them, or as the loaders gave them."""
    if results.data:
        caption = (
            "Lengths in letters as in the raw files; GC and N as fractions of letters; duplicates "
            "are records of equal sequence within the file."
        )
        return _with_content(caption, results.data, "file")
    if results.baseline is not None:
        return _with_content("As the loaders of def.py gave them.", results.baseline.sets)
    sets = results.test.sets if results.test is not None else []
    caption = "As get_test_generator gave it; baseline: true tells of all sets."
    return _with_content(caption, sets) if sets else None


def _with_content(caption: str, entries: list[dict[str, Any]], what: str = "set") -> Table:
    """One line for each set; columns in which nothing stands are left out."""
    head = [what, "records", "shape", "length", "GC", "N", "labels", "duplicates"]
    numeric = [False, True, False, False, True, True, False, True]
    rows = [_set_line(entry) for entry in entries]
    kept = [k for k in range(len(head)) if any(row[k] not in ("", "–") for row in rows)]
    return Table(
        caption,
        [head[k] for k in kept],
        [[row[k] for k in kept] for row in rows],
        [numeric[k] for k in kept],
    )


def _set_line(entry: dict[str, Any]) -> list[str]:
    lengths = entry.get("lengths") or {}
    width = ""
    if lengths:
        low, high = lengths["min"], lengths["max"]
        width = str(low) if low == high else f"{low}–{high}"
    duplicates = (entry.get("duplicates") or {}).get("within", {}).get("records")
    return [
        str(entry["file"]),
        str(entry["records"]),
        " × ".join(map(str, entry["shape"])),
        width,
        shown(entry.get("gc"), 3),
        shown(entry.get("n_fraction"), 3),
        _labels(entry.get("labels") or []),
        shown(duplicates),
    ]


def _labels(columns: list[dict[str, Any]]) -> str:
    if len(columns) > 3:
        return f"{len(columns)} columns"
    texts = []
    for column in columns:
        counts = column.get("counts")
        missing = f", {column['missing']} missing" if column.get("missing") else ""
        if counts and len(counts) <= 6:
            told = ", ".join(f"{value}: {count}" for value, count in counts.items())
        elif "classes" in column:
            told = f"{len(column['classes'])} classes"
        elif column["min"] is None:
            told = "none known"
        else:
            told = f"{column['min']:.4g} to {column['max']:.4g}, mean {column['mean']:.4g}"
        texts.append(told + missing)
    return "; ".join(texts)


def metrics_table(results: Results) -> Table | None:
    """Metrics on the test set, with intervals where there are some."""
    test = results.test
    if test is None:
        return None
    known = test.intervals["metrics"]
    rows = [
        [name, shown(value), _interval(known.get(name), value)]
        for name, value in told_metrics(test).items()
        if not of_a_column(name)
    ]
    count, records = test.intervals["resamples"], test.intervals["records"]
    caption = (
        f"The best model on the {records} records of the test set, which the search never saw. "
        f"Intervals: percentiles of {count} bootstrap resamples of the records."
    )
    head = ["metric", "value", "95 % interval"]
    return Table(caption, head, rows, [False, True, False])


def told_metrics(test: Test) -> dict[str, float | None]:
    """All metrics of the test, those of the model first."""
    known = {name: found["value"] for name, found in test.intervals["metrics"].items()}
    return test.metrics | {name: value for name, value in known.items() if name not in test.metrics}


def columns_table(results: Results) -> Table | None:
    """The metrics of each class, label or column; `None` where there is one."""
    test = results.test
    if test is None:
        return None
    every = {name: v for name, v in told_metrics(test).items() if of_a_column(name)}
    parts = [name.partition(".") for name in every]
    metrics = list(dict.fromkeys(metric for metric, _, _ in parts))
    titles = list(dict.fromkeys(title for _, _, title in parts))
    if not titles:
        return None
    known, task = test.intervals["metrics"], test.task
    counts = {}
    if task.kind in (CLASSES, LABELS):
        counts = {task.name(k): str(int(n)) for k, n in enumerate(task.truth.sum(axis=0))}
    limited = {name.partition(".")[0] for name in known if of_a_column(name)}
    rows = []
    for title in titles:
        row = [title, counts.get(title, "")] if counts else [title]
        for metric in metrics:
            name = f"{metric}.{title}"
            row.append(shown(every.get(name), 4))
            row += [_interval(known.get(name), every.get(name))] if metric in limited else []
        rows.append(row)
    what = {CLASSES: "class", LABELS: "label"}.get(task.kind, "column")
    head = [what, *(["records"] if counts else [])]
    numeric = [False, *([True] if counts else [])]
    for metric in metrics:
        head += [metric, "95 % interval"] if metric in limited else [metric]
        numeric += [True, False] if metric in limited else [True]
    caption = (
        f"Each {what} against all others." if task.kind == CLASSES else f"Each {what} by itself."
    )
    return Table(caption, head, rows, numeric)


def baseline_table(results: Results) -> Table | None:
    """The metrics of the test beside those of a baseline."""
    if results.test is None or results.baseline is None:
        return None
    told = told_metrics(results.test)
    rows = [
        [name, shown(told[name]), shown(value)]
        for name, value in results.baseline.metrics.items()
        if name in told and not of_a_column(name)
    ]
    caption = "On the same test set; both were trained and chosen on the same split."
    return Table(caption, ["metric", "this model", "baseline"], rows, [False, True, True])


def _interval(found: dict[str, float] | None, value: float | None) -> str:
    """The interval, where it belongs to this very number."""
    if found is None or value is None or not math.isclose(found["value"], value, rel_tol=1e-3):
        return ""
    return interval_text(found["low"], found["high"])


def interval_text(low: float, high: float, digits: int = 4) -> str:
    """Limits rounded outward, so that they are never narrower than what was computed and hold every
    value between them as it is rounded itself.
    """
    largest = max(abs(low), abs(high))
    if not largest or not math.isfinite(largest):
        return f"{low:g} to {high:g}"
    unit = Decimal(1).scaleb(math.floor(math.log10(largest)) - digits + 1)
    texts = []
    for value, rounding in ((low, ROUND_FLOOR), (high, ROUND_CEILING)):
        # What is a rounded number but for its last bits stays it.
        known = Decimal(f"{value:.{digits + 5}g}")
        texts.append(f"{float(known.quantize(unit, rounding)):.{digits + 2}g}")
    return " to ".join(texts)


def weights_table(results: Results) -> Table:
    """Every tensor of the model."""
    rows = [
        [w.name, " × ".join(map(str, w.shape)) or "1", str(w.values), "yes" if w.trained else "no"]
        for w in results.weights
    ]
    head = ["tensor", "shape", "numbers", "trained"]
    return Table("The model's tensors.", head, rows, [False, False, True, False])


def config_table(results: Results) -> Table:
    """The best model's configuration, with values as the search's pictures show them."""
    rows = [
        [name, repr(value) if isinstance(value, float) else value_text(value)]
        for name, value in results.config.items()
    ]
    head = ["hyperparameter", "value"]
    return Table("Hyperparameters of the best model.", head, rows, [False, False])


def pairs_table(caption: str, values: dict[str, Any]) -> Table:
    """Keys and values; sections as `search.eta`."""
    rows = [[name, shown(value, 12)] for name, value in flat(values)]
    return Table(caption, ["key", "value"], rows, [False, False])


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """A nested dictionary as pairs of dotted names and values."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            found.append((prefix + name, ", ".join(map(str, value))))
        else:
            found.append((prefix + name, value))
    return found

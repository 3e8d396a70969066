"""The report's tables: heads and rows of cells that are ready to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dlutil_core.report.collect import Results

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


def config_text(text: str) -> str:
    """A hyperparameter's text, floats shortened where they are long."""
    try:
        return f"{float(text):.5g}" if len(text) > 8 else text
    except ValueError:
        return text


def leaderboard(results: Results) -> Table:
    """Every trial, best first."""
    metrics = [n for n in results.trials[0].metrics if n != "reward"]
    config = results.hyperparameters
    head = [
        "rank",
        "trial",
        "bracket",
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
            *(config_text(t.config.get(name, "")) for name in config),
            *(shown(t.metrics.get(name, math.nan)) for name in metrics),
        ]
        for t in results.trials
    ]
    caption = (
        "Every trial at the last rung that it reached, best first; the metrics are those of its "
        "best epoch. A click on a head sorts."
    )
    return Table(caption, head, rows, [_all_numbers(column) for column in zip(*rows, strict=True)])


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
    head = ["bracket", "trials and epochs of each rung", "trials", "epochs in all"]
    return Table(caption, head, rows, [False, False, True, True])


def data_table(results: Results) -> Table | None:
    """The data sets' statistics, as preprocessing counted them."""
    if not results.data:
        return None
    rows = []
    for entry in results.data:
        lengths = entry.get("lengths") or {}
        width = ""
        if lengths:
            low, high = lengths["min"], lengths["max"]
            width = str(low) if low == high else f"{low}–{high}"
        duplicates = (entry.get("duplicates") or {}).get("within", {}).get("records")
        rows.append(
            [
                str(entry["file"]),
                str(entry["records"]),
                " × ".join(map(str, entry["shape"])),
                width,
                shown(entry.get("gc"), 3),
                shown(entry.get("n_fraction"), 3),
                _labels(entry.get("labels") or []),
                shown(duplicates),
            ]
        )
    head = ["file", "records", "shape", "length", "GC", "N", "labels", "duplicates"]
    caption = (
        "Lengths in letters as in the raw files; GC and N as fractions of letters; duplicates are "
        "records of equal sequence within the file."
    )
    return Table(caption, head, rows, [False, True, False, False, True, True, False, True])


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
    rows = [[n, shown(v), _interval(known.get(n), v)] for n, v in test.metrics.items()]
    rows += [
        [n, shown(found["value"]), _interval(found, found["value"])]
        for n, found in known.items()
        if n not in test.metrics
    ]
    count, records = test.intervals["resamples"], test.intervals["records"]
    caption = (
        f"The best model on the {records} records of the test set, which the search never saw. "
        f"Intervals: percentiles of {count} bootstrap resamples of the records."
    )
    head = ["metric", "value", "95 % interval"]
    return Table(caption, head, rows, [False, True, False])


def _interval(found: dict[str, float] | None, value: float | None) -> str:
    """The interval, where it belongs to this very number."""
    if found is None or value is None or not math.isclose(found["value"], value, rel_tol=1e-3):
        return ""
    return f"{found['low']:.4g} to {found['high']:.4g}"


def weights_table(results: Results) -> Table:
    """Every tensor of the model."""
    rows = [
        [w.name, " × ".join(map(str, w.shape)) or "1", str(w.values), "yes" if w.trained else "no"]
        for w in results.weights
    ]
    head = ["tensor", "shape", "numbers", "trained"]
    return Table("The model's tensors.", head, rows, [False, False, True, False])


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

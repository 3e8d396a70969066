"""How the best model was trained, as charts with captions."""

from __future__ import annotations

import math

import numpy as np

from dlutil_core.report.chart import Chart
from dlutil_core.report.collect import Results
from dlutil_core.report.performance import Figure
from dlutil_core.report.scales import linear, robust_range

MAX_METRICS = 6


def history_figures(results: Results) -> list[Figure]:
    """One chart for each metric of the best trial: training and validation by epoch."""
    rows = results.history
    names = [n for n in rows[0] if n not in ("epoch", "reward")]
    pairs = list(dict.fromkeys(n.removeprefix("train_").removeprefix("val_") for n in names))
    figures = []
    for pair in pairs[:MAX_METRICS]:
        curves = {
            prefix: [(r["epoch"], r[f"{prefix}_{pair}"]) for r in rows if f"{prefix}_{pair}" in r]
            for prefix in ("train", "val")
        }
        finite = {k: [p for p in c if math.isfinite(p[1])] for k, c in curves.items()}
        values = np.array([y for c in finite.values() for _, y in c])
        if not values.size:
            continue
        low, high = robust_range(values)
        chart = Chart(
            pair,
            linear(0, max(2.0, float(rows[-1]["epoch"])), whole=True),
            linear(low, high, 0.04),
            "epoch",
            f"{pair} (mean over the set)" if pair == "loss" else pair,
        )
        if results.best.best_epoch is not None:
            chart.rule(x=results.best.best_epoch)
        for prefix, style, text in (("train", "c0", "training"), ("val", "c1", "validation")):
            if finite[prefix]:
                chart.line(finite[prefix], f"{style} bold", text)
                chart.legend.append((text, style))
        figures.append(Figure(chart, ""))
    return figures

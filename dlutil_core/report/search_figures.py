"""How the search went, as charts with captions."""

from __future__ import annotations

import math

import numpy as np

from dlutil_core.report.axes import Axis, value_text
from dlutil_core.report.chart import LETTER, Chart, short
from dlutil_core.report.collect import Results
from dlutil_core.report.performance import Figure
from dlutil_core.report.scales import Scale, at_values, linear, reward_range
from dlutil_core.report.style import step_style
from dlutil_core.search.leaderboard import Standing
from dlutil_core.search.plan import Bracket
from dlutil_core.search.trial_folder import EpochRow

MAX_POINTS = 120
"""Points of one learning curve; longer ones are thinned."""

MAX_LINES = 300
"""Lines of the parallel coordinates: the best so many trials."""

MAX_HINTS = 1000
"""Points get hints to hover over where there are at most so many trials."""

PANEL = 330
"""Pixels of a panel that its ticks share."""

WIDE, BETWEEN = 1000, 88
"""Pixels of the parallel coordinates at least, and between two of their axes."""


def learning_curves(results: Results) -> list[Figure]:
    """One chart for each bracket or stage."""
    histories = [h for found in results.histories.values() for h in found.values()]
    rewards = [row["reward"] for history in histories for row in history]
    low, high = reward_range(np.array(rewards, dtype=float))
    axis = linear(low, high, 0.04)
    return [
        _bracket_curves(results, bracket, results.histories[bracket.number], axis)
        for bracket in results.plan.brackets
    ]


def _bracket_curves(
    results: Results, bracket: Bracket, histories: dict[int, list[EpochRow]], axis: Scale
) -> Figure:
    best, kind = results.best, results.plan.kind
    budgets = [rung.budget for rung in bracket.rungs]
    last = budgets[-1]
    log = len(budgets) > 2
    if len(budgets) > 1:
        x = at_values(sorted({1, *budgets} if log else {*budgets}), 1 if log else 0, last, log)
    else:
        x = linear(0, last, whole=True)
    plural = "s" if bracket.rungs[0].trials > 1 else ""
    chart = Chart(
        f"{kind.capitalize()} {bracket.number}: {bracket.rungs[0].trials} trial{plural}",
        x if last > 1 else linear(0, 2, whole=True),
        axis,
        f"epoch{' (logarithmic)' if log else ''}",
        "reward",
    )
    for budget in budgets[:-1]:
        chart.rule(x=budget)
    curves = sorted(histories.items(), key=lambda item: (len(item[1]), -item[0]))
    for trial, rows in curves:
        if trial != best.trial:
            rung = next((i for i, b in enumerate(budgets) if len(rows) <= b), len(budgets) - 1)
            chart.line(_curve(rows), f"thin {step_style(rung, len(budgets))}", f"trial {trial}")
    if best.trial in histories:
        rows = histories[best.trial]
        chart.line(_curve(rows), "best bold", f"trial {best.trial}, the best of all")
        chart.legend.append(("best of all", "best"))
    if len(budgets) > 1:
        ended = [f"to {b}" for b in budgets]
        steps = [step_style(i, len(budgets)) for i in range(len(budgets))]
        chart.legend += list(zip(ended, steps, strict=True)) if len(budgets) <= 5 else []
    return Figure(chart, _caption(results, bracket))


def _caption(results: Results, bracket: Bracket) -> str:
    cuts = ", ".join(f"{r.trials} to epoch {r.budget}" for r in bracket.rungs)
    caption = f"One line for each trial: {cuts}."
    if len(bracket.rungs) > 1:
        caption += (
            " At each dotted line, a rung, the best go on, so the stronger the colour, the later "
            "a trial was cut; a dot is a trial of one epoch."
        )
    if results.plan.is_staged and bracket.number:
        caption += (
            " Trials of stages before, which compete at each rung, are drawn where they go on."
        )
    return f"{caption} Rewards below the axis lie at its lower edge."


def _curve(rows: list[EpochRow]) -> list[tuple[float, float]]:
    finite = [(float(r["epoch"]), r["reward"]) for r in rows if math.isfinite(r["reward"])]
    step = -(-len(finite) // MAX_POINTS)
    kept = finite[::step] if step > 1 else finite
    if kept and kept[-1] != finite[-1]:
        kept.append(finite[-1])
    return kept or [(1.0, -math.inf)]


def hyperparameter_figures(results: Results) -> list[Figure]:
    """One chart for each hyperparameter that varies: the trials' scores against its value."""
    scored = [t for t in results.trials if not t.failed]
    low, high = reward_range(np.array([_score(t) for t in scored]))
    budgets = sorted({t.budget for t in scored})
    figures = []
    for axis in varying(results):
        chart = Chart(
            axis.name,
            _narrowed(axis.scale, PANEL / max(len(axis.scale.ticks), 1)),
            linear(low, high, 0.05),
            axis.label,
            "score (best reward)",
        )
        for index, budget in enumerate(budgets):
            style = step_style(index, len(budgets))
            points = [
                ((axis.place(t), _score(t)), _hint(results, t, axis, len(scored)))
                for t in scored
                if t.budget == budget and t is not results.best
            ]
            chart.dots(points, style, spread=9 if axis.few else 0)
            if len(budgets) <= 6:
                chart.legend.append((f"to epoch {budget}" if index == 0 else f"{budget}", style))
        if results.best in scored:
            place = (axis.place(results.best), _score(results.best))
            hint = "the best of all: " + _hint(results, results.best, axis)
            chart.dots([(place, hint)], "best", 4.5)
        figures.append(Figure(chart, ""))
    return figures


def varying(results: Results) -> list[Axis]:
    """The axes of the hyperparameters that vary."""
    return [axis for axis in (Axis(n, results) for n in results.hyperparameters) if axis.varies]


def _hint(results: Results, trial: Standing, axis: Axis, among: int = 0) -> str:
    if among > MAX_HINTS:
        return ""
    value = value_text(results.value(trial, axis.name))
    return f"trial {trial.trial}: {axis.name} {value}, score {trial.score:.6g}"


def _narrowed(scale: Scale, room: float) -> Scale:
    """An axis whose labels take at most so many pixels each."""
    ticks = tuple((value, short(label, room)) for value, label in scale.ticks)
    return Scale(scale.low, scale.high, ticks, scale.log)


def parallel_coordinates(results: Results) -> Figure | None:
    """One line per trial across all hyperparameters that vary, and its score."""
    scored = [t for t in results.trials if not t.failed]
    axes = varying(results)
    if not axes or len(scored) < 2:
        return None
    shown = scored[:MAX_LINES]
    width = max(WIDE, BETWEEN * len(axes) + 120)
    chart = Chart(
        "Configurations and their scores",
        Scale(0.0, float(len(axes)), ()),
        Scale(0, 1, ()),
        "",
        "from the lowest to the highest value",
        width=width,
        height=400,
        right=60,
    )
    low, high = reward_range(np.array([_score(t) for t in shown]))
    score = linear(low, high)
    for index, trial in reversed(list(enumerate(shown))):
        heights = [axis.fraction(trial) for axis in axes] + [score.fraction(_score(trial))]
        points = [(float(i), h) for i, h in enumerate(heights)]
        quality = 5 - min(5, 6 * index // len(shown))
        style = "best bold" if index == 0 else f"thin q{quality}"
        hint = f"trial {trial.trial}: {trial.score:.6g}" if len(shown) <= MAX_HINTS else ""
        chart.line(points, style, hint)
    _label_axes(chart, [*(axis.name for axis in axes), "score"], [*(a.scale for a in axes), score])
    rest = len(scored) - len(shown)
    more = f" Of {len(scored)} trials the best {len(shown)} are drawn." if rest else ""
    caption = (
        "One line for each trial: where it crosses an axis is its value there. The stronger its "
        f"colour, the better its score; the best of all in orange.{more} Where strong lines meet "
        "is a value that works."
    )
    return Figure(chart, caption)


def _label_axes(chart: Chart, names: list[str], scales: list[Scale]) -> None:
    """Ticks beside each axis, and names below: in two rows where they would touch."""
    between = chart.px(1.0) - chart.px(0.0)
    rows = 2 if any(LETTER * len(name) > between - 8 for name in names) else 1
    for index, (name, scale) in enumerate(zip(names, scales, strict=True)):
        chart.rule(x=index, style="ax")
        for value, label in scale.ticks:
            last = index == len(names) - 1
            shown = short(label, 54 if last else between - 14)
            chart.text(index, scale.fraction(value), shown, "lb halo", dx=5, dy=4)
        chart.text(index, 0, short(name, rows * between - 8), "lb mid", 0, 15 + index % rows * 13)


def _score(trial: Standing) -> float:
    return math.nan if trial.score is None else trial.score

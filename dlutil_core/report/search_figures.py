"""How the search went, as charts with captions."""

from __future__ import annotations

import math

import numpy as np

from dlutil_core.report.chart import Chart
from dlutil_core.report.collect import Results
from dlutil_core.report.performance import Figure
from dlutil_core.report.scales import (
    Scale,
    at_values,
    categories,
    linear,
    logarithmic,
    reward_range,
    suits_log,
)
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

MAX_CATEGORIES = 12


def learning_curves(results: Results) -> list[Figure]:
    """One chart for each bracket."""
    histories = [h for found in results.histories.values() for h in found.values()]
    rewards = [row["reward"] for history in histories for row in history]
    low, high = reward_range(np.array(rewards, dtype=float))
    axis = linear(low, high, 0.04)
    return [
        _bracket_curves(bracket, results.histories[bracket.number], axis, results.best)
        for bracket in results.plan.brackets
    ]


def _bracket_curves(
    bracket: Bracket, histories: dict[int, list[EpochRow]], axis: Scale, best: Standing
) -> Figure:
    budgets = [rung.budget for rung in bracket.rungs]
    last = budgets[-1]
    log = len(budgets) > 2
    if len(budgets) > 1:
        x = at_values(sorted({1, *budgets} if log else {*budgets}), 1 if log else 0, last, log)
    else:
        x = linear(0, last)
    plural = "s" if len(histories) > 1 else ""
    chart = Chart(
        f"Bracket {bracket.number}: {bracket.rungs[0].trials} trial{plural}",
        x if last > 1 else linear(0, 2),
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
    cuts = ", ".join(f"{r.trials} to epoch {r.budget}" for r in bracket.rungs)
    caption = f"One line for each trial: {cuts}."
    if len(budgets) > 1:
        caption += (
            " At each dotted line, a rung, the best go on, so the stronger the colour, the later "
            "a trial was cut; a dot is a trial of one epoch."
        )
    caption += " Rewards below the axis lie at its lower edge."
    return Figure(chart, caption)


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
    for name in results.hyperparameters:
        axis = Axis(name, results.trials)
        if not axis.varies:
            continue
        chart = Chart(
            name, axis.scale(), linear(low, high, 0.05), axis.label, "score (best reward)"
        )
        placed = [t for t in scored if not math.isnan(axis.place(t))]
        for index, budget in enumerate(budgets):
            style = step_style(index, len(budgets))
            points = [
                ((axis.place(t), _score(t)), _hint(t, name) if len(scored) <= MAX_HINTS else "")
                for t in placed
                if t.budget == budget and t is not results.best
            ]
            chart.dots(points, style, spread=9 if axis.few else 0)
            if len(budgets) <= 6:
                chart.legend.append((f"to epoch {budget}" if index == 0 else f"{budget}", style))
        if results.best in placed:
            place = (axis.place(results.best), _score(results.best))
            chart.dots([(place, "the best of all: " + _hint(results.best, name))], "best", 4.5)
        figures.append(Figure(chart, ""))
    return figures


def _hint(trial: Standing, name: str) -> str:
    return f"trial {trial.trial}: {name} {trial.config[name]}, score {trial.score:.6g}"


def parallel_coordinates(results: Results) -> Figure | None:
    """One line per trial across all hyperparameters that vary, and its score."""
    scored = [t for t in results.trials if not t.failed]
    axes = [a for a in (Axis(n, results.trials) for n in results.hyperparameters) if a.varies]
    if not axes or len(scored) < 2:
        return None
    shown = scored[:MAX_LINES]
    names = [axis.name for axis in axes] + ["score"]
    across = Scale(0.0, len(axes) + 0.0, tuple((float(i), n) for i, n in enumerate(names)))
    chart = Chart(
        "Configurations and their scores",
        across,
        Scale(0, 1, ()),
        "hyperparameters, and the score at the right",
        "from the lowest to the highest value",
        width=max(560, 130 * len(names)),
        height=340,
        right=44,
    )
    low, high = reward_range(np.array([_score(t) for t in shown]))
    score = linear(low, high)
    for index, trial in reversed(list(enumerate(shown))):
        heights = [axis.fraction(trial) for axis in axes] + [score.fraction(_score(trial))]
        points = [(float(i), h) for i, h in enumerate(heights) if h is not None]
        quality = 5 - min(5, 6 * index // len(shown))
        style = "best bold" if index == 0 else f"thin q{quality}"
        hint = f"trial {trial.trial}: {trial.score:.6g}" if len(shown) <= MAX_HINTS else ""
        chart.line(points, style, hint)
    for index, axis in enumerate(axes):
        _label_axis(chart, index, axis.scale())
    _label_axis(chart, len(axes), score)
    rest = len(scored) - len(shown)
    more = f" Of {len(scored)} trials the best {len(shown)} are drawn." if rest else ""
    caption = (
        "One line for each trial: where it crosses an axis is its value there. The stronger its "
        f"colour, the better its score; the best of all in orange.{more} Where strong lines meet "
        "is a value that works."
    )
    return Figure(chart, caption)


def _label_axis(chart: Chart, index: int, scale: Scale) -> None:
    chart.rule(x=index, style="ax")
    for value, label in scale.ticks:
        shown = label if len(label) <= 14 else label[:13] + "…"
        chart.text(index, scale.fraction(value), shown, "tk halo", dx=5, dy=4)


class Axis:
    """A hyperparameter: numbers, on a linear or logarithmic axis, or categories."""

    def __init__(self, name: str, trials: list[Standing]) -> None:
        self.name = name
        texts = list(dict.fromkeys(t.config.get(name, "") for t in trials))
        values = [_number(text) for text in texts if text]
        self.numeric = bool(values) and all(v is not None for v in values)
        if self.numeric:
            self.values = np.array(sorted({float(v) for v in values if v is not None}))
            self.names: list[str] = []
            self.varies = len(self.values) > 1
            self.log = suits_log(self.values)
        else:
            self.names = sorted(t for t in texts if t)
            self.varies = len(self.names) > 1
            self.log = False
        self.few = not self.numeric or len(self.values) <= MAX_CATEGORIES // 2

    @property
    def label(self) -> str:
        """The axis's label."""
        return f"{self.name}{' (logarithmic)' if self.log else ''}"

    def scale(self) -> Scale:
        """The axis."""
        if not self.numeric:
            shown = self.names if len(self.names) <= MAX_CATEGORIES else [""] * len(self.names)
            return categories([n if len(n) <= 16 else n[:15] + "…" for n in shown])
        low, high = float(self.values[0]), float(self.values[-1])
        if self.log:
            made = logarithmic(low, high, 0.06)
        else:
            made = linear(low, high, 0.06)
        if not self.few:
            return made
        return Scale(made.low, made.high, tuple((v, f"{v:g}") for v in self.values), made.log)

    def place(self, trial: Standing) -> float:
        """Where a trial lies on the axis; NaN where it does not have the hyperparameter."""
        text = trial.config.get(self.name, "")
        if not text:
            return math.nan
        return float(text) if self.numeric else float(self.names.index(text))

    def fraction(self, trial: Standing) -> float | None:
        """The same as a fraction of the axis."""
        place = self.place(trial)
        return None if math.isnan(place) else self.scale().fraction(place)


def _score(trial: Standing) -> float:
    return math.nan if trial.score is None else trial.score


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

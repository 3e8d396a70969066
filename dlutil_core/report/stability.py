"""The report's section on stability: how members spread, and what follows for the choice.

Another seed of the picked configuration is seen in its members. How the other configurations spread
is not known, since each was trained from one seed; they are taken to spread as the picked one does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlutil_core.report.chart import Chart
from dlutil_core.report.collect import Members, Results
from dlutil_core.report.performance import Figure
from dlutil_core.report.scales import linear, robust_range
from dlutil_core.report.tables import Table, shown
from dlutil_core.search.leaderboard import Standing

CURVES_NOTE = (
    "Each line is a member. The strong line is the mean of those that were trained so long, the "
    "band one standard deviation of a member to each side. Members of other folds have other "
    "validation sets."
)

CHOSEN_NOTE = (
    "The configuration was picked in fold 0, whose training and validation parts are what the "
    "other folds test: their members never saw these records, but the choice of the configuration "
    "did."
)

RUNNERS_UP = 5
"""So many of the next best trials are compared with the picked one."""

GRID = 4001
"""Points of the integral over the score of the picked configuration, from -8 to 8 deviations."""


@dataclass(frozen=True)
class Choice:
    """How far the choice of the configuration depends on the seed.

    Attributes
    ----------
    scores
        Of the members on the split that was searched, in the order of their seeds.
    mean, sd
        Of these (N - 1 below the line).
    others
        Other trials that did not fail, best first.
    """

    scores: list[float]
    mean: float
    sd: float
    others: list[Standing]

    @property
    def ahead(self) -> int:
        """How many of the seeds beside the picked one score above every other trial."""
        best = self.others[0].score
        assert best is not None
        return sum(score > best for score in self.scores[1:])

    def again(self) -> float:
        """The chance that the configuration is picked where all seeds are drawn anew.

        Its score is normal about the members' mean, that of each other trial about the score that
        it had, all with the members' standard deviation: the integral of the first's density
        times the chances that the others lie below.
        """
        from scipy.special import ndtr

        z = np.linspace(-8, 8, GRID)
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        rivals = np.array([other.score for other in self.others], dtype=float)
        below = ndtr((self.mean + self.sd * z[:, None] - rivals) / self.sd).prod(axis=1)
        return float(min(1.0, np.trapezoid(density * below, z)))


def choice_of(results: Results) -> Choice | None:
    """What members say of the choice; `None` of fewer than two seeds, or of a single trial."""
    if results.members is None:
        return None
    scores = [float(row["score"]) for row in results.members.rows if row["fold"] == "0"]
    others = [trial for trial in results.trials[1:] if not trial.failed]
    if len(scores) < 2 or not others:
        return None
    sd = float(np.std(scores, ddof=1))
    return Choice(scores, float(np.mean(scores)), sd, others) if sd > 0 else None


def stability(results: Results) -> dict[str, Any] | None:
    """Texts, tables and figures of the section; `None` where nothing was repeated."""
    members = results.members
    if members is None:
        return None
    choice = choice_of(results)
    return {
        "text": _text(members),
        "spread": spread_table(members),
        "curves": member_curves(members),
        "curves_note": CURVES_NOTE,
        "choice_text": "" if choice is None else _choice_text(choice, results.best),
        "runners_up": None if choice is None else runners_up(choice, results.best),
    }


def _text(members: Members) -> str:
    folds = len({row["fold"] for row in members.rows})
    seeds = len(members.rows) // folds
    told = f"The picked configuration was trained from {seeds} seeds"
    if folds > 1:
        told = f"The picked configuration was trained on {folds} folds"
        told += f" from {seeds} seeds each" if seeds > 1 else ""
    told += (
        f", {len(members.rows)} members in all. A standard deviation is that of one member; the "
        "interval is of the mean (95 %, Student's t"
    )
    told += " of the folds' means)." if folds > 1 else ")."
    told += " The ensemble is the mean of the members' predictions."
    return told + (f" {CHOSEN_NOTE}" if folds > 1 else "")


def spread_table(members: Members) -> Table:
    """Each metric over all members."""
    head = ["metric", "mean", "standard deviation", "95 % interval", "lowest", "highest"]
    rows = []
    for name, found in members.summary.items():
        values = [float(row[name]) for row in members.rows if row.get(name)]
        interval = found["interval"]
        limits = "–" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
        ends = [shown(min(values), 4), shown(max(values), 4)] if values else ["–", "–"]
        told = [name, shown(found["mean"]), shown(found["sd"], 2), limits, *ends]
        rows.append([*told, shown(found["ensemble"])])
    caption = "Metrics over members: of validation at their best epochs (val_…), and of the test."
    return Table(caption, [*head, "ensemble"], rows, [False, True, True, False, True, True, True])


def member_curves(members: Members) -> list[Figure]:
    """Reward and validation loss by epoch: each member, and the band of all."""
    figures = []
    for name in ("reward", "val_loss"):
        curves = [_curve(rows, name) for rows in members.histories.values()]
        values = np.array([y for curve in curves for _, y in curve])
        if not values.size:
            continue
        low, high = robust_range(values)
        last = max(x for curve in curves for x, _ in curve)
        title = "Members: reward" if name == "reward" else "Members: validation loss"
        axes = linear(0, max(2.0, last), whole=True), linear(low, high, 0.04)
        chart = Chart(title, *axes, "epoch", name)
        middle, lower, upper = band(curves)
        chart.band(lower, upper, "c0")
        for curve in curves:
            chart.line(curve, "thin c0")
        chart.line(middle, "c0 bold", "mean of the members")
        chart.legend.append(("mean and band of one standard deviation", "c0"))
        figures.append(Figure(chart, ""))
    return figures


Curve = list[tuple[float, float]]


def _curve(rows: Sequence[dict[str, float]], name: str) -> Curve:
    found = [(float(row["epoch"]), row.get(name, math.nan)) for row in rows]
    return [(x, y) for x, y in found if math.isfinite(y)]


def band(curves: Sequence[Curve]) -> tuple[Curve, Curve, Curve]:
    """Means by epoch, and one standard deviation below and above, of the members that got there."""
    at: dict[float, list[float]] = {}
    for curve in curves:
        for x, y in curve:
            at.setdefault(x, []).append(y)
    middle = {x: float(np.mean(values)) for x, values in sorted(at.items())}
    sd = {x: float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for x, v in at.items()}
    lower = [(x, y - sd[x]) for x, y in middle.items()]
    upper = [(x, y + sd[x]) for x, y in middle.items()]
    return list(middle.items()), lower, upper


def _choice_text(choice: Choice, best: Standing) -> str:
    count, other = len(choice.scores) - 1, choice.others[0]
    seeds = "the one other seed" if count == 1 else f"the {count} other seeds"
    return (
        f"Of {seeds} of trial {best.trial}'s configuration on the split that was searched, "
        f"{choice.ahead} would have let it be picked: above the score of the next best trial "
        f"({other.trial}, {shown(other.score)}). Had all trials had other seeds, it would be "
        f"picked with a chance of about {100 * choice.again():.0f} %; this takes it that the score "
        "of each configuration spreads as that of the picked one does (standard deviation "
        f"{choice.sd:.2g}), about the one score that is known of it. A low chance says that "
        "several configurations are as good, not that this one is bad."
    )


def runners_up(choice: Choice, best: Standing) -> Table:
    """The next best trials, and how far they are behind in standard deviations of one seed."""
    rows = [["picked", str(best.trial), shown(choice.mean), "–", "–"]]
    for place, other in enumerate(choice.others[:RUNNERS_UP], start=2):
        assert other.score is not None
        behind = choice.mean - other.score
        told = [str(place), str(other.trial), shown(other.score), shown(behind, 3)]
        rows.append([*told, shown(behind / choice.sd, 2)])
    caption = (
        "The picked configuration with the mean score of its members, and the next best trials. "
        "Behind by less than about two standard deviations is no clear difference; below zero, the "
        "trial is better than the mean member."
    )
    head = ["rank", "trial", "score", "behind", "in standard deviations"]
    return Table(caption, head, rows, [False, True, True, True, True])

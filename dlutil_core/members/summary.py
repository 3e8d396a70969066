"""What all members show together: `members/summary.csv` and `members/summary.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common import result_folder as names
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.members.outputs import read_outputs
from dlutil_core.members.repeat import Member
from dlutil_core.members.spread import mean_of, spread_of
from dlutil_core.members.training import trial_of
from dlutil_core.search.leaderboard import read_standings
from dlutil_core.search.outcome import best_index
from dlutil_core.search.plan import Plan
from dlutil_core.search.trial_folder import parse_row

FIRST = ("fold", "seed", "trial", "trial_seed", "epochs", "best_epoch", "score")
"""The first columns of the table; metrics follow: of validation (`val_…`), then of the test."""


def summarise(result: Path, members: Sequence[Member], tested: LoadedRun | None) -> None:
    """Write the table, a row a member, and the metrics' means and spreads.

    Parameters
    ----------
    result
        The result folder, with what the members left.
    members
        In their order.
    tested
        The run whose model tells the metrics of mean predictions; `None`: nothing was tested.
    """
    rows = [_row(result, member, tested is not None) for member in members]
    columns = list(dict.fromkeys([*FIRST, *(name for row in rows for name in row)]))
    files.write_csv(result / names.MEMBERS_TABLE, columns, rows)
    together = ensemble_metrics(tested, result, members) if tested is not None else {}
    summary = {name: _told(rows, name, together) for name in columns if name not in FIRST}
    files.write_json(result / names.MEMBERS_SUMMARY, summary)


def _row(result: Path, member: Member, tested: bool) -> dict[str, Any]:
    picked = read_standings(result / names.BEST_LEADERBOARD)[0]
    trial = trial_of(Plan.read(result / names.PLAN).trials[picked.trial], member)
    folder = result / names.member(member.fold, member.seed)
    history = [parse_row(row) for row in files.read_csv(folder / names.MEMBER_HISTORY)]
    best = history[best_index(history)]
    row: dict[str, Any] = {"fold": member.fold, "seed": member.seed}
    row |= {"trial": trial.number, "trial_seed": trial.seed, "epochs": len(history)}
    row |= {"best_epoch": best["epoch"], "score": best["reward"]}
    row |= {name: value for name, value in best.items() if name.startswith("val_")}
    return row | (files.read_json(folder / "metrics.json") if tested else {})


def _told(
    rows: Sequence[dict[str, Any]], name: str, together: dict[str, float | None]
) -> dict[str, Any]:
    """A metric's mean, standard deviation, interval, and the value of mean predictions."""
    values: dict[int, list[float]] = {}
    for row in rows:
        value = row.get(name)
        values.setdefault(row["fold"], []).append(math.nan if value is None else value)
    found = spread_of(values)
    interval = None if found.interval is None else list(found.interval)
    told = {"mean": found.mean, "sd": found.sd, "interval": interval}
    return told | {"ensemble": together.get(name)}


def ensemble_metrics(
    tested: LoadedRun, result: Path, members: Sequence[Member]
) -> dict[str, float | None]:
    """Metrics of the members' mean predictions; the mean over folds, each by its own members.

    They are those that the model computes of predictions. Its loss is none: it may be taken of
    something else, such as logits. A model with an `evaluate` of its own tells none.
    """
    from dlutil_core.model.base import BaseModel
    from dlutil_core.trained.ensemble import tested_together
    from dlutil_core.trained.load import restore_model

    model = restore_model(tested, result / names.BEST_MODEL)
    if type(model).evaluate is not BaseModel.evaluate:
        return {}
    call = tested.definition.call
    values: dict[str, list[float]] = {}
    for fold in dict.fromkeys(member.fold for member in members):
        outputs = [read_outputs(result, member) for member in members if member.fold == fold]
        pair = tested_together([found.arrays for found in outputs])
        row = call("the test of the ensemble", model.metrics_of_predictions, *pair)
        further = (model.further_metrics, *pair, outputs[0].classes)
        row = call("the test of the ensemble", *further) | row
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    means = {name: mean_of(every) for name, every in values.items()}
    return {name: value if math.isfinite(value) else None for name, value in means.items()}

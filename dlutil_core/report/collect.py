"""Reads what a report tells from the files of a result folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dlutil_core.common import result_folder as paths
from dlutil_core.common.files import read_csv, read_json
from dlutil_core.loaders.described import described
from dlutil_core.report.tasks import Task, read_task
from dlutil_core.search.leaderboard import Standing, read_histories, read_standings
from dlutil_core.search.network_table import Weight, read_network
from dlutil_core.search.plan import Plan
from dlutil_core.search.trial_folder import EpochRow, parse_row

ABSENT = object()
"""Stands for the value of a hyperparameter that a trial does not have."""


@dataclass
class Test:
    """What the evaluation left."""

    metrics: dict[str, float | None]
    intervals: dict[str, Any]
    provenance: dict[str, Any]
    task: Task
    sets: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Baseline:
    """What a linear model makes of the same split, and what it is."""

    metrics: dict[str, float | None]
    text: str
    sets: list[dict[str, Any]]


@dataclass
class Members:
    """Models of the picked configuration from other seeds and folds.

    Attributes
    ----------
    rows
        Of `members/summary.csv`, as texts.
    summary
        Of `members/summary.json`: of each metric `mean`, `sd`, `interval`, `ensemble`.
    histories
        The epochs of each member by its name.
    """

    rows: list[dict[str, str]]
    summary: dict[str, dict[str, Any]]
    histories: dict[str, list[EpochRow]]


@dataclass
class Results:
    """Everything that a report tells."""

    plan: Plan
    histories: dict[int, dict[int, list[EpochRow]]]
    """The epochs of each trial by its number, by the number of the bracket that trained it."""
    trials: list[Standing]
    """Every trial at the end of the search, best first."""
    history: list[EpochRow]
    weights: list[Weight]
    provenance: dict[str, Any]
    config: dict[str, Any]
    test: Test | None = None
    data: list[dict[str, Any]] = field(default_factory=list)
    preprocess: dict[str, Any] = field(default_factory=dict)
    explained: dict[str, Any] | None = None
    folder: Path = Path()
    title: str = ""
    baseline: Baseline | None = None
    members: Members | None = None

    @property
    def best(self) -> Standing:
        """The best trial of all."""
        return self.trials[0]

    def value(self, trial: Standing, name: str) -> Any:
        """A trial's value of a hyperparameter; `ABSENT` where it has none.

        The leaderboard's texts do not tell `None` from what is absent, nor truths from numbers, so
        the plan is asked where it holds the trial.
        """
        if trial.trial in self._planned:
            return self._planned[trial.trial].get(name, ABSENT)
        return _read_value(trial.config.get(name, ""))

    @cached_property
    def _planned(self) -> dict[int, dict[str, Any]]:
        return {trial.number: trial.config for trial in self.plan.trials}

    @property
    def hyperparameters(self) -> list[str]:
        """Names of all hyperparameters, in the order of the search space."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.config))


def _read_value(text: str) -> Any:
    try:
        return json.loads(text) if text else ABSENT
    except ValueError:
        return text


def collect(
    result: Path,
    statistics: list[Path],
    preprocess: dict[str, Any],
    tested: bool = True,
    explained: bool = False,
    title: str = "",
    baseline: bool = False,
    repeated: bool = False,
) -> Results:
    """Read a result folder.

    Parameters
    ----------
    statistics
        Statistics files that preprocessing wrote beside the data.
    preprocess
        What of the preprocessing's configuration the report tells.
    tested, explained
        Whether the report tells of `test/` and of `explain/`.
    baseline, repeated
        Whether it tells of `baseline/` and of `members/`.
    title
        What the report is called; empty: a name of dlutil's.
    """
    plan = Plan.read(result / paths.PLAN)
    return Results(
        plan=plan,
        histories={
            bracket.number: read_histories(result / "search" / step / paths.HISTORY)
            for bracket, step in zip(plan.brackets, plan.steps, strict=True)
        },
        trials=read_standings(result / paths.BEST_LEADERBOARD),
        history=[parse_row(row) for row in read_csv(result / paths.BEST_HISTORY)],
        weights=read_network(result / paths.BEST_NETWORK),
        provenance=read_json(result / paths.BEST_PROVENANCE),
        config=read_json(result / paths.BEST_CONFIG),
        test=_test(result) if tested else None,
        data=[read_json(path) for path in statistics],
        preprocess=preprocess,
        explained=read_json(result / paths.EXPLAIN_SUMMARY) if explained else None,
        folder=result,
        title=title,
        baseline=_baseline(result) if baseline else None,
        members=_members(result) if repeated else None,
    )


def _members(result: Path) -> Members:
    rows = read_csv(result / paths.MEMBERS_TABLE)
    names = [paths.member_name(int(row["fold"]), int(row["seed"])) for row in rows]
    histories = {
        name: [
            parse_row(row) for row in read_csv(result / paths.MEMBERS / name / paths.MEMBER_HISTORY)
        ]
        for name in names
    }
    return Members(rows, read_json(result / paths.MEMBERS_SUMMARY), histories)


def _baseline(result: Path) -> Baseline:
    about = read_json(result / paths.BASELINE_ABOUT)
    return Baseline(read_json(result / paths.BASELINE_METRICS), about["text"], about["sets"])


def _tested_set(outputs: Path) -> list[dict[str, Any]]:
    """What the test set held, as the loader gave it; nothing where labels are several arrays."""
    with np.load(outputs) as arrays:
        y_true, names = arrays.get("y_true"), arrays.get("classes")
    return [] if y_true is None else [described("test", None, y_true, names)]


def _test(result: Path) -> Test:
    return Test(
        metrics=read_json(result / paths.TEST_METRICS),
        intervals=read_json(result / paths.TEST_INTERVALS),
        provenance=read_json(result / paths.TEST_PROVENANCE),
        task=read_task(result / paths.TEST_OUTPUTS),
        sets=_tested_set(result / paths.TEST_OUTPUTS),
    )

"""Reads what a report tells from the files of a result folder."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlutil_core.common.environment import hashed_env
from dlutil_core.common.files import read_csv, read_json
from dlutil_core.report.tasks import Task, read_task
from dlutil_core.report.weights import Weight, read_weights
from dlutil_core.search.trial_folder import Row, parse_row

LEADERBOARD_NUMBERS = ("rank", "trial", "bracket", "epochs", "score", "best_epoch")


@dataclass
class Trial:
    """A trial at the end of the search: its row of `best/leaderboard.csv`."""

    number: int
    rank: int
    bracket: int
    epochs: int
    score: float
    best_epoch: int | None
    status: str
    message: str
    metrics: dict[str, float]
    config: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether the trial has no score."""
        return self.status != "ok"


@dataclass
class Bracket:
    """A bracket of the plan with the histories of its trials."""

    number: int
    rungs: list[dict[str, int]]
    histories: dict[int, list[Row]] = field(default_factory=dict)


@dataclass
class Test:
    """What the evaluation left."""

    metrics: dict[str, float | None]
    intervals: dict[str, Any]
    provenance: dict[str, Any]
    task: Task


@dataclass
class Results:
    """Everything that a report tells."""

    plan: dict[str, Any]
    brackets: list[Bracket]
    trials: list[Trial]
    history: list[Row]
    weights: list[Weight]
    provenance: dict[str, Any]
    config: dict[str, Any]
    test: Test | None = None
    data: list[dict[str, Any]] = field(default_factory=list)
    preprocess: dict[str, Any] = field(default_factory=dict)
    explained: dict[str, Any] | None = None
    folder: Path = Path()

    @property
    def best(self) -> Trial:
        """The best trial of all."""
        return self.trials[0]

    @property
    def hyperparameters(self) -> list[str]:
        """Names of all hyperparameters, in the order of the search space."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.config))


def collect(
    result: Path,
    statistics: list[Path],
    preprocess: dict[str, Any],
    tested: bool = True,
    explained: bool = False,
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
    """
    plan = read_json(result / "search" / "plan.json")
    brackets = []
    for entry in plan["brackets"]:
        rows = read_csv(result / "search" / f"bracket-{entry['bracket']}" / "history.csv")
        bracket = Bracket(entry["bracket"], entry["rungs"])
        for row in map(parse_row, rows):
            bracket.histories.setdefault(int(row["trial"]), []).append(row)
        brackets.append(bracket)
    best = result / "best"
    return Results(
        plan=plan,
        brackets=brackets,
        trials=[_trial(row) for row in read_csv(best / "leaderboard.csv")],
        history=[parse_row(row) for row in read_csv(best / "history.csv")],
        weights=read_weights(best / "model.pt"),
        provenance=_without_values(read_json(best / "provenance.json")),
        config=read_json(best / "config.json"),
        test=_test(result / "test") if tested else None,
        data=[read_json(path) for path in statistics],
        preprocess=preprocess,
        explained=read_json(result / "explain" / "summary.json") if explained else None,
        folder=result,
    )


def _without_values(provenance: dict[str, Any]) -> dict[str, Any]:
    """Results of before 0.2 hold values of environment variables; no page shows them."""
    found = dict(provenance)
    if "config" in found:
        found["config"] = found["config"] | {"env": hashed_env(found["config"].get("env", {}))}
    return found | ({"env": hashed_env(found["env"])} if "env" in found else {})


def _trial(row: dict[str, str]) -> Trial:
    known = {*LEADERBOARD_NUMBERS, "status", "message"}
    return Trial(
        number=int(row["trial"]),
        rank=int(row["rank"]),
        bracket=int(row["bracket"]),
        epochs=int(row["epochs"]),
        score=float(row["score"]) if row["score"] else math.nan,
        best_epoch=int(row["best_epoch"]) if row["best_epoch"] else None,
        status=row["status"],
        message=row["message"],
        metrics={
            name: float(text) if text else math.nan
            for name, text in row.items()
            if name not in known and not name.startswith("config.")
        },
        config={k.removeprefix("config."): v for k, v in row.items() if k.startswith("config.")},
    )


def _test(folder: Path) -> Test:
    return Test(
        metrics=read_json(folder / "metrics.json"),
        intervals=read_json(folder / "intervals.json"),
        provenance=_without_values(read_json(folder / "provenance.json")),
        task=read_task(folder / "outputs.npz"),
    )

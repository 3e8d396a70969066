"""Leaderboards and histories as tables; written and read without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.result_folder import BRACKET, STAGE
from dlutil_core.search.outcome import OK, Outcome, promoted, ranked
from dlutil_core.search.plan import Bracket, Trial
from dlutil_core.search.trial_folder import EpochRow, parse_row

RUNG_COLUMNS = (
    "bracket",
    "rung",
    "epochs",
    "rank",
    "trial",
    "score",
    "best_epoch",
    "status",
    "promoted",
    "message",
)
FINAL_COLUMNS = (
    "rank",
    "trial",
    "bracket",
    "epochs",
    "score",
    "best_epoch",
    "status",
    "message",
)
CONFIG = "config."
"""How the columns of hyperparameters begin; those of metrics begin with nothing."""


@dataclass(frozen=True)
class Standing:
    """A trial's line of a leaderboard, after it was trained to `budget` epochs.

    `metrics` are those of its best epoch, `config` its hyperparameters as the table's texts; `rung`
    and `promoted` are told of a rung's line alone. `kind` is what `bracket` is called.
    """

    rank: int
    trial: int
    bracket: int
    budget: int
    score: float | None
    best_epoch: int | None
    status: str
    message: str
    metrics: dict[str, float]
    config: dict[str, str]
    rung: int | None = None
    promoted: bool = False
    kind: str = BRACKET

    @property
    def failed(self) -> bool:
        """Whether the trial has no score."""
        return self.status != OK

    def fields(self) -> dict[str, Any]:
        """Values by the table's columns."""
        return {
            self.kind: self.bracket,
            "rung": self.rung,
            "epochs": self.budget,
            "rank": self.rank,
            "trial": self.trial,
            "score": self.score,
            "best_epoch": self.best_epoch,
            "status": self.status,
            "promoted": self.promoted,
            "message": self.message,
            **self.metrics,
            **{f"{CONFIG}{name}": text for name, text in self.config.items()},
        }


def rung_standings(
    bracket: Bracket,
    rung: int,
    order: Sequence[Outcome | Standing],
    trials: dict[int, Trial],
    kind: str = BRACKET,
) -> list[Standing]:
    """The leaderboard's lines of one rung, best first.

    Lines of trials of stages before, which compete for the promotions, are among the outcomes.
    """
    going_on = set(promoted(order, bracket.slots_after(rung)))
    lines = [
        found if isinstance(found, Standing) else _line(found, trials[found.trial])
        for found in order
    ]
    return [
        replace(
            line,
            rank=rank,
            bracket=bracket.number,
            budget=bracket.rungs[rung].budget,
            rung=rung,
            promoted=line.trial in going_on,
            kind=kind,
        )
        for rank, line in enumerate(lines, start=1)
    ]


def _line(found: Outcome, trial: Trial) -> Standing:
    """The line of an outcome, without its place."""
    return Standing(
        rank=0,
        trial=found.trial,
        bracket=trial.bracket,
        budget=0,
        score=found.score,
        best_epoch=found.best_epoch,
        status=found.status,
        message=found.message,
        metrics={k: v for k, v in found.best_row.items() if k != "epoch"},
        config={k: files.format_field(v) for k, v in trial.config.items()},
    )


def columns_of(first: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The first columns, then metrics, then hyperparameters, each in order of appearance."""
    names = [name for name in dict.fromkeys(n for row in rows for n in row) if name not in first]
    metrics = [name for name in names if not name.startswith(CONFIG)]
    return [*first, *metrics, *(name for name in names if name.startswith(CONFIG))]


def write_rungs(path: Path, standings: list[Standing]) -> None:
    """Write `leaderboard.csv` of a bracket."""
    _write(path, RUNG_COLUMNS, standings)


def write_final(path: Path, standings: list[Standing]) -> None:
    """Write `best/leaderboard.csv`."""
    _write(path, FINAL_COLUMNS, standings)


def _write(path: Path, first: Sequence[str], standings: list[Standing]) -> None:
    rows = [standing.fields() for standing in standings]
    left_out = set(RUNG_COLUMNS).difference(first)
    kind = standings[0].kind if standings else BRACKET
    head = [kind if name == BRACKET else name for name in first]
    columns = [name for name in columns_of(head, rows) if name not in left_out]
    files.write_csv(path, columns, rows)


def read_standings(path: Path) -> list[Standing]:
    """The lines of a leaderboard."""
    return [_standing(row) for row in files.read_csv(path)]


def _standing(row: dict[str, str]) -> Standing:
    config = {k.removeprefix(CONFIG): v for k, v in row.items() if k.startswith(CONFIG)}
    known = {*RUNG_COLUMNS, STAGE, *(f"{CONFIG}{name}" for name in config)}
    kind = STAGE if STAGE in row else BRACKET
    return Standing(
        rank=int(row["rank"]),
        trial=int(row["trial"]),
        bracket=int(row[kind]),
        budget=int(row["epochs"]),
        score=float(row["score"]) if row["score"] else None,
        best_epoch=int(row["best_epoch"]) if row["best_epoch"] else None,
        status=row["status"],
        message=row["message"],
        metrics={k: float(v) if v else math.nan for k, v in row.items() if k not in known},
        config=config,
        rung=int(row["rung"]) if "rung" in row else None,
        promoted=row.get("promoted") == "1",
        kind=kind,
    )


def final_standings(brackets: list[list[Standing]]) -> list[Standing]:
    """One line per trial, at the last rung that it reached, best first of all brackets.

    A stage has lines of earlier trials that were not promoted in it: their last rung is another's.
    """
    last: dict[int, Standing] = {}
    for standing in (line for bracket in brackets for line in bracket):
        if standing.trial not in last or standing.budget > last[standing.trial].budget:
            last[standing.trial] = standing
    return [replace(found, rank=rank) for rank, found in enumerate(ranked(last.values()), start=1)]


def write_histories(path: Path, outcomes: list[Outcome]) -> None:
    """Write `history.csv` of a bracket: every epoch of each trial that the plan gave it."""
    rows: list[EpochRow] = [
        {"trial": found.trial, **row}
        for found in sorted(outcomes, key=lambda o: o.trial)
        for row in found.rows
    ]
    files.write_csv(path, columns_of(("trial", "epoch"), rows), rows)


def read_histories(path: Path) -> dict[int, list[EpochRow]]:
    """The epochs of a bracket's `history.csv` by trial."""
    found: dict[int, list[EpochRow]] = {}
    for row in map(parse_row, files.read_csv(path)):
        found.setdefault(int(row.pop("trial")), []).append(row)
    return found

"""What came of a trial at a budget: a view of its history, the same however it was trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dlutil_core.search.trial_folder import Record, Row

OK = "ok"
DIVERGED = "diverged"
RAISED = "raised"
OUT_OF_MEMORY = "out-of-memory"


@dataclass(frozen=True)
class Outcome:
    """A trial at a budget.

    `rows` are its epochs 1…b, fewer where it failed or stopped early. `score` is the highest reward
    in them and `best_epoch` where it was first reached; both are `None` for a failed trial.
    """

    trial: int
    rows: list[Row]
    status: str = OK
    message: str = ""
    traceback: str = ""

    @property
    def failed(self) -> bool:
        """Whether the trial is ranked last, whatever its rewards."""
        return self.status != OK

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the highest reward; the earlier one of equals."""
        if self.failed:
            return None
        return int(max(self.rows, key=lambda row: (row["reward"], -row["epoch"]))["epoch"])

    @property
    def score(self) -> float | None:
        """The highest reward."""
        return None if self.failed else max(row["reward"] for row in self.rows)

    @property
    def best_row(self) -> Row:
        """The row of `best_epoch`; the last row of a failed trial (empty if it has none)."""
        if self.best_epoch is None:
            return self.rows[-1] if self.rows else {}
        return self.rows[self.best_epoch - 1]


def diverged(row: Row) -> bool:
    """Whether the training loss or the reward is not finite."""
    return not (math.isfinite(row["train_loss"]) and math.isfinite(row["reward"]))


def stopped_early(rows: list[Row], patience: int | None) -> bool:
    """Whether the last `patience` epochs brought no reward above the best one before them."""
    if patience is None or len(rows) <= patience:
        return False
    best = max(range(len(rows)), key=lambda i: (rows[i]["reward"], -i))
    return len(rows) - 1 - best >= patience


def outcome(trial: int, record: Record, budget: int, patience: int | None) -> Outcome | None:
    """The outcome that a record holds for a budget; `None` if epochs are missing."""
    rows: list[Row] = []
    for row in record.rows[:budget]:
        rows.append(row)
        if diverged(row):
            message = f"not finite in epoch {len(rows)}: {_not_finite(row)}"
            return Outcome(trial, rows, DIVERGED, message)
        if stopped_early(rows, patience):
            return Outcome(trial, rows)
    failure = record.failure
    if failure is not None and failure.epoch <= budget and len(rows) >= failure.epoch - 1:
        rows = rows[: failure.epoch - 1]
        return Outcome(trial, rows, failure.status, failure.message, failure.traceback)
    return Outcome(trial, rows) if len(rows) == budget else None


def _not_finite(row: Row) -> str:
    return " and ".join(n for n in ("train_loss", "reward") if not math.isfinite(row[n]))


def ranked(outcomes: list[Outcome]) -> list[Outcome]:
    """Best first: by score, then the lower trial number; failed trials last."""
    return sorted(outcomes, key=_rank_key)


def _rank_key(found: Outcome) -> tuple[Any, ...]:
    if found.score is None:
        return (1, 0.0, found.trial)
    return (0, -found.score, found.trial)


def promoted(order: list[Outcome], slots: int) -> list[int]:
    """The trials that fill the next rung's slots; a failed trial fills none."""
    return [found.trial for found in order[:slots] if not found.failed]

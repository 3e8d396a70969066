"""What came of a trial at a budget: a view of its history, the same however it was trained.

The rules of the search are said here once: which epoch is a trial's best, which trial is better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dlutil_core.search.trial_folder import EpochRow, Record

OK = "ok"
DIVERGED = "diverged"
RAISED = "raised"
OUT_OF_MEMORY = "out-of-memory"
CRASHED = "crashed"


@dataclass(frozen=True)
class Outcome:
    """A trial at a budget.

    `rows` are its epochs 1…b, fewer where it failed or stopped early. `score` is the highest reward
    in them and `best_epoch` where it was first reached; both are `None` for a failed trial.
    """

    trial: int
    rows: list[EpochRow]
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
        return None if self.failed else int(self.best_row["epoch"])

    @property
    def score(self) -> float | None:
        """The highest reward."""
        return None if self.failed else self.best_row["reward"]

    @property
    def best_row(self) -> EpochRow:
        """The row of `best_epoch`; the last row of a failed trial (empty if it has none)."""
        if self.failed:
            return self.rows[-1] if self.rows else {}
        return self.rows[best_index(self.rows)]


def better(row: EpochRow, than: EpochRow) -> bool:
    """Whether an epoch takes the place of an earlier one as the best: its reward is higher."""
    return row["reward"] > than["reward"]


def best_index(rows: Sequence[EpochRow]) -> int:
    """Where the best epoch stands among rows of which there is one at least."""
    best = 0
    for index, row in enumerate(rows):
        if better(row, rows[best]):
            best = index
    return best


def diverged(row: EpochRow) -> bool:
    """Whether the training loss or the reward is not finite."""
    return not (math.isfinite(row["train_loss"]) and math.isfinite(row["reward"]))


def stopped_early(rows: list[EpochRow], patience: int | None) -> bool:
    """Whether the last `patience` epochs brought no reward above the best one before them."""
    if patience is None or len(rows) <= patience:
        return False
    return len(rows) - 1 - best_index(rows) >= patience


def outcome(trial: int, record: Record, budget: int, patience: int | None) -> Outcome | None:
    """The outcome that a record holds for a budget; `None` if epochs are missing."""
    rows: list[EpochRow] = []
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


def _not_finite(row: EpochRow) -> str:
    return " and ".join(n for n in ("train_loss", "reward") if not math.isfinite(row[n]))


class Scored(Protocol):
    """What can be ranked: a trial with its score, `None` where it failed."""

    @property
    def trial(self) -> int: ...

    @property
    def score(self) -> float | None: ...


AnyScored = TypeVar("AnyScored", bound=Scored)


def ranked(results: Iterable[AnyScored]) -> list[AnyScored]:
    """Best first: by score, then the lower trial number; failed trials last."""
    return sorted(results, key=_rank_key)


def _rank_key(found: Scored) -> tuple[int, float, int]:
    if found.score is None:
        return (1, 0.0, found.trial)
    return (0, -found.score, found.trial)


def promoted(order: Sequence[Scored], slots: int) -> list[int]:
    """The trials that fill the next rung's slots; a failed trial fills none."""
    return [found.trial for found in order[:slots] if found.score is not None]

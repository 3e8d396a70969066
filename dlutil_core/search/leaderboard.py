"""Leaderboards and histories as tables; written and read without torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlutil_core.common.files import read_csv, write_csv
from dlutil_core.search.outcome import Outcome, promoted

Row = dict[str, Any]

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


def rung_rows(
    bracket: int, rung: int, epochs: int, order: list[Outcome], next_slots: int, configs: Any
) -> list[Row]:
    """The leaderboard's rows of one rung, best first."""
    going_on = set(promoted(order, next_slots))
    rows = []
    for rank, found in enumerate(order, start=1):
        metrics = {k: v for k, v in found.best_row.items() if k != "epoch"}
        rows.append(
            {
                "bracket": bracket,
                "rung": rung,
                "epochs": epochs,
                "rank": rank,
                "trial": found.trial,
                "score": found.score,
                "best_epoch": found.best_epoch,
                "status": found.status,
                "promoted": found.trial in going_on,
                "message": found.message,
                **metrics,
                **{f"config.{k}": v for k, v in configs[found.trial].items()},
            }
        )
    return rows


def columns_of(first: Iterable[str], rows: list[Row]) -> list[str]:
    """The first columns, then metrics, then hyperparameters, each in order of appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = list(first)
    metrics = [n for n in names if n not in first and not n.startswith("config.")]
    return first + metrics + [n for n in names if n.startswith("config.")]


def write_rungs(path: Path, rows: list[Row]) -> None:
    """Write `leaderboard.csv` of a bracket."""
    write_csv(path, columns_of(RUNG_COLUMNS, rows), rows)


def write_histories(path: Path, outcomes: list[Outcome]) -> None:
    """Write `history.csv` of a bracket: every epoch of each trial that the plan gave it."""
    rows: list[Row] = [
        {"trial": found.trial, **row}
        for found in sorted(outcomes, key=lambda o: o.trial)
        for row in found.rows
    ]
    write_csv(path, columns_of(("trial", "epoch"), rows), rows)


def final_rows(brackets: list[Path]) -> list[Row]:
    """One row per trial, at the last rung that it reached, best first of all brackets."""
    last: dict[int, Row] = {}
    for path in brackets:
        for row in read_csv(path):
            last[int(row["trial"])] = row
    ordered = sorted(last.values(), key=final_key)
    return [{**row, "rank": rank} for rank, row in enumerate(ordered, start=1)]


def final_key(row: Row) -> tuple[Any, ...]:
    """Sorts by score, then the lower trial number; failed trials last."""
    if row["status"] != "ok":
        return (1, 0.0, int(row["trial"]))
    return (0, -float(row["score"]), int(row["trial"]))


def write_final(path: Path, rows: list[Row]) -> None:
    """Write `best/leaderboard.csv`."""
    left_out = {"rung", "promoted"}
    kept = [{k: v for k, v in row.items() if k not in left_out} for row in rows]
    write_csv(path, columns_of(FINAL_COLUMNS, kept), kept)

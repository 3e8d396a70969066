"""Removes checkpoints of an ended search that the config does not want to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common.files import read_csv


def prune(trials: Path, leaderboard: Path, plan: dict[str, Any], keep: str) -> int:
    """Remove checkpoints; histories stay. Returns how many bytes were freed.

    Parameters
    ----------
    keep
        `survivors`: those of trials that reached the last epoch stay; `best`: only the best
        trial's.
    """
    rows = read_csv(leaderboard)
    if keep == "best":
        kept = {int(rows[0]["trial"])}
    else:
        kept = {int(r["trial"]) for r in rows if int(r["epochs"]) == plan["max_epochs"]}
    freed = 0
    for folder in sorted(trials.glob("[0-9]*")):
        if int(folder.name) in kept:
            continue
        for path in [*folder.glob("at-*.pt"), *folder.glob("last.pt")]:
            freed += path.stat().st_size
            path.unlink()
    return freed

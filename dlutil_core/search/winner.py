"""The best model of all brackets; copies files, so it needs no torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.search import leaderboard


def select_best(plan: dict[str, Any], brackets: list[Path], out: Path) -> dict[str, Any]:
    """Write `model.pt`, `config.json`, `history.csv` and `leaderboard.csv` of the best trial.

    Parameters
    ----------
    plan
        The content of `plan.json`.
    brackets
        Folders of the brackets, with `leaderboard.csv`, `history.csv` and `best.pt`.
    out
        The folder `best`.

    Returns
    -------
    The winner's row of the leaderboard.
    """
    rows = leaderboard.final_rows([folder / "leaderboard.csv" for folder in brackets])
    winner = rows[0]
    if winner["status"] != "ok":
        raise UserError(f"{brackets[0].parent}: no trial of the search succeeded")
    trial = int(winner["trial"])
    folder = next(f for f in brackets if f.name == f"bracket-{winner['bracket']}")
    with files.atomic_path(out / "model.pt") as temporary:
        shutil.copyfile(folder / "best.pt", temporary)
    files.write_json(out / "config.json", plan["trials"][trial]["config"])
    history = [r for r in files.read_csv(folder / "history.csv") if int(r["trial"]) == trial]
    columns = [name for name in history[0] if name != "trial"]
    files.write_csv(out / "history.csv", columns, history)
    leaderboard.write_final(out / "leaderboard.csv", rows)
    return winner

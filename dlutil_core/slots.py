"""A rung's trials as jobs of their own: a slot is trained, a rung's slots are ranked.

Which trial fills a slot is found when the slot runs; the DAG is static. Trials go through the same
memo as in bracket jobs, so both ways leave the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core import files
from dlutil_core.bracket import BracketRun, check_some_succeeded
from dlutil_core.errors import UserError
from dlutil_core.outcome import Outcome, promoted, ranked
from dlutil_core.session import Session


def train_slot(
    session: Session,
    plan: dict[str, Any],
    bracket: int,
    rung: int,
    slot: int,
    ranking: Path | None,
    out: Path,
) -> None:
    """Train the slot's trial to the rung's epochs and write what came of it.

    Parameters
    ----------
    ranking
        The ranking of the rung before; `None` for the first rung, whose trials the plan names. A
        slot stays empty where fewer trials than slots succeeded.
    """
    run = BracketRun(session, plan, bracket, workers=1)
    epochs = run.rungs[rung]["epochs"]
    going_on = list(run.trials) if ranking is None else files.read_json(ranking)["promoted"]
    result: dict[str, Any] = {"bracket": bracket, "rung": rung, "slot": slot, "epochs": epochs}
    if slot >= len(going_on):
        files.write_json(out, {**result, "trial": None})
        return
    trial = going_on[slot]
    with run.pool:
        found = run.train([trial], epochs)[0]
    files.write_json(out, {**result, "trial": trial, **slot_fields(found)})


def slot_fields(found: Outcome) -> dict[str, Any]:
    """What a ranking needs to know of an outcome."""
    return {
        "score": found.score,
        "best_epoch": found.best_epoch,
        "status": found.status,
        "message": found.message,
        "traceback": found.traceback,
    }


def rank_rung(plan: dict[str, Any], bracket: int, rung: int, slots: list[Path], out: Path) -> None:
    """Check a rung's slots against the plan, rank them, and write who is promoted."""
    entry = next(b for b in plan["brackets"] if b["bracket"] == bracket)
    rungs = entry["rungs"]
    filled = []
    for number, path in enumerate(slots):
        slot = files.read_json(path)
        wanted = (bracket, rung, number, rungs[rung]["epochs"])
        if (slot["bracket"], slot["rung"], slot["slot"], slot["epochs"]) != wanted:
            raise UserError(
                f"{path}: holds bracket, rung, slot, epochs "
                f"{slot['bracket']}, {slot['rung']}, {slot['slot']}, {slot['epochs']}, but the "
                f"plan has {', '.join(map(str, wanted))}; remove the file and run again"
            )
        if slot["trial"] is not None:
            if slot["trial"] not in entry["trials"]:
                raise UserError(
                    f"{path}: trial {slot['trial']} is not of bracket {bracket}; remove the file "
                    "and run again"
                )
            filled.append(slot)
    order = ranked([_outcome(slot) for slot in filled])
    if rung == 0:
        # Later rungs may fail as a whole: what was not promoted to them still has its results.
        check_some_succeeded(bracket, order)
    next_slots = rungs[rung + 1]["trials"] if rung + 1 < len(rungs) else 0
    files.write_json(
        out,
        {
            "bracket": bracket,
            "rung": rung,
            "epochs": rungs[rung]["epochs"],
            "order": [found.trial for found in order],
            "promoted": promoted(order, next_slots),
        },
    )


def _outcome(slot: dict[str, Any]) -> Outcome:
    rows = [] if slot["score"] is None else [{"epoch": 1, "reward": slot["score"]}]
    return Outcome(slot["trial"], rows, slot["status"], slot["message"], slot["traceback"])

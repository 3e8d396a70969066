"""A rung's trials as jobs of their own: slots are trained, a rung's slots are ranked.

Which trial fills a slot is found when its job runs; the DAG is static. Trials go through the same
memo as in bracket jobs, so both ways leave the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search.bracket import BracketRun, check_some_succeeded
from dlutil_core.search.outcome import Outcome, promoted, ranked


def train_slots(
    loaded: LoadedRun,
    plan: dict[str, Any],
    bracket: int,
    rung: int,
    slots: range,
    ranking: Path | None,
    workers: int,
    out: Path,
) -> None:
    """Train the slots' trials to the rung's epochs and write what came of them.

    Parameters
    ----------
    ranking
        The ranking of the rung before; `None` for the first rung, whose trials the plan names. A
        slot stays empty where fewer trials than slots succeeded.
    workers
        How many trials are trained side by side.
    """
    run = BracketRun(loaded, plan, bracket, workers)
    epochs = run.rungs[rung]["epochs"]
    going_on = list(run.trials) if ranking is None else files.read_json(ranking)["promoted"]
    filled = {slot: going_on[slot] for slot in slots if slot < len(going_on)}
    with run.pool:
        found = {o.trial: o for o in run.train(list(filled.values()), epochs)}
    rows: list[dict[str, Any]] = []
    for slot in slots:
        trial = filled.get(slot)
        held = {} if trial is None else slot_fields(found[trial])
        rows.append({"slot": slot, "trial": trial, **held})
    files.write_json(out, {"bracket": bracket, "rung": rung, "epochs": epochs, "slots": rows})


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
    filled = [slot for slot in read_slots(entry, rung, slots) if slot["trial"] is not None]
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


def read_slots(entry: dict[str, Any], rung: int, paths: list[Path]) -> list[dict[str, Any]]:
    """The slots of a rung from the files of its jobs, checked against the plan's bracket."""
    planned = entry["rungs"][rung]
    wanted = (entry["bracket"], rung, planned["epochs"])
    found: list[dict[str, Any]] = []
    for path in paths:
        job = files.read_json(path)
        if (job["bracket"], job["rung"], job["epochs"]) != wanted:
            raise UserError(
                f"{path}: holds bracket, rung, epochs {job['bracket']}, {job['rung']}, "
                f"{job['epochs']}, but the plan has {', '.join(map(str, wanted))}; remove the file "
                "and run again"
            )
        for slot in job["slots"]:
            if slot["trial"] is not None and slot["trial"] not in entry["trials"]:
                raise UserError(
                    f"{path}: trial {slot['trial']} is not of bracket {entry['bracket']}; remove "
                    "the file and run again"
                )
        found += job["slots"]
    if [slot["slot"] for slot in found] != list(range(planned["trials"])):
        raise UserError(
            f"{paths[0].parent}: its files hold slots {[slot['slot'] for slot in found]}, but the "
            f"plan has {planned['trials']} from 0 on; remove the folder and run again"
        )
    return found


def _outcome(slot: dict[str, Any]) -> Outcome:
    rows = [] if slot["score"] is None else [{"epoch": 1, "reward": slot["score"]}]
    return Outcome(slot["trial"], rows, slot["status"], slot["message"], slot["traceback"])

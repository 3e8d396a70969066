"""A rung's trials as jobs of their own: slots are trained, a rung's slots are ranked.

Which trial fills a slot is found when its job runs; the DAG is static. Trials go through the same
memo as in bracket jobs, so both ways leave the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlutil_core.common import files
from dlutil_core.common.errors import UserError
from dlutil_core.common.reads import Read
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search.bracket import BracketRun, check_some_succeeded
from dlutil_core.search.outcome import Outcome, promoted
from dlutil_core.search.plan import Bracket, Plan
from dlutil_core.search.staged.earlier import Earlier


@dataclass(frozen=True)
class Slot:
    """A place in a rung and what came of the trial that filled it; `None`: it stayed empty."""

    number: int
    outcome: Outcome | None

    @property
    def trial(self) -> int | None:
        """The trial that filled it."""
        return None if self.outcome is None else self.outcome.trial

    def fields(self) -> dict[str, Any]:
        """The slot as its job's file holds it."""
        found = self.outcome
        if found is None:
            return {"slot": self.number, "trial": None}
        return {
            "slot": self.number,
            "trial": found.trial,
            "score": found.score,
            "best_epoch": found.best_epoch,
            "status": found.status,
            "message": found.message,
            "traceback": found.traceback,
        }

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Slot:
        """The slot that a job's file holds: its outcome knows the score alone, not the epochs."""
        if fields["trial"] is None:
            return cls(fields["slot"], None)
        score = fields["score"]
        rows = [] if score is None else [{"epoch": 1, "reward": score}]
        told = (fields[name] for name in ("status", "message", "traceback"))
        return cls(fields["slot"], Outcome(fields["trial"], rows, *told))


@dataclass(frozen=True)
class RungJob:
    """The file of a job: its bracket, its rung and budget, and the slots that it trained."""

    bracket: int
    rung: int
    budget: int
    slots: list[Slot]

    def write(self, path: Path) -> None:
        """Write the file."""
        head = {"bracket": self.bracket, "rung": self.rung, "epochs": self.budget}
        files.write_json(path, {**head, "slots": [slot.fields() for slot in self.slots]})

    @classmethod
    def read(cls, path: Path) -> RungJob:
        """Read what `write` wrote."""
        found = files.read_json(path)
        slots = [Slot.of(fields) for fields in found["slots"]]
        return cls(found["bracket"], found["rung"], found["epochs"], slots)


def train_slots(
    loaded: LoadedRun,
    plan: Plan,
    bracket: int,
    rung: int,
    slots: range,
    ranking: Path | None,
    workers: int,
    out: Path,
    earlier: Earlier | None = None,
) -> tuple[Read, ...]:
    """Train the slots' trials to the rung's budget and write what came of them.

    Parameters
    ----------
    ranking
        The ranking of the rung before; `None` for the first rung, whose trials the plan names. A
        slot stays empty where fewer trials than slots succeeded.
    workers
        How many trials are trained side by side.
    earlier
        The trials of the stages before.

    Returns
    -------
    What the bracket's trials read so far.
    """
    run = BracketRun(loaded, plan, bracket, workers, earlier)
    budget = run.bracket.rungs[rung].budget
    going_on = list(run.bracket.trials) if ranking is None else files.read_json(ranking)["promoted"]
    filled = {slot: going_on[slot] for slot in slots if slot < len(going_on)}
    with run.processes():
        found = {o.trial: o for o in run.train(list(filled.values()), budget)}
        if rung == 0 and slots.start == 0:
            run.start_second_look(list(found.values()), budget)
            run.finish_second_look()
    trained = [Slot(slot, found[filled[slot]] if slot in filled else None) for slot in slots]
    RungJob(bracket, rung, budget, trained).write(out)
    return run.reads()


def rank_rung(
    plan: Plan,
    bracket: int,
    rung: int,
    jobs: list[Path],
    out: Path,
    earlier: Earlier | None = None,
) -> None:
    """Check the slots of a rung's jobs against the plan, rank them, and write who is promoted."""
    planned, earlier = plan.bracket(bracket), earlier or Earlier()
    allowed = range(planned.trials.stop) if plan.is_staged else planned.trials
    slots = read_slots(planned, rung, jobs, allowed)
    own = [slot.outcome for slot in slots if slot.outcome is not None]
    if rung == 0:
        # Later rungs may fail as a whole: what was not promoted to them still has its results.
        check_some_succeeded(plan, planned, own, earlier)
    order = earlier.among(own, planned, rung)
    files.write_json(
        out,
        {
            plan.kind: bracket,
            "rung": rung,
            "epochs": planned.rungs[rung].budget,
            "order": [found.trial for found in order],
            "promoted": promoted(order, planned.slots_after(rung)),
        },
    )


def read_slots(bracket: Bracket, rung: int, paths: list[Path], allowed: range) -> list[Slot]:
    """The slots of a rung from the files of its jobs, checked against the plan's bracket.

    Parameters
    ----------
    allowed
        Trials that may fill them.
    """
    planned = bracket.rungs[rung]
    found: list[Slot] = []
    for path in paths:
        job = RungJob.read(path)
        _check_job(path, job, bracket, rung, allowed)
        found += job.slots
    if [slot.number for slot in found] != list(range(planned.trials)):
        raise UserError(
            f"{paths[0].parent}: its files hold slots {[slot.number for slot in found]}, but the "
            f"plan has {planned.trials} from 0 on; remove the folder and run again"
        )
    return found


def _check_job(path: Path, job: RungJob, bracket: Bracket, rung: int, allowed: range) -> None:
    wanted = (bracket.number, rung, bracket.rungs[rung].budget)
    if (job.bracket, job.rung, job.budget) != wanted:
        raise UserError(
            f"{path}: holds bracket, rung, epochs {job.bracket}, {job.rung}, {job.budget}, but the "
            f"plan has {', '.join(map(str, wanted))}; remove the file and run again"
        )
    for slot in job.slots:
        if slot.trial is not None and slot.trial not in allowed:
            raise UserError(
                f"{path}: trial {slot.trial} is not of bracket {bracket.number}; remove the file "
                "and run again"
            )

"""Runs one bracket: its rungs one after the other, the best trials promoted.

Li et al. 2018, JMLR 18(185), algorithm 1, the inner loop (successive halving).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.terminal import ProgressLine
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search import leaderboard
from dlutil_core.search.outcome import OUT_OF_MEMORY, Outcome, outcome, promoted, ranked
from dlutil_core.search.trial_folder import Row
from dlutil_core.search.trial_key import memo_of
from dlutil_core.search.workers import Task, WorkerPool


class BracketRun:
    """One bracket of a plan, from its document `search/plan.json`.

    Parameters
    ----------
    loaded
        The run.
    plan
        The content of `plan.json`.
    bracket
        Which bracket, `s`.
    workers
        How many trials are trained side by side.
    """

    def __init__(self, loaded: LoadedRun, plan: dict[str, Any], bracket: int, workers: int) -> None:
        self.loaded = loaded
        self.number = bracket
        found = next((b for b in plan["brackets"] if b["bracket"] == bracket), None)
        if found is None:
            raise UserError(f"plan.json has no bracket {bracket}; remove it and run again")
        self.rungs = found["rungs"]
        self.trials = {j: plan["trials"][j] for j in found["trials"]}
        self.pool = WorkerPool(loaded, workers, self._progress)
        self.budget = 0
        self.line: ProgressLine | None = None
        self.events: Any = None
        if loaded.spec.tensorboard:
            from dlutil_core.search.tensorboard import TrialEvents

            self.events = TrialEvents(Path(loaded.spec.tensorboard))

    def run(self) -> tuple[list[leaderboard.Row], dict[int, Outcome]]:
        """All rungs. Returns the leaderboard's rows and each trial's last outcome.

        A rung is empty where every promoted trial has failed; trials that were not promoted still
        have their results.
        """
        rows: list[leaderboard.Row] = []
        last: dict[int, Outcome] = {}
        running = list(self.trials)
        with self.pool:
            for i, rung in enumerate(self.rungs):
                order = ranked(self.train(running, rung["epochs"]))
                last |= {found.trial: found for found in order}
                check_some_succeeded(self.number, list(last.values()))
                slots = self.rungs[i + 1]["trials"] if i + 1 < len(self.rungs) else 0
                configs = {j: t["config"] for j, t in self.trials.items()}
                rows += leaderboard.rung_rows(self.number, i, rung["epochs"], order, slots, configs)
                self._report(i, rung["epochs"], order)
                running = promoted(order, slots)
        return rows, last

    def train(self, trials: list[int], epochs: int) -> list[Outcome]:
        """Train these trials to `epochs`, as far as the memo does not hold them."""
        self.budget = epochs
        found: dict[int, Outcome] = {}
        tasks = []
        for j in sorted(trials):
            held = self.memo(j, epochs)
            if held is None:
                tasks.append(Task(self.trials[j], epochs))
            else:
                found[j] = held
        if tasks:
            missing = sum(epochs - len(self._rows(task.trial)) for task in tasks)
            with ProgressLine(f"to epoch {epochs}", missing) as self.line:
                found |= self.pool.train(tasks)
        if self.events is not None:
            self.events.close()
        return list(found.values())

    def memo(self, trial: int, epochs: int) -> Outcome | None:
        """What the trial's folder holds already."""
        record = memo_of(self.loaded, self.trials[trial]).record()
        return outcome(trial, record, epochs, self.loaded.spec.options.early_stop)

    def _rows(self, trial: dict[str, Any]) -> list[Row]:
        """The epochs that a trial's memo holds."""
        return memo_of(self.loaded, trial).record().rows

    def _progress(self, trial: int, row: Row) -> None:
        shown = " ".join(f"{k}={v:.6g}" for k, v in row.items() if k != "epoch")
        log.debug("trial %d epoch %d/%d %s", trial, row["epoch"], self.budget, shown)
        if self.line is not None:
            self.line.step()
        if self.events is not None:
            self.events.add(self.trials[trial], row, self._rows)

    def _report(self, rung: int, epochs: int, order: list[Outcome]) -> None:
        failed = sum(found.failed for found in order)
        best = ""
        if order and order[0].score is not None:
            best = f", best score {order[0].score:.6g} (trial {order[0].trial})"
        log.info(
            "bracket %d rung %d: %d trial%s to %d epoch%s%s%s",
            self.number,
            rung,
            len(order),
            "" if len(order) == 1 else "s",
            epochs,
            "" if epochs == 1 else "s",
            best,
            f", {failed} failed" if failed else "",
        )


def check_some_succeeded(bracket: int, outcomes: list[Outcome]) -> None:
    """A bracket whose every trial fails is an error that shows the first one's traceback."""
    if any(not found.failed for found in outcomes):
        return
    first = min(outcomes, key=lambda found: found.trial)
    if len(first.traceback.splitlines()) > 1:  # one line is the sentence that is told below
        log.debug("%s", first.traceback)  # to the log; the terminal gets the sentence
    raise UserError(
        f"bracket {bracket}: every trial failed; the first was trial {first.trial}, which "
        f"{'ran ' if first.status == OUT_OF_MEMORY else ''}{first.status.replace('-', ' ')}: "
        f"{first.message}"
    )


def run_bracket(
    loaded: LoadedRun, plan: dict[str, Any], bracket: int, workers: int, folder: Path
) -> None:
    """Run a bracket and write `leaderboard.csv`, `history.csv` and `best.pt` into `folder`."""
    run = BracketRun(loaded, plan, bracket, workers)
    rows, last = run.run()
    write_bracket(loaded, run.trials, rows, last, folder)


def write_bracket(
    loaded: LoadedRun,
    trials: dict[int, dict[str, Any]],
    rows: list[leaderboard.Row],
    last: dict[int, Outcome],
    folder: Path,
) -> None:
    """Write what follows a bracket needs, so that it needs no `trials/`."""
    from dlutil_core.model.checkpoint import write_checkpoint
    from dlutil_core.search.trainer import Trainer

    best = ranked(list(last.values()))[0]
    assert best.best_epoch is not None
    trial = trials[best.trial]
    state = Trainer(loaded).best_state(trial, best.best_epoch)
    content = {
        **state,
        "trial": best.trial,
        "epoch": best.best_epoch,
        "score": best.score,
        "config": trial["config"],
    }
    write_checkpoint(folder / "best.pt", content)
    leaderboard.write_histories(folder / "history.csv", list(last.values()))
    leaderboard.write_rungs(folder / "leaderboard.csv", rows)

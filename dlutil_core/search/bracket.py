"""Runs one bracket: its rungs one after the other, the best trials promoted.

Li et al. 2018, JMLR 18(185), algorithm 1, the inner loop (successive halving). A stage of a staged
search is a bracket in which trials of the stages before compete, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.common.logs import log
from dlutil_core.common.reads import Read
from dlutil_core.common.terminal import ProgressLine
from dlutil_core.common.wording import counted
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.search import leaderboard
from dlutil_core.search.outcome import OUT_OF_MEMORY, Outcome, outcome, promoted, ranked
from dlutil_core.search.plan import Bracket, Plan, Trial
from dlutil_core.search.second_look import SecondLook
from dlutil_core.search.staged.earlier import Earlier
from dlutil_core.search.trial_folder import EpochRow
from dlutil_core.search.trial_key import memo_of
from dlutil_core.search.workers import Task, WorkerPool

if TYPE_CHECKING:
    from dlutil_core.search.tensorboard import TrialEvents


class BracketRun:
    """One bracket of a plan while it is run.

    Parameters
    ----------
    loaded
        The run.
    plan
        The search.
    bracket
        Which bracket, `s`.
    workers
        How many trials are trained side by side.
    earlier
        The trials of the stages before.
    """

    def __init__(
        self,
        loaded: LoadedRun,
        plan: Plan,
        bracket: int,
        workers: int,
        earlier: Earlier | None = None,
    ) -> None:
        self.loaded = loaded
        self.plan = plan
        self.bracket = plan.bracket(bracket)
        self.earlier = earlier or Earlier()
        numbers = [*self.earlier.standings, *self.bracket.trials]
        self.trials = {j: plan.trials[j] for j in sorted(numbers)}
        self.pool = WorkerPool(loaded, workers, self._progress)
        # Of stages, the second one is the first in which a trial is trained after others.
        looked = plan.brackets[:2][-1] if plan.is_staged else plan.brackets[0]
        self.is_largest = self.bracket is looked
        self.trained: list[int] = []
        self.second_look: SecondLook | None = None
        self.budget = 0
        self.line: ProgressLine | None = None
        self.events: TrialEvents | None = None
        if loaded.spec.tensorboard:
            from dlutil_core.search.tensorboard import TrialEvents

            self.events = TrialEvents(Path(loaded.spec.tensorboard))

    def run(self) -> tuple[list[leaderboard.Standing], list[Outcome]]:
        """All rungs. Returns the leaderboard's lines and each trial's last outcome.

        A rung is empty where every promoted trial has failed; trials that were not promoted still
        have their results.
        """
        standings: list[leaderboard.Standing] = []
        last: dict[int, Outcome] = {}
        running = list(self.bracket.trials)
        kind = self.plan.kind
        with self.processes():
            for i, rung in enumerate(self.bracket.rungs):
                order = ranked(self.train(running, rung.budget))
                last |= {found.trial: found for found in order}
                check_some_succeeded(self.plan, self.bracket, last.values(), self.earlier)
                everyone = self.earlier.among(order, self.bracket, i)
                lines = leaderboard.rung_standings(self.bracket, i, everyone, self.trials, kind)
                standings += lines
                self._report(i, rung.budget, order)
                self.finish_second_look()
                if i == 0:
                    self.start_second_look(order, rung.budget)
                running = promoted(everyone, self.bracket.slots_after(i))
            self.finish_second_look()
        return standings, list(last.values())

    def train(self, trials: list[int], budget: int) -> list[Outcome]:
        """Train these trials to `budget`, as far as the memo does not hold them."""
        self.budget = budget
        found: dict[int, Outcome] = {}
        tasks = []
        for j in sorted(trials):
            held = self.memo(j, budget)
            if held is None:
                tasks.append(Task(self.trials[j], budget))
            else:
                found[j] = held
        self.trained = [task.trial.number for task in tasks]
        if tasks:
            missing = sum(budget - len(self._rows(task.trial)) for task in tasks)
            with ProgressLine(f"to epoch {budget}", missing) as self.line:
                found |= self.pool.train(tasks)
        if self.events is not None:
            self.events.close()
        return list(found.values())

    @contextmanager
    def processes(self) -> Iterator[None]:
        """Have workers meanwhile; none is left at the end, whatever happens."""
        try:
            with self.pool:
                yield
        finally:
            if self.second_look is not None:
                self.second_look.stop()

    def start_second_look(self, outcomes: list[Outcome], budget: int) -> None:
        """Look again at the trial of the first rung that was trained last, on a CPU.

        Where none was trained, at the last one of all, unless it was looked at before.
        """
        good = [found for found in outcomes if not found.failed]
        trained = [found for found in good if found.trial in self.trained]
        if self.loaded.device_kind != "cpu" or not good:
            return
        last = max(trained or good, key=lambda found: found.trial)
        trial = self.trials[last.trial]
        if trained or not memo_of(self.loaded, trial).was_restored:
            retrain = self.is_largest and bool(trained)
            _ = self.loaded.loaders
            self.second_look = SecondLook(self.loaded, trial, last, budget, retrain)

    def finish_second_look(self) -> None:
        """Say what was seen, where something was looked at."""
        if self.second_look is not None:
            look, self.second_look = self.second_look, None
            look.finish()

    def memo(self, trial: int, budget: int) -> Outcome | None:
        """What the trial's folder holds already."""
        record = memo_of(self.loaded, self.trials[trial]).record()
        return outcome(trial, record, budget, self.loaded.spec.options.early_stop)

    def reads(self) -> tuple[Read, ...]:
        """What its trials read."""
        found = set(self.loaded.reads()) if self.loaded.is_loaded else set()
        for trial in self.trials.values():
            found |= set(memo_of(self.loaded, trial).read_by_trial())
        return tuple(sorted(found))

    def _rows(self, trial: Trial) -> list[EpochRow]:
        """The epochs that a trial's memo holds."""
        return memo_of(self.loaded, trial).record().rows

    def _progress(self, trial: int, row: EpochRow) -> None:
        shown = " ".join(f"{k}={v:.6g}" for k, v in row.items() if k != "epoch")
        log.debug("trial %d epoch %d/%d %s", trial, row["epoch"], self.budget, shown)
        if self.line is not None:
            self.line.step()
        if self.events is not None:
            self.events.add(self.trials[trial], row, self._rows)

    def _report(self, rung: int, budget: int, order: list[Outcome]) -> None:
        failed = sum(found.failed for found in order)
        best = ""
        if order and order[0].score is not None:
            best = f", best score {order[0].score:.6g} (trial {order[0].trial})"
        log.info(
            "%s %d rung %d: %s to %s%s%s",
            self.plan.kind,
            self.bracket.number,
            rung,
            counted(len(order), "trial"),
            counted(budget, "epoch"),
            best,
            f", {failed} failed" if failed else "",
        )


def check_some_succeeded(
    plan: Plan, bracket: Bracket, outcomes: Collection[Outcome], earlier: Earlier
) -> None:
    """A bracket whose every trial fails is an error that shows the first one's traceback.

    The first stage of a staged search has one trial, so the second one decides.
    """
    if earlier.succeeded or any(not found.failed for found in outcomes):
        return
    if plan.is_staged and bracket is plan.brackets[0] and len(plan.brackets) > 1:
        return
    first = min(outcomes, key=lambda found: found.trial)
    if len(first.traceback.splitlines()) > 1:  # one line is the sentence that is told below
        log.debug("%s", first.traceback)  # to the log; the terminal gets the sentence
    raise UserError(
        f"{plan.kind} {bracket.number}: every trial failed; the first was trial {first.trial}, "
        f"which {'ran ' if first.status == OUT_OF_MEMORY else ''}{first.status.replace('-', ' ')}: "
        f"{first.message}"
    )


def run_bracket(
    loaded: LoadedRun, plan: Plan, bracket: int, workers: int, folder: Path
) -> tuple[Read, ...]:
    """Run a bracket and write its leaderboard, histories, best state and network to `folder`.

    `folder` lies beside those of the stages before, in `search/` of a result folder.

    Returns
    -------
    What its trials read, in whichever process they were trained.
    """
    earlier = Earlier.read(plan, bracket, folder.parent.parent)
    run = BracketRun(loaded, plan, bracket, workers, earlier)
    standings, last = run.run()
    write_bracket(loaded, run.trials, standings, last, folder, earlier)
    return run.reads()


def write_bracket(
    loaded: LoadedRun,
    trials: dict[int, Trial],
    standings: list[leaderboard.Standing],
    last: list[Outcome],
    folder: Path,
    earlier: Earlier,
) -> None:
    """Write what follows a bracket needs, so that it needs no `trials/`.

    The best state of a stage is the best so far: that of a trial of a stage before, where none of
    its own is better.
    """
    from dlutil_core.model.checkpoint import write_checkpoint
    from dlutil_core.search.network_table import weights_of, write_network
    from dlutil_core.search.trainer import Trainer

    best = earlier.best_with(last)
    trial = trials[best.trial]
    state: dict[str, Any] = {}
    if best.best_epoch is not None:  # else the first stage's one trial failed
        state = Trainer(loaded).best_state(trial, best.best_epoch)
    content = {
        **state,
        "trial": best.trial,
        "epoch": best.best_epoch,
        "score": best.score,
        "config": trial.config,
    }
    write_checkpoint(folder / result_folder.BEST_STATE, content)
    write_network(folder / result_folder.NETWORK, weights_of(state) if state else [])
    leaderboard.write_histories(folder / result_folder.HISTORY, last)
    leaderboard.write_rungs(folder / result_folder.LEADERBOARD, standings)

"""Trains segments of trials again, each in a process of its own, and compares what comes out.

A segment begins with a copy of the stored checkpoint, in an empty folder of memos, and is trained
by the search's own trainer; nothing is written into the result.
"""

from __future__ import annotations

import multiprocessing as mp
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dlutil_core.common import result_folder
from dlutil_core.common.errors import UserError
from dlutil_core.job.loaded_run import LoadedRun
from dlutil_core.model.checkpoint import content_hash, read_checkpoint, write_checkpoint
from dlutil_core.search import leaderboard
from dlutil_core.search.outcome import (
    CRASHED,
    DIVERGED,
    OK,
    OUT_OF_MEMORY,
    Outcome,
    outcome,
    promoted,
)
from dlutil_core.search.plan import Plan, Trial
from dlutil_core.search.restored import difference
from dlutil_core.search.staged.earlier import Earlier
from dlutil_core.search.trainer import MACHINE, Trainer
from dlutil_core.search.trial_folder import EpochRow, Failure, Record, TrialFolder
from dlutil_core.search.trial_key import memo_of, trial_key
from dlutil_core.search.trial_reads import TrialReads
from dlutil_core.verify.segments import Segment, sample, segments_of

NOT_REPEATABLE = (OUT_OF_MEMORY, CRASHED)
"""How a trial may have failed by the machine's doing: its epochs before are trained again."""


@dataclass(frozen=True)
class Recorded:
    """What a result says of a trial.

    Parameters
    ----------
    rows
        Its epochs in the histories of its bracket.
    status, message
        Its last line in the bracket's leaderboard.
    """

    trial: Trial
    rows: list[EpochRow]
    status: str
    message: str

    @property
    def fails(self) -> bool:
        """Whether another epoch was begun in which it failed, which can be seen again."""
        raised = self.status not in (OK, DIVERGED)
        return raised and self.status not in NOT_REPEATABLE

    def outcome(self, budget: int, patience: int | None) -> Outcome | None:
        """What came of it at a budget; `None` where epochs are missing."""
        failure = None
        if self.status not in (OK, DIVERGED):
            failure = Failure(len(self.rows) + 1, self.status, self.message)
        return outcome(self.trial.number, Record(self.rows, failure), budget, patience)

    @property
    def end(self) -> int:
        """The last epoch that was begun."""
        return len(self.rows) + self.fails


@dataclass(frozen=True)
class Retrained:
    """What was trained again of a search, and what came out other than it is told."""

    segments: int
    epochs: int
    sampled: int
    sampled_epochs: int
    differences: list[str]


def recorded_trials(result: Path, plan: Plan) -> dict[int, Recorded]:
    """What the folders of brackets, or of stages, say of each trial."""
    found: dict[int, Recorded] = {}
    for name in plan.steps:
        folder = result / "search" / name
        histories = leaderboard.read_histories(folder / result_folder.HISTORY)
        lines = {s.trial: s for s in leaderboard.read_standings(folder / result_folder.LEADERBOARD)}
        for j, line in lines.items():
            # A stage ranks trials of stages before, too, whose epochs stand there.
            rows = histories.get(j, found[j].rows if j in found else [])
            found[j] = Recorded(plan.trials[j], rows, line.status, line.message)
    return found


class Retraining:
    """The trials of a result, and their training again.

    Parameters
    ----------
    loaded
        The run, with `spec.trials_dir` the memos of the result; what it names need not be there.
    result
        The result folder, which is only read.
    scratch
        An empty folder.
    """

    def __init__(self, loaded: LoadedRun, result: Path, scratch: Path) -> None:
        self.loaded = loaded
        self.result = result
        self.scratch = scratch
        self.plan = Plan.read(result / result_folder.PLAN)
        self.recorded = recorded_trials(result, self.plan)
        self.memos = Path(loaded.spec.trials_dir)

    @cached_property
    def best_states(self) -> dict[int, dict[str, Any]]:
        """The best state of each bracket, by its trial."""
        files = [self.result / "search" / n / result_folder.BEST_STATE for n in self.plan.steps]
        states = [read_checkpoint(file) for file in files if not _damage(file)]
        return {int(state["trial"]): state for state in states}

    # What is there

    def memo(self, trial: Trial) -> TrialFolder:
        """A trial's memo in the result."""
        folder = self.memos / result_folder.trial_name(trial.number)
        return TrialFolder(folder, trial_key(self.loaded, trial), trial, TrialReads(self.loaded))

    def stored(self, trial: int) -> list[int]:
        """Epochs after which a checkpoint of a trial is there."""
        return self.memo(self.plan.trials[trial]).checkpoint_epochs()

    def memo_differences(self) -> Iterator[str]:
        """What of the memos is damaged, or does not belong to what the brackets tell."""
        if not self.memos.is_dir():
            return
        for one in self.recorded.values():
            memo = self.memo(one.trial)
            if memo.folder.is_dir():
                yield from self._memo_differences(memo, one)

    def best_differences(self) -> Iterator[str]:
        """Best states of brackets that cannot be read."""
        for step in self.plan.steps:
            name = f"search/{step}/{result_folder.BEST_STATE}"
            if why := _damage(self.result / name):
                yield f"{name}: {why}"

    def ranking_differences(self) -> Iterator[str]:
        """Leaderboards that do not follow from the histories beside them."""
        patience = self.loaded.spec.options.early_stop
        trials = dict(enumerate(self.plan.trials))
        for bracket in self.plan.brackets:
            folder = result_folder.bracket(bracket.number, self.plan.kind)
            name = f"{folder}/{result_folder.LEADERBOARD}"
            earlier = Earlier.read(self.plan, bracket.number, self.result)
            standings: list[leaderboard.Standing] = []
            running = list(bracket.trials)
            for i, rung in enumerate(bracket.rungs):
                found = [self.recorded[j].outcome(rung.budget, patience) for j in running]
                own = (one for one in found if one is not None)
                order = earlier.among(own, bracket, i)
                lines = leaderboard.rung_standings(bracket, i, order, trials, self.plan.kind)
                standings += lines
                running = promoted(order, bracket.slots_after(i))
            again = self.scratch / "leaderboard.csv"
            leaderboard.write_rungs(again, standings)
            if again.read_bytes() != (self.result / name).read_bytes():
                yield f"{name}: does not follow from the histories of its trials"

    def _memo_differences(self, memo: TrialFolder, one: Recorded) -> Iterator[str]:
        told = result_folder.trial(one.trial.number)
        record = memo.record()
        if record == Record():
            yield f"{told}: holds no history of the trial that the plan names"
        elif why := _rows_difference(record.rows[: len(one.rows)], one.rows):
            yield f"{told}/history.csv: {why}, other than in the bracket's history"
        for epoch in memo.checkpoint_epochs():
            name = f"at-{epoch}.pt"
            if why := self._checkpoint_difference(memo, epoch, record.rows):
                yield f"{told}/{name}: {why}"

    def _checkpoint_difference(self, memo: TrialFolder, epoch: int, rows: list[EpochRow]) -> str:
        path = memo.folder / f"at-{epoch}.pt"
        if why := _damage(path):
            return why
        content = read_checkpoint(path)
        again = self.scratch / "again.pt"
        write_checkpoint(again, content)
        if again.read_bytes() != path.read_bytes():
            return "is not as a checkpoint is written"
        if content.get("key") != memo.key or content.get("epoch") != epoch:
            return "belongs to another trial or epoch"
        return _rows_difference(content["history"], rows[:epoch])

    # Training again

    def retrained(self, share: float, seed: int | None, workers: int) -> Retrained:
        """Look at all memos, and train a sample of the segments again."""
        stored = {j: self.stored(j) for j in self.recorded}
        every = segments_of({j: one.end for j, one in self.recorded.items()}, stored)
        chosen = sample(every, share, seed)
        found = [*self.memo_differences(), *self.best_differences(), *self.ranking_differences()]
        found += filter(None, self.differences(chosen, workers))
        epochs = [sum(s.epochs for s in part) for part in (every, chosen)]
        return Retrained(len(every), epochs[0], len(chosen), epochs[1], found)

    def differences(self, segments: Sequence[Segment], workers: int) -> list[str]:
        """What came out other than it is told, of each of these segments; empty texts where all is
        equal.
        """
        self.loaded.source.check()
        _ = self.loaded.loaders
        if self.loaded.device_kind != "cpu":  # CUDA does not survive a fork
            return [self.difference(segment) for segment in segments]
        context = mp.get_context("fork")
        try:
            with ProcessPoolExecutor(workers, context, _begin, (self,)) as pool:
                return list(pool.map(_difference, segments))
        except BrokenProcessPool:
            raise UserError(
                "a process that trained a segment again was killed, or crashed in a trial that "
                "had not crashed; with less --cores less memory is needed"
            ) from None

    def difference(self, segment: Segment) -> str:
        """What is different after a segment was trained again; empty where nothing is."""
        one = self.recorded[segment.trial]
        memos = self.scratch / f"{segment.trial:05d}-{segment.start}"
        spec = self.loaded.spec
        self.loaded.spec = replace(spec, trials_dir=str(memos))
        try:
            told = self._trained(segment, one, memos)
        finally:
            self.loaded.spec = spec
            shutil.rmtree(memos, ignore_errors=True)
        name = f"trial {segment.trial}, epochs {segment.start + 1} to {segment.end}"
        return f"{name}: {told}" if told else ""

    def _trained(self, segment: Segment, one: Recorded, memos: Path) -> str:
        store = memo_of(self.loaded, one.trial)
        with store.lock():
            store.prepare()
        source = self.memo_folder(segment.trial)
        for path in self.memos.glob("reads-*.json"):
            shutil.copyfile(path, memos / path.name)
        if segment.start:
            name = f"at-{segment.start}.pt"
            shutil.copyfile(source / name, store.folder / name)
        trainer = Trainer(self.loaded)
        trainer.train(one.trial, segment.end, alone=True)
        record = store.record()
        if why := _rows_difference(
            record.rows[segment.start :], one.rows[segment.start : segment.end]
        ):
            return why
        if why := self._failure_difference(segment, one, record):
            return why
        stored = source / f"at-{segment.end}.pt"
        if stored.is_file():
            why = _damage(stored)
            why = why or _state_difference(read_checkpoint(stored), store.at(segment.end))
            if why:
                return f"the checkpoint after it: {why}"
        return self._best_difference(segment, trainer, one.trial)

    def memo_folder(self, trial: int) -> Path:
        """Where a trial's memo lies in the result."""
        return self.memos / result_folder.trial_name(trial)

    def _failure_difference(self, segment: Segment, one: Recorded, record: Record) -> str:
        if not (one.fails and segment.end == one.end):
            return "" if record.failure is None else f"it failed: {record.failure.message}"
        found = record.failure
        if found is None or (found.status, found.message) != (one.status, one.message):
            told = "nothing" if found is None else found.message
            return f"its failure is {told!r} instead of {one.message!r}"
        return ""

    def _best_difference(self, segment: Segment, trainer: Trainer, trial: Trial) -> str:
        """Compare with the bracket's best state, where the segment made it."""
        kept = self.best_states.get(trial.number)
        if kept is None or not segment.start < kept["epoch"] <= segment.end:
            return ""
        state = trainer.best_state(trial, kept["epoch"])
        given = {name: value for name, value in kept.items() if name in state}
        return "" if content_hash(state) == content_hash(given) else "the bracket's best.pt differs"


_IN_WORKER: list[Retraining] = []
"""What a worker was forked with; loaded data cannot be sent with each segment."""


def _begin(retraining: Retraining) -> None:
    _IN_WORKER[:] = [retraining]


def _difference(segment: Segment) -> str:
    return _IN_WORKER[0].difference(segment)


def _damage(checkpoint: Path) -> str:
    """Why a checkpoint cannot be read; empty where it can."""
    try:
        read_checkpoint(checkpoint)
    except UserError as error:
        return str(error).removeprefix(f"{checkpoint}: ")
    return ""


def _rows_difference(found: Iterable[EpochRow], recorded: Iterable[EpochRow]) -> str:
    """The first value that is another one; empty where all epochs are equal."""
    found, recorded = list(found), list(recorded)
    for one, other in zip(found, recorded, strict=False):
        if why := difference(one, other) or difference(other, one):
            return f"in epoch {other['epoch']:.0f} {why}"
    if len(found) != len(recorded):
        return f"there are {len(found)} epochs instead of {len(recorded)}"
    return ""


def _state_difference(recorded: dict[str, Any], found: dict[str, Any] | None) -> str:
    """What of a checkpoint is other than trained again; where both were made does not count."""
    if found is None:
        return "nothing is there"
    for name in sorted({*recorded, *found} - {MACHINE, "reads"}):
        one, other = recorded.get(name), found.get(name)
        if content_hash(one) != content_hash(other):
            return f"{name} differs"
    return ""

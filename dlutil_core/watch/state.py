"""The state of a search, from `search/plan.json` and the folders of the trials.

Nothing is locked and nothing asked of a process, so any machine that sees the folder can look,
while the search runs, after a kill, or when it has ended. Who is promoted follows from the
histories.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from dlutil_core.common import result_folder as paths
from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_csv, read_json
from dlutil_core.common.run_lock import is_held
from dlutil_core.search.outcome import Outcome, outcome, promoted, ranked
from dlutil_core.search.plan import Bracket, Plan, Rung, Trial
from dlutil_core.search.staged.stages import candidates as competing
from dlutil_core.search.trial_folder import AT_EPOCH, EpochRow, Failure, Record, parse_row

QUIET = 60.0
"""A trial that has written nothing for so many seconds, or five of its epochs, is not running."""

PAUSE = 20.0
"""A gap between two checkpoints of a search that is so many times the usual one is a pause."""


@dataclass
class TrialState:
    """What a trial's folder says."""

    record: Record = field(default_factory=Record)
    written: float = 0.0
    saved: list[tuple[int, float]] = field(default_factory=list)
    """Epochs after which something was saved, and when."""
    checkpoints: list[int] = field(default_factory=list)
    """Sizes of the checkpoints in bytes."""

    @property
    def epochs(self) -> int:
        """How many epochs are stored."""
        return len(self.record.rows)

    @property
    def seconds_per_epoch(self) -> float:
        """Of its slowest stretch between two checkpoints; 0 where there are none."""
        return max([(t - s) / (e - d) for (d, s), (e, t) in pairwise(self.saved)], default=0.0)


@dataclass
class RungState:
    """A rung and its trials, as far as they are known."""

    planned: Rung
    done: int = 0
    failed: int = 0
    running: list[int] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Trials that have not been started, or not been promoted yet."""
        return max(self.planned.trials - self.done - self.failed - len(self.running), 0)


@dataclass
class BracketState:
    """A bracket or stage and its rungs.

    `reached` holds each trial's last outcome with the budget of its rung; `remaining` and `trained`
    are epochs.
    """

    number: int
    rungs: list[RungState]
    finished: bool = False
    reached: dict[int, tuple[int, Outcome]] = field(default_factory=dict)
    remaining: int = 0
    trained: int = 0


@dataclass
class State:
    """A search at one moment."""

    plan: Plan
    brackets: list[BracketState]
    trials: dict[int, TrialState]
    best: Outcome | None
    remaining_epochs: int
    trained_epochs: int
    """Epochs of the plan that are stored; those that failed trials were spared are not."""
    now: float
    held: bool = False
    """Whether a run on this machine holds the result folder."""

    @property
    def finished(self) -> bool:
        """Whether every bracket has ended."""
        return all(bracket.finished for bracket in self.brackets)

    @property
    def running(self) -> list[int]:
        """Trials that seem to be trained just now."""
        return [j for b in self.brackets for r in b.rungs for j in r.running]

    @property
    def failed(self) -> list[int]:
        """Trials that failed."""
        return [j for j, t in self.trials.items() if _failed(t)]

    @property
    def epochs_per_second(self) -> float | None:
        """Saved epochs by the time between them, pauses left out."""
        return speed([trial.saved for trial in self.trials.values()])

    @property
    def seconds_left(self) -> float | None:
        """Expected time for the epochs that are missing."""
        rate = self.epochs_per_second
        return self.remaining_epochs / rate if rate else None


def read_state(result: Path, now: float) -> State:
    """Read a result folder.

    Parameters
    ----------
    now
        The time in seconds, to tell trials that run from those that were cut off.
    """
    path = result / paths.PLAN
    if not path.is_file():
        raise UserError(f"{result}: holds no search ({path} is missing); give a result folder")
    plan = Plan.read(path)
    trials = {t.number: _trial_state(result, t) for t in plan.trials}
    patience = _patience(result)
    brackets: list[BracketState] = []
    reached: dict[int, tuple[int, Outcome]] = {}
    for planned in plan.brackets:
        # A stage's trials follow from the stages before, so that a stored proposal may be old.
        is_open = not plan.is_staged or all(b.finished for b in brackets)
        earlier = reached if plan.is_staged else {}
        known = trials if is_open else {}
        brackets.append(_bracket_state(planned, known, patience, now, earlier))
        reached |= brackets[-1].reached
    order = [o for o in ranked([found for _, found in reached.values()]) if not o.failed]
    first = order[0] if order else None
    remaining = sum(bracket.remaining for bracket in brackets)
    trained = sum(bracket.trained for bracket in brackets)
    return State(plan, brackets, trials, first, remaining, trained, now, is_held(result))


def _bracket_state(
    planned: Bracket,
    trials: dict[int, TrialState],
    patience: int | None,
    now: float,
    earlier: dict[int, tuple[int, Outcome]],
) -> BracketState:
    """How far a bracket is.

    Parameters
    ----------
    trials
        Those that are decided: not those of a stage that waits for the ones before it.
    earlier
        Budgets and outcomes of the stages before, whose trials compete.
    """
    made = BracketState(planned.number, [RungState(rung) for rung in planned.rungs])
    budgets = {trial: budget for trial, (budget, _) in earlier.items()}
    decided = all(trial in trials for trial in planned.trials)
    candidates: list[int] | None = list(planned.trials) if decided else None
    for index, (state, rung) in enumerate(zip(made.rungs, planned.rungs, strict=True)):
        if candidates is None:  # not decided yet who is promoted
            made.remaining += rung.trials * rung.new_epochs
            continue
        before = rung.budget - rung.new_epochs
        epochs = [min(trials[j].epochs, rung.budget) for j in candidates]
        made.trained += sum(max(0, count - before) for count in epochs)
        found = {j: outcome(j, trials[j].record, rung.budget, patience) for j in candidates}
        ended = [o for o in found.values() if o is not None]
        for j, result in found.items():
            if result is not None:
                made.reached[j] = (rung.budget, result)
            else:
                made.remaining += rung.budget - max(before, min(trials[j].epochs, rung.budget))
                made.reached |= {t: (rung.budget, o) for t, o in _so_far(j, trials[j]).items()}
                if _active(trials[j], before, now):
                    state.running.append(j)
        state.failed = sum(o.failed for o in ended)
        state.done = len(ended) - state.failed
        if len(ended) < len(candidates):
            candidates = None
        elif index + 1 < len(planned.rungs):
            ended += [earlier[j][1] for j in competing(planned, index, budgets)]
            candidates = promoted(ranked(ended), planned.slots_after(index))
    made.finished = candidates is not None
    return made


def _so_far(trial: int, state: TrialState) -> dict[int, Outcome]:
    """What a trial that is in the middle of a rung has reached."""
    found = outcome(trial, state.record, state.epochs, None) if state.epochs else None
    return {trial: found} if found is not None else {}


def _active(trial: TrialState, before: int, now: float) -> bool:
    """Whether a trial shows signs of life within its rung."""
    if not trial.written:
        return False
    recent = now - trial.written <= max(QUIET, 5 * trial.seconds_per_epoch)
    return recent and (trial.epochs > before or before == 0)


def _failed(trial: TrialState) -> bool:
    record = trial.record
    found = outcome(0, record, max(len(record.rows), 1 if record.failure else 0), None)
    if record.failure is not None and found is not None and not found.failed:
        return len(record.rows) >= record.failure.epoch - 1
    return found is not None and found.failed


def _trial_state(result: Path, trial: Trial) -> TrialState:
    """Read a trial's folder; one of another configuration or seed counts as empty."""
    path = result / paths.trial(trial.number)
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return TrialState()
    wanted = (trial.seed, trial.config)
    if not isinstance(config, dict) or (config.get("seed"), config.get("config")) != wanted:
        return TrialState()
    rows: list[EpochRow] = []
    with suppress(OSError, ValueError, UnicodeDecodeError):
        rows = [parse_row(row) for row in read_csv(path / "history.csv")]
    failure = None
    if isinstance(config.get("failure"), dict):
        told = config["failure"]
        failure = Failure(told["epoch"], told["status"], told["message"])
    times, sizes = [0.0], []
    saved: dict[int, float] = {}
    for file in path.iterdir():
        with suppress(OSError):
            status = file.stat()
            times.append(status.st_mtime)
            if file.suffix == ".pt":
                sizes.append(status.st_size)
            epoch = AT_EPOCH.fullmatch(file.name)
            if epoch or file.name == "history.csv":
                number = int(epoch[1]) if epoch else len(rows)
                saved[number] = min(saved.get(number, status.st_mtime), status.st_mtime)
    kept = sorted((e, t) for e, t in saved.items() if 0 < e <= len(rows))
    return TrialState(Record(rows, failure), max(times), kept, sizes)


def _patience(result: Path) -> int | None:
    """`early_stop` of the run, if it left a note of its config."""
    with suppress(UserError, KeyError, TypeError):
        found = read_json(result / paths.RUN_NOTE)["config"]["early_stop"]
        return int(found) if found is not None else None
    return None


def speed(saved: list[list[tuple[int, float]]]) -> float | None:
    """Epochs per second of trials that saved after these epochs at these times."""
    events = []
    for trial in saved:
        before = 0
        for epoch, moment in trial:
            events.append((moment, epoch - before))
            before = epoch
    events.sort()
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(events)]
    if not gaps:
        return None
    longest = max(QUIET, PAUSE * sorted(gaps)[len(gaps) // 2])
    pairs = zip(gaps, events[1:], strict=True)
    kept = [(gap, epochs) for gap, (_, epochs) in pairs if gap <= longest]
    seconds = sum(gap for gap, _ in kept)
    return sum(epochs for _, epochs in kept) / seconds if seconds > 0 else None

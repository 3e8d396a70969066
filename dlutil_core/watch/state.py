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
from typing import Any

from dlutil_core.common.errors import UserError
from dlutil_core.common.files import read_csv, read_json
from dlutil_core.search.outcome import Outcome, outcome, promoted, ranked
from dlutil_core.search.trial_folder import AT_EPOCH, Failure, Record, Row, parse_row

QUIET = 60.0
"""A trial that has written nothing for so many seconds, or five of its epochs, is not running."""

PAUSE = 20.0
"""A gap between two checkpoints of a search that is so many times the usual one is a pause."""


@dataclass
class TrialFolder:
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
class Rung:
    """A rung and its trials, as far as they are known."""

    trials: int
    epochs: int
    done: int = 0
    failed: int = 0
    running: list[int] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Trials that have not been started, or not been promoted yet."""
        return max(self.trials - self.done - self.failed - len(self.running), 0)


@dataclass
class Bracket:
    """A bracket and its rungs."""

    number: int
    rungs: list[Rung]
    finished: bool = False


@dataclass
class State:
    """A search at one moment."""

    plan: dict[str, Any]
    brackets: list[Bracket]
    folders: dict[int, TrialFolder]
    best: Outcome | None
    planned_epochs: int
    remaining_epochs: int
    now: float

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
        return [j for j, f in self.folders.items() if _failed(f)]

    @property
    def trained_epochs(self) -> int:
        """Epochs that are stored."""
        return self.planned_epochs - self.remaining_epochs

    @property
    def epochs_per_second(self) -> float | None:
        """Saved epochs by the time between them, pauses left out."""
        return speed([folder.saved for folder in self.folders.values()])

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
    path = result / "search" / "plan.json"
    if not path.is_file():
        raise UserError(f"{result}: holds no search ({path} is missing); give a result folder")
    plan = read_json(path)
    folders = {t["trial"]: _folder(result, t) for t in plan["trials"]}
    patience = _patience(result)
    brackets, best = [], []
    planned = remaining = 0
    for entry in plan["brackets"]:
        bracket, outcomes, todo = _bracket(entry, folders, patience, now)
        brackets.append(bracket)
        best += outcomes
        before = 0
        for rung in entry["rungs"]:
            planned += rung["trials"] * (rung["epochs"] - before)
            before = rung["epochs"]
        remaining += todo
    order = [o for o in ranked(best) if not o.failed]
    return State(plan, brackets, folders, order[0] if order else None, planned, remaining, now)


def _bracket(
    entry: dict[str, Any], folders: dict[int, TrialFolder], patience: int | None, now: float
) -> tuple[Bracket, list[Outcome], int]:
    """A bracket's state, the outcomes so far, and how many epochs are to be trained."""
    rungs = [Rung(r["trials"], r["epochs"]) for r in entry["rungs"]]
    last: dict[int, Outcome] = {}
    candidates: list[int] | None = list(entry["trials"])
    remaining = before = 0
    for index, rung in enumerate(rungs):
        if candidates is None:  # not decided yet who is promoted
            remaining += rung.trials * (rung.epochs - before)
            before = rung.epochs
            continue
        found = {j: outcome(j, folders[j].record, rung.epochs, patience) for j in candidates}
        ended = [o for o in found.values() if o is not None]
        for j, result in found.items():
            if result is not None:
                last[j] = result
            else:
                remaining += rung.epochs - max(before, min(folders[j].epochs, rung.epochs))
                last |= _so_far(j, folders[j])
                if _active(folders[j], before, now):
                    rung.running.append(j)
        rung.failed = sum(o.failed for o in ended)
        rung.done = len(ended) - rung.failed
        before = rung.epochs
        if len(ended) < len(candidates):
            candidates = None
        elif index + 1 < len(rungs):
            candidates = promoted(ranked(ended), rungs[index + 1].trials)
    return Bracket(entry["bracket"], rungs, candidates is not None), list(last.values()), remaining


def _so_far(trial: int, folder: TrialFolder) -> dict[int, Outcome]:
    """What a trial that is in the middle of a rung has reached."""
    found = outcome(trial, folder.record, folder.epochs, None) if folder.epochs else None
    return {trial: found} if found is not None else {}


def _active(folder: TrialFolder, before: int, now: float) -> bool:
    """Whether a trial shows signs of life within its rung."""
    if not folder.written:
        return False
    recent = now - folder.written <= max(QUIET, 5 * folder.seconds_per_epoch)
    return recent and (folder.epochs > before or before == 0)


def _failed(folder: TrialFolder) -> bool:
    record = folder.record
    found = outcome(0, record, max(len(record.rows), 1 if record.failure else 0), None)
    if record.failure is not None and found is not None and not found.failed:
        return len(record.rows) >= record.failure.epoch - 1
    return found is not None and found.failed


def _folder(result: Path, trial: dict[str, Any]) -> TrialFolder:
    """Read a trial's folder; one of another configuration or seed counts as empty."""
    path = result / "search" / "trials" / f"{trial['trial']:05d}"
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return TrialFolder()
    same = isinstance(config, dict) and all(config.get(k) == trial[k] for k in ("seed", "config"))
    if not same:
        return TrialFolder()
    rows: list[Row] = []
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
    return TrialFolder(Record(rows, failure), max(times), kept, sizes)


def _patience(result: Path) -> int | None:
    """`early_stop` of the run, if it left a note of its config."""
    with suppress(UserError, KeyError, TypeError):
        found = read_json(result / "logs" / "run.json")["config"]["early_stop"]
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

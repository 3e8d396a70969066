"""What a bracket's process and its workers tell each other; a trained task's answer: `Outcome`."""

from __future__ import annotations

from dataclasses import dataclass

from dlutil_core.search.plan import Trial
from dlutil_core.search.trial_folder import EpochRow


@dataclass(frozen=True)
class Task:
    """Train this trial of the plan to this many epochs; `alone`: with nothing beside it."""

    trial: Trial
    budget: int
    alone: bool = False


@dataclass(frozen=True)
class Ready:
    """The worker has a device to train on."""


@dataclass(frozen=True)
class Begins:
    """The training of the worker's task begins with this epoch."""

    epoch: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch of a trial was trained."""

    trial: int
    row: EpochRow


@dataclass(frozen=True)
class NeedsMemory:
    """The task ran out of memory while others ran beside it; it deserves another try alone."""

    task: Task


@dataclass(frozen=True)
class JobFailed:
    """What no trial is to blame for: the job ends with this sentence."""

    sentence: str
    traceback: str = ""

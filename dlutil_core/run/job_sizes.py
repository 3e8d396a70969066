"""How a run is divided into jobs, and what each of them asks of a scheduler.

Nothing here changes a result: a search in few large jobs leaves the same files as one in many.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dlutil_core.search.plan import Schedule

BRACKET = "bracket"
TRIAL = "trial"

OPENING = 3
"""Stages of a staged search that are one job, where brackets are jobs."""


class JobSizes:
    """The jobs of a run.

    Parameters
    ----------
    values
        A validated config.
    plan
        The run's plan.
    """

    def __init__(self, values: Mapping[str, Any], plan: Schedule) -> None:
        self.values = values
        self.plan = plan
        self.resources: dict[str, Any] = values["resources"]
        self.on_cluster: bool = values["cluster"]

    @property
    def kind(self) -> str:
        """`bracket` or `trial`; `search.jobs: auto` means trial jobs on a cluster."""
        chosen: str = self.values["search"]["jobs"]
        if chosen == "auto":
            return TRIAL if self.on_cluster else BRACKET
        return chosen

    @property
    def gpus(self) -> int:
        """GPUs of a job that trains, tests or predicts.

        `device: auto` asks a cluster for none: a job on a cluster without GPUs would never start.
        Elsewhere the number counts only where a limit is given (`--resources gpu=1`).
        """
        asked: int | None = self.resources["gpus"]
        device = self.values["device"]
        if device == "cpu":
            return 0
        if asked is not None:
            return asked
        return 1 if device == "cuda" or not self.on_cluster else 0

    @property
    def trial_threads(self) -> int:
        """Threads of one trial's training."""
        return int(self.values["search"]["threads_per_trial"])

    # Trial jobs

    @property
    def epochs_per_job(self) -> int:
        """Epochs that a trial job trains at least, where its rung has as many."""
        asked: int | None = self.values["search"]["epochs_per_job"]
        if asked is not None:
            return asked
        return max(1, self.plan.max_epochs // self.plan.eta**2) if self.on_cluster else 1

    def slots(self, bracket: int, rung: int) -> list[range]:
        """The slots of a rung, divided into jobs as evenly as possible."""
        trials = self.plan.bracket(bracket).rungs[rung].trials
        together = -(-self.epochs_per_job // self.epochs(bracket, rung))
        jobs = -(-trials // together)
        ends = [trials * k // jobs for k in range(jobs + 1)]
        return [range(first, end) for first, end in pairwise(ends)]

    def epochs(self, bracket: int, rung: int) -> int:
        """Epochs that one trial is trained in a rung, beyond the rung before."""
        return max(1, self.plan.bracket(bracket).rungs[rung].new_epochs)

    def slots_threads(self, slots: int) -> int:
        """Threads of a trial job: several trials may share its GPU, otherwise one is trained."""
        side_by_side = self.values["trials_per_gpu"] if self.gpus else 1
        return self.trial_threads * min(slots, side_by_side * max(1, self.gpus))

    # Bracket jobs

    def bracket_threads(self, cores: int | None) -> int:
        """Threads of a bracket job: its part of this machine's cores, or what the config says.

        Stages follow one another, so each has all cores.
        """
        if self.on_cluster:
            return max(self.trial_threads, int(self.resources["cpus"]))
        brackets = 1 if self.plan.is_staged else len(self.plan.brackets)
        return max(1, (cores or brackets) // brackets)

    def bracket_epochs(self, bracket: int) -> int:
        """Epochs that a bracket trains in all."""
        return self.plan.bracket(bracket).epochs

    @property
    def opening(self) -> list[int]:
        """The first stages, which are one job: alone they are shorter than a job's start."""
        if not self.plan.is_staged or self.kind == TRIAL:
            return []
        return [stage.number for stage in self.plan.brackets[:OPENING]]

    # What a job asks for; after a failure twice, three times as much

    def mem_mb(self, attempt: int, threads: int) -> int:
        """Memory in MB: `resources.mem_mb` for each trial that is trained side by side."""
        return attempt * int(self.resources["mem_mb"]) * max(1, threads // self.trial_threads)

    def runtime(self, attempt: int, threads: int, epochs: int = 0) -> int:
        """Minutes: `resources.runtime`, and `resources.minutes_per_epoch` for each epoch."""
        side_by_side = max(1, threads // self.trial_threads)
        minutes = epochs * float(self.resources["minutes_per_epoch"]) / side_by_side
        return attempt * (int(self.resources["runtime"]) + int(-(-minutes // 1)))

"""The workflow on a real Slurm: the same bytes as on one machine, through cancelled jobs, a dead
node and a killed main process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from slurm import Slurm
from support import REPOSITORY, Epoch, Project, planned_epochs

PROFILES = REPOSITORY / "workflow" / "profiles"

# Looks at the queue often, since these jobs are short.
PROFILE = ("--profile", str(PROFILES / "slurm"), "--slurm-init-seconds-before-status-checks", "1")

# A checkpoint is written after each epoch that takes so long.
EPOCH_SECONDS = "4"

RUN_SECONDS = 900


def test_example_on_two_nodes(slurm: Slurm, example: tuple[Project, Project]) -> None:
    here, cluster = example
    here.succeed()
    done = cluster.run(*PROFILE, timeout=RUN_SECONDS)
    assert done.code == 0, done.output
    plan = cluster.plan
    assert done.ran["trial"] == sum(r["trials"] for b in plan["brackets"] for r in b["rungs"])
    trials = [(comment, node) for _, comment, node in slurm.jobs() if "rule_trial" in comment]
    assert {node for _, node in trials} == {"left", "right"}
    assert cluster.manifest == here.manifest


def trained_twice(epochs: list[Epoch]) -> int:
    """How many epochs were begun again: of each trial the one in progress, never an earlier one."""
    last: dict[int, int] = {}
    for epoch in sorted(epochs, key=lambda e: e.time):
        assert epoch.number >= last.get(epoch.trial_seed, 0), epoch
        last[epoch.trial_seed] = epoch.number
    return len(epochs) - len({(e.trial_seed, e.number) for e in epochs})


class Run:
    """A run in trial jobs that goes on while the test waits for something to happen in it."""

    def __init__(self, project: Project, slurm: Slurm) -> None:
        self.project = project
        self.slurm = slurm
        self.process = project.start(*PROFILE, DLUTIL_EPOCH_SECONDS=EPOCH_SECONDS)

    def wait_until(self, true: Callable[[], object], what: str) -> None:
        """Wait for something that happens before the run ends."""
        until = time.monotonic() + RUN_SECONDS
        while not true():
            told = (self.project.folder / "run.txt").read_text()[-3000:]
            assert self.process.poll() is None, f"the run ended before {what}: {told}"
            assert time.monotonic() < until, f"{RUN_SECONDS} s passed before {what}: {told}"
            time.sleep(0.2)

    def training(self, node: str = "") -> list[str]:
        """Numbers of the trial jobs that run, on a node or on all of them."""
        jobs = self.slurm.jobs("RUNNING")
        return [job for job, comment, at in jobs if "rule_trial" in comment and node in at]

    def wait_for_training(self, node: str = "") -> list[str]:
        """Wait until an epoch begins, and a trial job runs on a node; those that do."""
        begun = len(self.project.epochs())
        self.wait_until(
            lambda: len(self.project.epochs()) > begun and bool(self.training(node)),
            f"a trial was trained {node and f'on the {node} node'}",
        )
        return self.training(node)


def test_cancelled_job_dead_node_and_killed_run(slurm: Slurm, tmp_path: Path) -> None:
    search = {"max_epochs": 3, "jobs": "auto"}
    alone = {"search": search, "predict": [], "evaluate": False}
    here = Project.make(tmp_path / "here", **alone)
    here.succeed()
    project = Project.make(tmp_path / "project", **alone)
    run = Run(project, slurm)

    cancelled = run.wait_for_training()[0]
    slurm.cancel(cancelled)

    lost = run.wait_for_training("right")
    slurm.kill_node("right")
    try:
        run.wait_until(lambda: "down" in slurm.states()[1], "the dead node was noticed")
    finally:
        slurm.start_node("right")

    run.wait_until(
        lambda: any(slurm.restarts(job) for job in set(lost) & set(run.training())),
        "a job of the dead node ran again",
    )
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()

    done = project.run(*PROFILE, timeout=RUN_SECONDS, DLUTIL_EPOCH_SECONDS=EPOCH_SECONDS)
    assert done.code == 0, done.output
    assert project.manifest == here.manifest
    assert cancelled in [job for job, _, _ in slurm.jobs("CANCELLED")]
    epochs = project.epochs()
    assert len({(e.trial_seed, e.number) for e in epochs}) == planned_epochs(project.plan)
    # Jobs outlive the main process: its death costs nothing.
    assert trained_twice(epochs) <= 1 + len(lost)

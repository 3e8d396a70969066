"""Ways to end a run from outside, and what a run that was ended had to repeat."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import psutil
from support import Epoch, Project

KINDS = (
    "main process, SIGKILL",
    "job, SIGKILL",
    "worker, SIGKILL",
    "everything, SIGKILL",
    "main process, SIGINT",
    "everything, SIGINT",
    "main process, SIGTERM",
    "everything, SIGTERM",
)

END_SECONDS = 120

RESIDENT = "dlutil_core.job.resident_process"


def jobs_of(main: int) -> list[psutil.Process]:
    """The running jobs: children of the run that execute one of the scripts, not their workers."""
    try:
        below = psutil.Process(main).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    scripts = [p for p in below if _is_script(p)]
    pids = {p.pid for p in scripts}
    return [p for p in scripts if _parent(p) not in pids]


def workers_of(main: int) -> list[psutil.Process]:
    """The running workers: children of a job, or of the fork that does its work."""
    return [worker for job in [*jobs_of(main), *_forks(main)] for worker in _children(job)]


def _forks(main: int) -> list[psutil.Process]:
    """The forks of the run's resident process."""
    residents = [p for p in _children(main) if RESIDENT in _words(p)]
    return [fork for resident in residents for fork in _children(resident)]


def _children(process: psutil.Process | int) -> list[psutil.Process]:
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return list(found.children())
    except psutil.Error:
        return []


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _is_script(process: psutil.Process) -> bool:
    words = _words(process)
    return len(words) > 2 and "python" in words[0] and "/scripts/" in words[2]


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


def end(run: subprocess.Popen[str], kind: str) -> bool:
    """End a run in this way; false if it had ended by itself before that was possible."""
    whom, name = kind.split(", ")
    number = signal.Signals[name]
    while run.poll() is None:
        if whom == "main process":
            os.kill(run.pid, number)
            break
        if whom == "everything":
            os.killpg(run.pid, number)
            break
        targets = jobs_of(run.pid) if whom == "job" else workers_of(run.pid)
        if targets:
            try:
                targets[0].send_signal(number)
            except psutil.NoSuchProcess:
                continue
            break
        time.sleep(0.01)
    else:
        return False
    run.wait(END_SECONDS)
    return True


def left_over(folder: Path) -> list[psutil.Process]:
    """Processes that work in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def wait_for_orphans(folder: Path) -> None:
    """Wait until no process of an ended run is left."""
    until = time.monotonic() + END_SECONDS
    while left := left_over(folder):
        assert time.monotonic() < until, f"still running: {[p.cmdline() for p in left]}"
        time.sleep(0.1)


@dataclass
class Repeats:
    """Epochs that were begun more than once."""

    epochs: int = 0
    incidents: int = 0
    lost: list[float] = field(default_factory=list)
    """Seconds of finished training that each incident made a trial repeat."""


def repeats(epochs: list[Epoch]) -> Repeats:
    """What was repeated, trial by trial.

    Where a trial goes back from epoch n to an epoch m <= n, epochs m…n are repeated; n was in
    progress, so what was lost are the seconds between the starts of m and n.
    """
    found = Repeats()
    by_trial = sorted(epochs, key=lambda e: (e.trial_seed, e.time))
    for _, group in groupby(by_trial, key=lambda e: e.trial_seed):
        started: dict[int, float] = {}
        last = 0
        for epoch in group:
            if epoch.number <= last:
                found.incidents += 1
                found.lost.append(started[last] - started[epoch.number])
            found.epochs += epoch.number in started
            started[epoch.number] = epoch.time
            last = epoch.number
    return found


def moments_of(project: Project) -> str:
    """How far the runs of a project came, for messages of failed tests."""
    return (project.folder / "run.txt").read_text()

"""How long a search of 10,000 trials takes on 1,000 workers: bracket jobs, trial jobs, groups.

And how long a staged search, whose stages wait for each other, takes beside Hyperband on a machine.

A simulation of the scheduler, the workflow's main process and the workers; nothing is trained. The
latencies are measured ones (`--measure` measures them again, on the Slurm of tests/cluster, as
root). `--write` renews the tables and the picture in docs/.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dlutil_core.run.job_sizes import OPENING  # noqa: E402
from dlutil_core.search.plan import Bracket, Schedule, hyperband  # noqa: E402
from dlutil_core.search.staged.stages import staged  # noqa: E402

PAGE = ROOT / "docs" / "cluster.md"
PICTURE = ROOT / "docs" / "pictures" / "makespan.svg"
MARKS = ("<!-- table: makespan -->\n", "<!-- end of table -->\n")
STAGED_PAGE = ROOT / "docs" / "search.md"
STAGED_MARKS = ("<!-- table: staged makespan -->\n", "<!-- end of table -->\n")

MAX_EPOCHS = 6561
WORKERS = 1000
COLOURS = ("#0072b2", "#3b8fc2", "#d55e00", "#009e73", "#a87400")
EPOCH_SECONDS = (0.01, 0.1, 1.0, 10.0)
CORES = (1, 4, 8, 16, 100)
STAGED_MAX_EPOCHS = (9, 27, 81)
STAGED_SECONDS = 10.0
STAGED_SEEDS = 20


@dataclass(frozen=True)
class Latencies:
    """Seconds that a job costs beside its training, and how the main process sees jobs.

    `submit`: the main process is busy with one submission. `start`: from submission to the job's
    first line, on an idle cluster. `overhead`: the job's own start and end (Snakemake, Python,
    torch, data). `look`: between looks at the queue. `rank`: a rung's ranking, in the main process.
    """

    submit: float = 0.10
    start: float = 0.95
    overhead: float = 8.0
    look: float = 10.0
    rank: float = 0.5


@dataclass(frozen=True)
class Cluster:
    """Workers (each trains one trial at a time), and how many jobs may be queued and running."""

    workers: int = WORKERS
    jobs: int = WORKERS
    latencies: Latencies = Latencies()


@dataclass(frozen=True)
class Work:
    """A search: its plan, the mean seconds of an epoch, and how unequal trials are.

    A trial's epochs take `seconds` times a log-normal factor of mean 1 (spread 0.5: a tenth of the
    trials takes more than 1.7 times the mean).
    """

    plan: Schedule
    seconds: float
    spread: float = 0.5
    seed: int = 1

    def factor(self, trial: int) -> float:
        """How much slower than the mean a trial is."""
        draw = random.Random(self.seed * 1_000_003 + trial).gauss(0.0, self.spread)
        return math.exp(draw - self.spread**2 / 2)

    def rungs(self, bracket: Bracket) -> Iterator[list[float]]:
        """Seconds of each trial of each rung; who is promoted has nothing to do with speed."""
        trials = list(bracket.trials)
        order = random.Random(self.seed + bracket.number).sample(trials, len(trials))
        for rung in bracket.rungs:
            seconds = self.seconds * rung.new_epochs
            yield [seconds * self.factor(j) for j in order[: rung.trials]]


def lower_bound(work: Work, cluster: Cluster) -> float:
    """No schedule is shorter: all work on all workers, each bracket's longest trials in turn."""
    rungs = [list(work.rungs(bracket)) for bracket in work.plan.brackets]
    total = sum(sum(rung) for bracket in rungs for rung in bracket)
    return max(total / cluster.workers, *(sum(map(max, bracket)) for bracket in rungs))


def spread_out(seconds: Sequence[float], workers: int) -> float:
    """Time of tasks on workers of one job, each taking the next task when it is free."""
    free = [0.0] * min(workers, len(seconds))
    for task in seconds:
        heapq.heapreplace(free, free[0] + task)
    return max(free)


def bracket_jobs(work: Work, cluster: Cluster, cores: int) -> float:
    """One job for each bracket, its trials side by side on the job's cores, rung by rung."""
    lag = cluster.latencies
    ends = []
    for position, bracket in enumerate(work.plan.brackets):
        training = sum(spread_out(rung, cores) for rung in work.rungs(bracket))
        begin = (position + 1) * lag.submit + lag.start
        ends.append(begin + lag.overhead + training)
    return look_at(max(ends), lag)


def on_one_machine(work: Work, cores: int, overhead: float) -> float:
    """Bracket jobs as the workflow shares a machine's cores out.

    Brackets of Hyperband run side by side, as many as there are cores for; stages one after the
    other, each on all cores, and the first ones are one job.
    """
    brackets = work.plan.brackets
    threads = cores if work.plan.is_staged else max(1, cores // len(brackets))
    times = [sum(spread_out(rung, threads) for rung in work.rungs(b)) for b in brackets]
    if work.plan.is_staged:
        return sum(times) + overhead * (len(brackets) - min(OPENING, len(brackets)) + 1)
    return spread_out([overhead + seconds for seconds in times], cores // threads)


def staged_ratio(max_epochs: int, cores: int) -> float:
    """How many times as long as Hyperband a staged search takes: the mean over unequal trials."""
    overhead = Latencies().overhead
    found = []
    for seed in range(STAGED_SEEDS):
        times = [
            on_one_machine(Work(plan, STAGED_SECONDS, seed=seed), cores, overhead)
            for plan in (staged(max_epochs), hyperband(max_epochs))
        ]
        found.append(times[0] / times[1])
    return statistics.mean(found)


def staged_table() -> str:
    """The ratios as a Markdown table."""
    head = " | ".join(f"R = {epochs}" for epochs in STAGED_MAX_EPOCHS)
    lines = [f"| cores | {head} |\n", "| ---: " * (len(STAGED_MAX_EPOCHS) + 1) + "|\n"]
    for cores in CORES:
        cells = " | ".join(f"{staged_ratio(epochs, cores):.1f}" for epochs in STAGED_MAX_EPOCHS)
        lines.append(f"| {cores} | {cells} |\n")
    return "".join(lines)


def look_at(moment: float, lag: Latencies) -> float:
    """When the main process sees what happened at that moment."""
    return math.ceil(moment / lag.look) * lag.look


def trial_jobs(work: Work, cluster: Cluster, epochs_per_job: int = 1) -> float:
    """One job for each slot of a rung, or for several slots of a short rung, in turn."""
    rungs = {b.number: list(_rung_jobs(work, b, epochs_per_job)) for b in work.plan.brackets}
    return _Simulation(rungs, cluster).run()


def _rung_jobs(work: Work, bracket: Bracket, epochs_per_job: int) -> Iterator[list[float]]:
    for rung, seconds in zip(bracket.rungs, work.rungs(bracket), strict=True):
        together = -(-epochs_per_job // max(1, rung.new_epochs))
        jobs = -(-len(seconds) // together)
        ends = [len(seconds) * k // jobs for k in range(jobs + 1)]
        yield [sum(seconds[a:b]) for a, b in pairwise(ends)]


class _Simulation:
    """The main process submits one job after the other; workers take them as they come."""

    def __init__(self, rungs: dict[int, list[list[float]]], cluster: Cluster) -> None:
        self.rungs = rungs
        self.cluster = cluster
        self.lag = cluster.latencies
        self.left = {bracket: len(found[0]) for bracket, found in rungs.items()}
        self.stage = dict.fromkeys(rungs, 0)
        self.ready = [(b, s) for b, found in rungs.items() for s in found[0]]
        self.ready.reverse()  # submitted from the end
        self.seen: list[tuple[float, int]] = []  # when the end of a job of a bracket is noticed
        self.free = [0.0] * cluster.workers

    def run(self) -> float:
        """The time when the last job's end is noticed."""
        now = 0.0
        queued = 0
        while self.ready or self.seen:
            if self.ready and queued < self.cluster.jobs:
                # What was noticed meanwhile comes first.
                if self.seen and self.seen[0][0] <= now:
                    queued -= 1
                    now = self._notice(now)
                    continue
                now += self.lag.submit
                bracket, seconds = self.ready.pop()
                begin = max(now + self.lag.start, self.free[0])
                end = begin + self.lag.overhead + seconds
                heapq.heapreplace(self.free, end)
                heapq.heappush(self.seen, (look_at(end, self.lag), bracket))
                queued += 1
            else:
                queued -= 1
                now = self._notice(max(now, self.seen[0][0]))
        return now

    def _notice(self, now: float) -> float:
        """One job has ended; with the last one of a rung the next rung is ready."""
        _, bracket = heapq.heappop(self.seen)
        self.left[bracket] -= 1
        if self.left[bracket]:
            return now
        self.stage[bracket] += 1
        if self.stage[bracket] < len(self.rungs[bracket]):
            following = self.rungs[bracket][self.stage[bracket]]
            self.left[bracket] = len(following)
            self.ready = [(bracket, s) for s in reversed(following)] + self.ready
        return now + self.lag.rank


WAYS: dict[str, Callable[[Work, Cluster], float]] = {
    "bracket jobs, 1 worker each": lambda work, cluster: bracket_jobs(work, cluster, 1),
    "bracket jobs, 8 workers each": lambda work, cluster: bracket_jobs(work, cluster, 8),
    "trial jobs": trial_jobs,
    "grouped to R/9": lambda work, cluster: trial_jobs(
        work, cluster, work.plan.max_epochs // work.plan.eta**2
    ),
    "grouped to R/81": lambda work, cluster: trial_jobs(
        work, cluster, work.plan.max_epochs // work.plan.eta**4
    ),
}


def simulated(
    cluster: Cluster | None = None, max_epochs: int = MAX_EPOCHS
) -> dict[float, dict[str, float]]:
    """Makespans in seconds by the seconds of an epoch and the way; `bound`: the lower bound."""
    found = {}
    for seconds in EPOCH_SECONDS:
        work = Work(hyperband(max_epochs), seconds)
        on = cluster or Cluster()
        found[seconds] = {name: way(work, on) for name, way in WAYS.items()}
        found[seconds]["bound"] = lower_bound(work, on)
    return found


def table(found: dict[float, dict[str, float]]) -> str:
    """The makespans as a Markdown table, each with its ratio to the lower bound."""
    plan = hyperband(MAX_EPOCHS)
    lines = ["| seconds an epoch | lower bound | " + " | ".join(WAYS) + " |\n"]
    lines.append("| ---: " * (len(WAYS) + 2) + "|\n")
    for seconds, row in found.items():
        cells = [f"{duration(row[name])} ({row[name] / row['bound']:.1f})" for name in WAYS]
        lines.append(f"| {seconds:g} | {duration(row['bound'])} | " + " | ".join(cells) + " |\n")
    jobs = sum(rung.trials for bracket in plan.brackets for rung in bracket.rungs)
    return "".join(lines) + f"\n{plan.trial_count:,} trials, {jobs:,} slots, {WORKERS:,} workers.\n"


def duration(seconds: float) -> str:
    """A time as a person says it."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def draw(path: Path) -> None:
    """How many times the lower bound each way takes, against the length of an epoch."""
    from dlutil_core.explain.figures import new_figure, save_svg

    plan = hyperband(MAX_EPOCHS)
    lengths = [10 ** (k / 4) for k in range(-10, 7)]
    figure, axes = new_figure(1, 1, width=7, height=4.2)
    axis = axes[0][0]
    for (name, way), colour in zip(WAYS.items(), COLOURS, strict=True):
        ratios = []
        for seconds in lengths:
            work = Work(plan, seconds)
            ratios.append(way(work, Cluster()) / lower_bound(work, Cluster()))
        axis.plot(lengths, ratios, label=name, color=colour)
    axis.set(xscale="log", yscale="log", xlabel="seconds an epoch", ylabel="times the lower bound")
    axis.legend(frameon=False)
    save_svg(figure, path)


def write() -> None:
    """Renew the tables and the picture in docs/."""
    renew(PAGE, MARKS, table(simulated()))
    renew(STAGED_PAGE, STAGED_MARKS, staged_table())
    draw(PICTURE)


def renew(page: Path, marks: tuple[str, str], text: str) -> None:
    """Put a table between its marks on a page."""
    before, rest = page.read_text(encoding="utf-8").split(marks[0])
    _, after = rest.split(marks[1], 1)
    page.write_text(before + marks[0] + text + marks[1] + after, encoding="utf-8")


def measure() -> Latencies:
    """Latencies of a real Slurm on this machine; needs root and Debian's packages."""
    import subprocess
    import tempfile
    import time

    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]
    from slurm import Slurm, install
    from support import Project

    install()
    submit, start, overhead = [], [], []
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    with Slurm(folder) as slurm:
        for k in range(20):
            out = folder / f"{k}.txt"
            began = time.time()
            job = f"date +%s.%N > {out}"
            subprocess.run(["sbatch", "--mem=10", "--wrap", job], check=True, cwd=folder)
            submit.append(time.time() - began)
            slurm.wait_until(lambda out=out: out.exists() and out.stat().st_size > 0, "a job ran")
            start.append(float(out.read_text()) - began)
        project = Project.make(folder / "project", search={"max_epochs": 3, "jobs": "trial"})
        profile = ("--profile", str(ROOT / "workflow" / "profiles" / "slurm"), "--jobs", "1")
        profile += ("--slurm-init-seconds-before-status-checks", "1")
        done = project.run(*profile, "--until", "bracket", timeout=900)
        assert done.code == 0, done.output
        rows = [line.split() for line in slurm.table() if "rule_trial" in line]
        for number, *_ in rows:
            told = subprocess.run(
                ["scontrol", "show", "job", number], check=True, capture_output=True, text=True
            ).stdout
            times = dict(w.split("=", 1) for w in told.split() if w.startswith(("StartT", "EndT")))
            begin, end = (
                time.mktime(time.strptime(times[n], "%Y-%m-%dT%H:%M:%S"))
                for n in ("StartTime", "EndTime")
            )
            overhead.append(end - begin)
    middle = statistics.median
    return replace(
        Latencies(),
        submit=round(max(0.1, middle(submit)), 2),  # the profile submits ten a second at most
        start=round(middle(start), 2),
        overhead=middle(overhead),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure a real Slurm's latencies")
    parser.add_argument("--write", action="store_true", help="renew docs/cluster.md")
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure())
    elif arguments.write:
        write()
    else:
        print(table(simulated()))
        print(staged_table(), end="")


if __name__ == "__main__":
    main()

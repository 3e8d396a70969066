"""The simulation of clusters: its laws, and that the documentation shows what it gives."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import makespan
from makespan import Cluster, Latencies, Work

from dlutil_core.search.plan import Schedule, hyperband
from dlutil_core.search.staged.stages import staged

FREE = Latencies(submit=0, start=0, overhead=0, look=1e-6, rank=0)


def test_the_documentation_shows_what_the_simulation_gives() -> None:
    page = (REPOSITORY / "docs" / "cluster.md").read_text()
    shown = page.split(makespan.MARKS[0])[1].split(makespan.MARKS[1])[0]
    assert shown == makespan.table(makespan.simulated())
    page = makespan.STAGED_PAGE.read_text()
    shown = page.split(makespan.STAGED_MARKS[0])[1].split(makespan.STAGED_MARKS[1])[0]
    assert shown == makespan.staged_table()


@pytest.mark.parametrize("plan", [hyperband(81), staged(81)])
def test_one_core_without_latencies_does_all_work_in_turn(plan: Schedule) -> None:
    work = Work(plan, 1.0)
    total = sum(sum(rung) for bracket in plan.brackets for rung in work.rungs(bracket))
    assert makespan.on_one_machine(work, 1, overhead=0) == pytest.approx(total)
    for cores in (4, 100):
        found = makespan.on_one_machine(work, cores, overhead=0)
        assert total / cores <= found < total


@pytest.mark.parametrize("seconds", [0.01, 1.0])
@pytest.mark.parametrize("workers", [1, 7, 300])
def test_nothing_is_faster_than_the_bound(seconds: float, workers: int) -> None:
    work = Work(hyperband(81), seconds)
    for latencies in (Latencies(), FREE):
        cluster = Cluster(workers, workers, latencies)
        for name, way in makespan.WAYS.items():
            if not name.startswith("bracket"):  # these bring workers of their own
                assert way(work, cluster) >= makespan.lower_bound(work, cluster) - 1e-3, name


def test_trial_jobs_without_latencies_on_enough_workers_reach_the_bound() -> None:
    work = Work(hyperband(81), 1.0)
    cluster = Cluster(10_000, 10_000, FREE)
    assert makespan.trial_jobs(work, cluster) == pytest.approx(
        makespan.lower_bound(work, cluster), rel=1e-3
    )


def test_one_worker_does_all_the_work() -> None:
    work = Work(hyperband(27), 1.0, spread=0)
    cluster = Cluster(1, 10_000, FREE)
    assert makespan.trial_jobs(work, cluster) == pytest.approx(work.plan.epochs, rel=1e-3)


def test_every_latency_costs_something() -> None:
    work = Work(hyperband(81), 0.1)
    least = makespan.trial_jobs(work, Cluster(50, 50, FREE))
    for name in ("submit", "start", "overhead", "look", "rank"):
        slower = Cluster(50, 50, replace(FREE, **{name: 5.0}))
        assert makespan.trial_jobs(work, slower) > least, name


def test_tasks_on_the_workers_of_a_job() -> None:
    assert makespan.spread_out([3, 1, 1, 1], 2) == 3
    assert makespan.spread_out([1, 1, 1], 8) == 1

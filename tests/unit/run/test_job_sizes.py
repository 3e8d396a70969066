"""How a run is divided into jobs, and what they ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Finished, Project

from dlutil_core.run.job_sizes import JobSizes
from dlutil_core.run.run_config import RunConfig

BASE: dict[str, Any] = {"definition": "def.py", "data": "data", "result": "out"}


def sizes(**changes: Any) -> JobSizes:
    run = RunConfig(BASE | changes)
    return JobSizes(run.values, run.plan)


@pytest.mark.parametrize(
    ("search", "cluster", "kind"),
    [
        ({}, False, "bracket"),
        ({}, True, "trial"),
        ({"jobs": "bracket"}, True, "bracket"),
        ({"jobs": "trial"}, False, "trial"),
    ],
)
def test_clusters_get_trial_jobs_unless_the_config_says_otherwise(
    search: dict[str, Any], cluster: bool, kind: str
) -> None:
    assert sizes(search=search, cluster=cluster).kind == kind


@pytest.mark.parametrize(
    ("device", "gpus", "cluster", "expected"),
    [
        ("auto", None, False, 1),  # counts only where a limit is given
        ("auto", None, True, 0),  # would never start where there is none
        ("auto", 2, True, 2),
        ("cuda", None, True, 1),
        ("cuda", None, False, 1),
        ("cuda", 0, True, 0),
        ("cpu", None, True, 0),
        ("cpu", 3, False, 0),
    ],
)
def test_gpus_of_a_job(device: str, gpus: int | None, cluster: bool, expected: int) -> None:
    assert sizes(device=device, cluster=cluster, resources={"gpus": gpus}).gpus == expected


@given(st.integers(1, 300), st.integers(2, 5), st.integers(1, 400))
def test_every_slot_is_in_one_job(max_epochs: int, eta: int, together: int) -> None:
    search = {"max_epochs": max_epochs, "eta": eta, "epochs_per_job": together}
    found = sizes(search=search)
    for bracket in found.plan.brackets:
        for i, rung in enumerate(bracket.rungs):
            jobs = found.slots(bracket.number, i)
            assert [slot for job in jobs for slot in job] == list(range(rung.trials))
            assert max(map(len, jobs)) - min(map(len, jobs)) <= 1
            # As few jobs as are needed, so that none is longer than asked for and one trial.
            epochs = found.epochs(bracket.number, i)
            assert (max(map(len, jobs)) - 1) * epochs < together


def test_short_rungs_are_grouped_on_a_cluster() -> None:
    found = sizes(search={"max_epochs": 81}, cluster=True)
    # Trials are trained 1, 2, 6, 18 and 54 epochs in its rungs; a job 81 / 9 or one trial.
    assert [len(found.slots(4, i)) for i in range(5)] == [9, 6, 5, 3, 1]
    alone = sizes(search={"max_epochs": 81})
    assert [len(alone.slots(4, i)) for i in range(5)] == [81, 27, 9, 3, 1]


def test_a_job_asks_for_more_when_it_is_tried_again() -> None:
    asked = {"mem_mb": 1500, "runtime": 10, "minutes_per_epoch": 0.5}
    found = sizes(resources=asked, search={"threads_per_trial": 2})
    assert [found.mem_mb(attempt, threads=2) for attempt in (1, 2, 3)] == [1500, 3000, 4500]
    assert found.mem_mb(1, threads=8) == 6000  # four trials side by side
    assert [found.runtime(attempt, 2, epochs=9) for attempt in (1, 2)] == [15, 30]
    assert found.runtime(1, 8, epochs=9) == 12


def test_trials_that_share_a_gpu_are_trained_side_by_side() -> None:
    shared = {"trials_per_gpu": 3, "search": {"threads_per_trial": 2}}
    assert sizes(**shared, device="cuda").slots_threads(10) == 6
    assert sizes(**shared, device="cuda").slots_threads(1) == 2
    assert sizes(**shared, device="cpu").slots_threads(10) == 2


def test_a_bracket_gets_its_part_of_the_machine_or_what_the_config_says() -> None:
    assert sizes(search={"max_epochs": 27}).bracket_threads(16) == 4
    assert sizes(search={"max_epochs": 27}).bracket_threads(1) == 1
    found = sizes(search={"threads_per_trial": 2}, cluster=True, resources={"cpus": 6})
    assert found.bracket_threads(None) == 6


def test_a_stage_gets_the_whole_machine_and_the_first_three_are_one_job() -> None:
    staged = sizes(search={"method": "staged", "max_epochs": 27})
    assert staged.bracket_threads(16) == 16
    assert staged.opening == [0, 1, 2]
    assert sizes(search={"method": "staged", "max_epochs": 3}).opening == [0, 1]
    assert sizes(search={"method": "staged", "jobs": "trial"}).opening == []
    assert sizes(search={"method": "hyperband"}).opening == []


# Runs Snakemake and tells the most memory that it took, in KB.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.mark.slow
def test_the_graph_of_a_large_search_is_small(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", search={"max_epochs": 729, "jobs": "trial"})
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *project.command("--dry-run")],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    planned = Finished(0, done.stdout, 0).planned
    assert planned["trial"] == 1806
    assert planned["ranking"] == 28
    peak = int(done.stdout.rsplit("peak ", 1)[1])
    assert peak < 1_000_000, f"{peak} KB"

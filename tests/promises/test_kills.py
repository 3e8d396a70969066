"""A run that is killed at random moments ends in the manifest of one that was left alone."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from killing import KINDS, end, moments_of, repeats, wait_for_orphans
from support import Project, planned_epochs

KILLS_A_SEQUENCE = 4
SEQUENCES = 4
LOST_SECONDS = 5.0


class Reference:
    """A run of the same config that nothing happened to."""

    def __init__(self, folder: Path, **changes: object) -> None:
        project = make(folder, **changes)
        began = time.monotonic()
        project.succeed()
        self.seconds = time.monotonic() - began
        self.manifest = project.manifest
        self.epochs = len(project.epochs())
        assert self.epochs == planned_epochs(project.plan)


def make(folder: Path, **changes: object) -> Project:
    project = Project.make(folder, **changes)
    # Long enough that most moments fall into training.
    project.environment["DLUTIL_EPOCH_SECONDS"] = "0.08"
    return project


WHOLE: dict[str, object] = {}
SEARCH_ALONE: dict[str, object] = {"evaluate": False, "predict": []}
TRIAL_JOBS: dict[str, object] = SEARCH_ALONE | {"search": {"jobs": "trial", "max_epochs": 3}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tmp_path_factory.mktemp("whole") / "project", **WHOLE)


@pytest.fixture(scope="module")
def search_alone(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tmp_path_factory.mktemp("search") / "project", **SEARCH_ALONE)


@pytest.fixture(scope="module")
def trial_jobs(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(tmp_path_factory.mktemp("trials") / "project", **TRIAL_JOBS)


def kill_again_and_again(
    folder: Path,
    reference: Reference,
    kinds: list[str],
    rng: random.Random,
    tally: Counter[str],
    **changes: object,
) -> None:
    """Run a project, end it in each of these ways, and compare what the last run leaves."""
    made = 0
    project = make(folder / str(made), **changes)
    happened: list[str] = []
    for kind in kinds:
        longest = 0.6 * reference.seconds
        while True:
            moment = rng.uniform(1.0, max(1.5, longest))
            run = project.start()
            time.sleep(moment)
            if end(run, kind):
                break
            # It had finished: compare it and begin anew.
            compare(project, reference, happened, tally)
            made, happened, longest = made + 1, [], longest / 2
            project = make(folder / str(made), **changes)
        happened.append(f"{kind} after {moment:.2f} s")
        if kind.startswith("worker"):
            assert run.returncode == 0, moments_of(project)
    compare(project, reference, happened, tally)


def compare(
    project: Project, reference: Reference, happened: list[str], tally: Counter[str]
) -> None:
    """Finish a project with the same command and compare; `happened` tells how it was ended."""
    done = project.run()
    assert done.code == 0, f"{happened}\n{done.output}"
    assert project.manifest == reference.manifest, happened
    wait_for_orphans(project.folder)
    assert project.manifest == reference.manifest, f"changed by an orphan: {happened}"
    assert not list(project.result.rglob(".*.tmp")), happened
    found = repeats(project.epochs())
    # Each incident makes a trial repeat the epoch in progress, or the last seconds.
    assert max(found.lost, default=0.0) <= LOST_SECONDS, f"{happened}: {found}"
    assert len(project.epochs()) == reference.epochs + found.epochs
    tally["kills"] += len(happened)
    tally["epochs repeated after kills"] += found.epochs
    tally["epochs trained in killed searches"] += len(project.epochs())


def kinds_of(seed: int, sequence: int) -> list[str]:
    """The kinds of one sequence; each kind occurs equally often in all of them together."""
    shuffled = list(KINDS) * (SEQUENCES * KILLS_A_SEQUENCE // len(KINDS))
    random.Random(seed).shuffle(shuffled)
    return shuffled[sequence * KILLS_A_SEQUENCE : (sequence + 1) * KILLS_A_SEQUENCE]


@pytest.mark.slow
@pytest.mark.parametrize("sequence", range(SEQUENCES))
def test_killed_searches_end_in_the_same_manifest(
    sequence: int, seed: int, search_alone: Reference, tmp_path: Path, tally: Counter[str]
) -> None:
    rng = random.Random(f"{seed} {sequence}")
    print(f"DLUTIL_SEED={seed}")
    kinds = kinds_of(seed, sequence)
    kill_again_and_again(tmp_path, search_alone, kinds, rng, tally, **SEARCH_ALONE)


@pytest.mark.slow
def test_killed_runs_end_in_the_same_manifest(
    seed: int, whole: Reference, tmp_path: Path, tally: Counter[str]
) -> None:
    rng = random.Random(f"{seed} whole")
    print(f"DLUTIL_SEED={seed}")
    kinds = rng.sample(KINDS, KILLS_A_SEQUENCE)
    kill_again_and_again(tmp_path, whole, kinds, rng, tally, **WHOLE)


@pytest.mark.slow
def test_killed_trial_jobs_end_in_the_same_manifest(
    seed: int, trial_jobs: Reference, tmp_path: Path, tally: Counter[str]
) -> None:
    rng = random.Random(f"{seed} trial jobs")
    print(f"DLUTIL_SEED={seed}")
    kinds = rng.sample(KINDS, KILLS_A_SEQUENCE)
    kill_again_and_again(tmp_path, trial_jobs, kinds, rng, tally, **TRIAL_JOBS)


@pytest.mark.soak
def test_soak(seed: int, search_alone: Reference, tmp_path: Path, tally: Counter[str]) -> None:
    """`make soak N=100`: as many kills in sequences of four."""
    rng = random.Random(f"{seed} soak")
    print(f"DLUTIL_SEED={seed}")
    left = int(os.environ.get("DLUTIL_SOAK", "20"))
    sequence = 0
    while left > 0:
        kinds = rng.choices(KINDS, k=min(left, KILLS_A_SEQUENCE))
        folder = tmp_path / str(sequence)
        kill_again_and_again(folder, search_alone, kinds, rng, tally, **SEARCH_ALONE)
        left -= len(kinds)
        sequence += 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds, epochs, after", [(0.4, 24, (6.0, 9.0)), (5.5, 3, (13.0, 15.0))])
def test_little_is_repeated(
    seconds: float,
    epochs: int,
    after: tuple[float, float],
    seed: int,
    tmp_path: Path,
    tally: Counter[str],
) -> None:
    """At most the last 5 seconds where epochs are shorter, and the epoch in progress otherwise."""
    config = {"units": 8, "lr": 0.1, "dropout": 0.1, "momentum": 0.5}
    search = {"method": "fixed", "max_epochs": epochs, "config": config}
    project = Project.make(tmp_path / "project", search=search, evaluate=False, predict=[])
    project.environment["DLUTIL_EPOCH_SECONDS"] = str(seconds)
    run = project.start()
    while not project.epochs():
        time.sleep(0.05)
    time.sleep(random.Random(seed).uniform(*after) - seconds / 2)
    begun = len(project.epochs())
    assert begun * seconds > LOST_SECONDS
    assert end(run, "everything, SIGKILL")
    project.succeed(DLUTIL_EPOCH_SECONDS="0")
    found = repeats(project.epochs())
    assert found.incidents == 1
    assert found.lost[0] <= LOST_SECONDS
    assert found.epochs <= max(1, 1 + LOST_SECONDS / seconds)
    tally["kills"] += 1
    tally["epochs repeated after kills"] += found.epochs

"""Promise 1: the same bytes in every result file, however a run came about.

And of promise 2 that growing a search trains the missing epochs alone.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support import Project, edit

A_DAY_LATER = '''\
"""A clock that is a day ahead, for the jobs of a run (Python reads this module when it starts)."""

import datetime
import sys
import time

if any("/scripts/" in word or "resident_process" in word for word in sys.orig_argv):
    DAY = 86400.0
    now, clock = time.time, datetime.datetime

    class Ahead:
        """An object and no function: logging makes it an attribute of a class."""

        def __init__(self, function):
            self.function = function

        def __call__(self, seconds=None):
            return self.function(now() + DAY if seconds is None else seconds)

    time.time = lambda: now() + DAY
    time.localtime = Ahead(time.localtime)
    time.gmtime = Ahead(time.gmtime)

    class Later(clock):
        @classmethod
        def now(cls, tz=None):
            return clock.now(tz) + datetime.timedelta(days=1)

        @classmethod
        def utcnow(cls):
            return clock.utcnow() + datetime.timedelta(days=1)

        @classmethod
        def today(cls):
            return clock.today() + datetime.timedelta(days=1)

    datetime.datetime = Later
'''

SMALL = {"search": {"max_epochs": 3}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run of a small search."""
    project = Project.make(tmp_path_factory.mktemp("small") / "project", **SMALL)
    project.succeed()
    return project


def distinct(project: Project) -> set[tuple[int, int]]:
    """The epochs that a project trained, none of them twice."""
    counted = Counter((e.trial_seed, e.number) for e in project.epochs())
    assert set(counted.values()) <= {1}
    return set(counted)


@pytest.mark.slow
def test_one_core_and_another_place(finished: Project, tmp_path: Path) -> None:
    other = Project.make(
        tmp_path / "quite" / "another place",
        result="results/of this/run",
        data=str(tmp_path / "quite" / "another place" / "data"),
    )
    other.succeed(cores=1)
    assert other.manifest == finished.manifest
    assert distinct(other) == distinct(finished)


@pytest.mark.slow
def test_trial_jobs(small: Project, tmp_path: Path) -> None:
    trials = Project.make(tmp_path / "project", search={"max_epochs": 3, "jobs": "trial"})
    done = trials.succeed()
    assert done.ran["trial"] == 6
    assert done.ran["ranking"] == 3
    assert trials.manifest == small.manifest
    assert distinct(trials) == distinct(small)


@pytest.mark.slow
def test_trial_jobs_after_bracket_jobs_train_nothing(small: Project, tmp_path: Path) -> None:
    copy = small.copy(tmp_path / "copy")
    copy.forget_epochs()
    copy.configure(search={"jobs": "trial"})
    copy.succeed()
    assert copy.epochs() == []
    assert copy.manifest == small.manifest


@pytest.mark.slow
def test_a_day_apart(small: Project, tmp_path: Path) -> None:
    later = Project.make(tmp_path / "project", **SMALL)
    path = later.folder / "path"
    path.mkdir()
    (path / "sitecustomize.py").write_text(A_DAY_LATER)
    later.succeed(PYTHONPATH=str(path), TZ="Asia/Tokyo")
    log = "logs/bracket-0.log"
    assert (later.result / log).read_text()[:10] > (small.result / log).read_text()[:10]
    assert later.manifest == small.manifest


@pytest.mark.slow
def test_threads_of_a_trial(tmp_path: Path) -> None:
    """Several threads are no hindrance to workers, whatever a loader computed before the fork.

    And libraries have as many in each job, since other numbers give other bits.
    """
    manifests = []
    told = tmp_path / "threads.txt"
    for cores in (1, 4):
        project = Project.make(
            tmp_path / str(cores),
            search={"max_epochs": 3, "threads_per_trial": 2},
            evaluate=False,
            predict=[],
        )
        edit(
            project.folder / "def.py",
            '    table = scaled(load(data_dir + "/train.h5"))\n',
            '    table = scaled(load(data_dir + "/train.h5"))\n'
            "    torch.rand(2000, 2000) @ torch.rand(2000, 2000)\n"
            f"    with open({str(told)!r}, 'a') as file:\n"
            "        print(os.environ['OPENBLAS_NUM_THREADS'], file=file)\n",
        )
        project.succeed(cores=cores)
        manifests.append(project.manifest)
    assert manifests[0] == manifests[1]
    assert set(told.read_text().split()) == {"2"}


@pytest.mark.slow
def test_a_search_grows_and_shrinks(
    small: Project, finished: Project, tmp_path: Path, tally: Counter[str]
) -> None:
    fresh = Project.make(tmp_path / "fresh", search={"max_epochs": 27})
    fresh.succeed()
    grown = small.copy(tmp_path / "grown")
    before = distinct(small)

    grown.forget_epochs()
    grown.configure(search={"max_epochs": 9})
    grown.succeed()
    assert grown.manifest == finished.manifest
    assert distinct(grown) == distinct(finished) - before
    before |= distinct(finished)

    grown.forget_epochs()
    grown.configure(search={"max_epochs": 27})
    grown.succeed()
    assert grown.manifest == fresh.manifest
    assert distinct(grown) == distinct(fresh) - before
    added = {t["seed"] for t in grown.plan["trials"]} - {t["seed"] for t in finished.plan["trials"]}
    new = {seed for seed, number in distinct(grown) if number == 1}
    assert new == added, "of the added bracket only its new trials begin"
    tally["epochs trained in growing searches"] += len(distinct(grown))

    grown.forget_epochs()
    grown.configure(search={"max_epochs": 9})
    grown.succeed()
    assert grown.manifest == finished.manifest
    assert (grown.result / "search" / "bracket-3").is_dir(), "an older, larger search stays"
    for epoch in repeated_after_shrinking(grown, distinct(finished)):
        assert epoch in distinct(finished)
    tally["epochs repeated after shrinking a search"] += len(grown.epochs())


def repeated_after_shrinking(project: Project, known: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Trained again: up to best weights that the larger search did not keep."""
    again = distinct(project)
    assert again <= known
    return again

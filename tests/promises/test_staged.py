"""A staged search keeps the promises: the same bytes grown, killed, damaged, in any jobs."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from killing import KINDS
from oracle_changes import quietly_edited, truncated
from support import Project, planned_epochs
from test_kills import Reference, kill_again_and_again
from test_same_bytes import distinct

STAGED: dict[str, Any] = {"method": "staged", "max_epochs": 27}
ALONE: dict[str, Any] = {"evaluate": False, "predict": []}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished search of three stages, in one job on one core."""
    folder = tmp_path_factory.mktemp("small") / "project"
    project = Project.make(folder, search=STAGED | {"max_epochs": 9}, **ALONE)
    assert project.succeed(cores=1).ran["opening"] == 1
    return project


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A search of four stages that nothing happened to."""
    return Reference(tmp_path_factory.mktemp("reference") / "project", search=STAGED, **ALONE)


@pytest.mark.slow
def test_a_search_grows_and_shrinks(
    small: Project, reference: Reference, tmp_path: Path, tally: Counter[str]
) -> None:
    grown = Project.make(tmp_path / "grown", search=STAGED | {"max_epochs": 3}, **ALONE)
    grown.succeed()
    plan = grown.plan

    grown.configure(search={"max_epochs": 9})
    grown.succeed()
    assert grown.manifest == small.manifest
    assert distinct(grown) == distinct(small), "no epoch is trained twice"
    assert grown.plan["trials"][: len(plan["trials"])] == plan["trials"]

    grown.configure(search={"max_epochs": 27})
    assert grown.succeed().ran["propose"] == 1
    assert grown.manifest == reference.manifest
    assert len(distinct(grown)) == planned_epochs(grown.plan) == reference.epochs
    assert not grown.would_run()

    trained = distinct(grown)
    grown.forget_epochs()
    grown.configure(search={"max_epochs": 9})
    grown.succeed()
    assert grown.manifest == small.manifest
    assert (grown.result / "search" / "stage-3").is_dir(), "an older, larger search stays"
    assert distinct(grown) <= trained, "up to best weights that were not kept"
    tally["epochs repeated after shrinking a search"] += len(grown.epochs())


@pytest.mark.slow
def test_trial_jobs_and_damage(small: Project, reference: Reference, tmp_path: Path) -> None:
    """All of the fourth stage is chosen, trained and ranked by jobs of trials."""
    project = small.copy(tmp_path / "copy")
    project.forget_epochs()
    project.configure(search={"max_epochs": 27, "jobs": "trial", "epochs_per_job": 40})
    done = project.succeed()
    # Two jobs in each rung of the fourth stage, one in those of the stages before.
    assert (done.ran["propose"], done.ran["trial"], done.ran["ranking"]) == (4, 14, 10)
    assert project.manifest == reference.manifest
    assert len(project.epochs()) == reference.epochs - planned_epochs(small.plan)

    project.forget_epochs()
    project.configure(search={"jobs": "bracket"})
    search = project.result / "search"
    quietly_edited(search / "draws.json")
    quietly_edited(search / "stage-1" / "leaderboard.csv")
    truncated(search / "stage-3" / "trials.json")
    (search / "stage-2" / "best.pt").unlink()
    done = project.succeed()
    assert "draws.json: is damaged" in done.output
    assert project.manifest == reference.manifest
    assert project.epochs() == []


@pytest.mark.slow
def test_killed_searches_end_in_the_same_manifest(
    seed: int, reference: Reference, tmp_path: Path, tally: Counter[str]
) -> None:
    rng = random.Random(f"{seed} staged")
    print(f"DLUTIL_SEED={seed}")
    kinds = rng.sample(KINDS, 3)
    kill_again_and_again(tmp_path, reference, kinds, rng, tally, search=STAGED, **ALONE)


@pytest.mark.slow
def test_random_draws_and_a_sampler_for_hyperband(small: Project, tmp_path: Path) -> None:
    """Without results enough for a model both samplers draw the same, but say who drew."""
    project = small.copy(tmp_path / "copy")
    project.forget_epochs()
    project.configure(search={"sampler": "random"})
    project.succeed()
    assert project.epochs() == []
    for name in ("leaderboard.csv", "model.pt"):
        assert (project.result / "best" / name).read_bytes() == (
            small.result / "best" / name
        ).read_bytes()
    assert project.plan == small.plan | {"sampler": "random"}

    project.configure(search={"method": "hyperband"})
    done = project.run()
    assert done.code != 0 and "Traceback" not in done.output
    assert "search.sampler is random, but search.method is hyperband" in done.output

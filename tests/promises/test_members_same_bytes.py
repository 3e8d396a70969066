"""Members: the first is the best model, and the same bytes come of any way to train the others."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from killing import wait_for_orphans
from support import Project

from dlutil_core.common.seeds import member_seed

THREE: dict[str, object] = {
    "search": {"max_epochs": 3},
    "repeat": {"seeds": 3},
    "predict": [],
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run of three seeds, by trial jobs on one core."""
    project = Project.make(tmp_path_factory.mktemp("three") / "project", **THREE)
    project.configure(search={"jobs": "trial"})
    project.succeed(cores=1)
    return project


def picked_seed(project: Project) -> int:
    """The seed of the trial that the search picked."""
    with (project.result / "best" / "leaderboard.csv").open() as file:
        trial = int(next(csv.DictReader(file))["trial"])
    return int(project.plan["trials"][trial]["seed"])


def folder(project: Project, seed: int) -> Path:
    return project.result / "members" / "fold-0" / f"seed-{seed}"


def test_the_first_member_is_the_best_model(three: Project) -> None:
    first, result = folder(three, 0), three.result
    for name in ("model.pt", "history.csv"):
        assert (first / name).read_bytes() == (result / "best" / name).read_bytes()
    for name in ("metrics.json", "outputs.npz"):
        assert (first / name).read_bytes() == (result / "test" / name).read_bytes()


def test_the_others_are_trained_from_seeds_of_their_own(three: Project) -> None:
    trained = {epoch.trial_seed for epoch in three.epochs()}
    seeds = [member_seed(picked_seed(three), i) for i in range(3)]
    assert trained == {trial["seed"] for trial in three.plan["trials"]} | set(seeds)
    assert len({(folder(three, i) / "outputs.npz").read_bytes() for i in range(3)}) == 3


def test_the_summary_tells_means_spreads_and_the_ensemble(three: Project) -> None:
    metrics = [json.loads((folder(three, i) / "metrics.json").read_text()) for i in range(3)]
    summary = json.loads((three.result / "members" / "summary.json").read_text())
    for name in ("loss", "mse", "pearson"):
        values = [found[name] for found in metrics]
        assert summary[name]["mean"] == pytest.approx(np.mean(values))
        assert summary[name]["sd"] == pytest.approx(np.std(values, ddof=1))
        low, high = summary[name]["interval"]
        assert low < summary[name]["mean"] < high
    outputs = [np.load(folder(three, i) / "outputs.npz") for i in range(3)]
    mean = np.mean([found["y_pred"] for found in outputs], axis=0)
    of_mean = float(np.mean((mean - outputs[0]["y_true"]) ** 2))
    assert summary["mse"]["ensemble"] == pytest.approx(of_mean, rel=1e-5)
    with (three.result / "members" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "1", "2"]
    assert [float(row["mse"]) for row in rows] == [found["mse"] for found in metrics]


def test_killed_and_grown_on_two_cores(three: Project, tmp_path: Path) -> None:
    """Two seeds whose second member is killed while it is trained, then three."""
    grown = Project.make(tmp_path / "project", **THREE | {"repeat": {"seeds": 2}})
    seeds = [member_seed(picked_seed(three), i) for i in range(3)]
    run = grown.start(DLUTIL_EPOCH_SECONDS="0.3")
    while seeds[1] not in {epoch.trial_seed for epoch in grown.epochs()}:
        assert run.poll() is None, (grown.folder / "run.txt").read_text()
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    wait_for_orphans(grown.folder)

    grown.forget_epochs()
    grown.succeed()
    assert {epoch.trial_seed for epoch in grown.epochs()} <= {seeds[1]}
    grown.forget_epochs()
    grown.configure(repeat={"seeds": 3})
    grown.succeed()
    assert {epoch.trial_seed for epoch in grown.epochs()} == {seeds[2]}, "only the new member"
    assert grown.manifest == three.manifest
    assert sum(grown.would_run().values()) == 0

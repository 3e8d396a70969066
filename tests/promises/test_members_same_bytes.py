"""Members: the first is the best model, and the same bytes come of any way to train the others."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import wait_for_orphans
from support import Project

import dlutil_core
from dlutil_core.batch_generator import MatrixBatchGenerator
from dlutil_core.common.errors import UserError
from dlutil_core.common.seeds import member_seed
from dlutil_core.export.exporting import export
from dlutil_core.trained.members import members_of
from dlutil_core.trained.new_files import predict_files

THREE: dict[str, object] = {
    "search": {"max_epochs": 3},
    "repeat": {"seeds": 3},
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


def new_records(project: Project) -> np.ndarray:
    features: np.ndarray = np.load(project.folder / "data" / "new.npy")[:, :4]
    return features


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


def test_predictions_are_means_of_all_members(three: Project) -> None:
    result = three.result
    new = MatrixBatchGenerator(new_records(three), batch_size=50)
    each = [dlutil_core.load(result, member=(0, i)).predict(new) for i in range(3)]
    mean, sd = np.mean(each, axis=0, dtype=float), np.std(each, axis=0, ddof=1, dtype=float)
    found = np.load(result / "predictions" / "new.npy.npy")
    assert np.array_equal(found, mean.astype(np.float32))
    head, *lines = (result / "predictions" / "new.npy.tsv").read_text().splitlines()
    assert head == "name\tprediction\tsd"
    rows = np.array([line.split("\t")[1:] for line in lines], np.float32)
    assert np.array_equal(rows[:, 0], found)
    assert np.array_equal(rows[:, 1], sd.astype(np.float32))
    assert len({one.tobytes() for one in each}) == 3


def test_a_loaded_result_is_all_members_or_one(three: Project, tmp_path: Path) -> None:
    ensemble = dlutil_core.load(three.result)
    new = new_records(three)
    assert list(ensemble.members) == [f"fold-0/seed-{i}" for i in range(3)]
    found = np.load(three.result / "predictions" / "new.npy.npy")
    assert ensemble.predict(new) == pytest.approx(found, abs=1e-6)
    assert np.array_equal(ensemble.predict(new[k : k + 50] for k in (0, 50, 100)), found)

    test = np.load(three.folder / "data" / "test.npy")
    batches = MatrixBatchGenerator(test[:, :4], test[:, 4], 50)
    summary = json.loads((three.result / "members" / "summary.json").read_text())
    assert ensemble.evaluate(batches)["mse"] == summary["mse"]["ensemble"]

    best = dlutil_core.load(three.result, member="best").predict(new)
    assert np.array_equal(best, dlutil_core.load(three.result, member="fold-0/seed-0").predict(new))
    with pytest.raises(UserError, match=r"seed-7: .* has fold-0/seed-0 to fold-0/seed-2"):
        dlutil_core.load(three.result, member=(0, 7))

    out = tmp_path / "new.tsv"
    predict_files(three.result, [str(three.folder / "data" / "new.npy")], out, device="cpu")
    written = (three.result / "predictions" / "new.npy.tsv").read_text()
    assert out.read_text() == written


def test_an_export_takes_all_members_along(three: Project, tmp_path: Path) -> None:
    folder, records = tmp_path / "export", three.folder / "data" / "new.npy"
    export(three.result, folder)
    assert len(list(folder.glob("weights*.safetensors"))) == 3
    assert "Predictions are means over 3 members" in (folder / "README.md").read_text()

    def predicted(*words: str) -> str:
        out = tmp_path / "out.tsv"
        command = [sys.executable, "-P", folder / "predict.py", records, out, *words]
        subprocess.run(command, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
        return out.read_text()

    assert predicted() == (three.result / "predictions" / "new.npy.tsv").read_text()
    alone = tmp_path / "alone.tsv"
    predict_files(three.result, [str(records)], alone, device="cpu", member="fold-0/seed-2")
    assert predicted("--member", "fold-0/seed-2") == alone.read_text()

    program = torch.export.load(folder / "model.pt2").module()
    found = program(torch.from_numpy(new_records(three))).detach().numpy()
    mean = np.load(three.result / "predictions" / "new.npy.npy")
    assert found == pytest.approx(mean, abs=1e-5)


def test_members_of_another_search_are_refused(three: Project, tmp_path: Path) -> None:
    copied = three.copy(tmp_path / "copied").result
    (copied / "best" / "model.pt").write_bytes((folder(three, 1) / "model.pt").read_bytes())
    with pytest.raises(UserError, match="its members are not of the search that it holds"):
        dlutil_core.load(copied)
    # A run of another search that was interrupted after its best model and the member that it is.
    other = (folder(three, 1) / "model.pt").read_bytes()
    (copied / "members" / "fold-0" / "seed-0" / "model.pt").write_bytes(other)
    with pytest.raises(UserError, match="its members are not of the search that it holds"):
        dlutil_core.load(copied)
    lines = (copied / "MANIFEST.sha256").read_text().splitlines(keepends=True)
    (copied / "MANIFEST.sha256").unlink()  # as before the first one is written
    with pytest.raises(UserError, match="its members are not of the search that it holds"):
        dlutil_core.load(copied)
    kept = [line for line in lines if "members/" not in line]
    (copied / "MANIFEST.sha256").write_text("".join(kept))
    assert members_of(copied) == [], "a later run without repeat has none"


def test_the_report_tells_of_stability(three: Project) -> None:
    page = (three.result / "report.html").read_text()
    for head in ("<h2>Stability</h2>", "Learning curves of the members", "<h3>The choice</h3>"):
        assert head in page
    section = page.split('<section id="stability">')[1].split("</section>")[0]
    mean = json.loads((three.result / "members" / "summary.json").read_text())["mse"]["mean"]
    assert f"{mean:.5g}" in section and "the 2 other seeds" in section
    assert (three.result / "members" / "learning_curves.svg").is_file()


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
    said = grown.succeed().output
    mean = json.loads((three.result / "members" / "summary.json").read_text())["pearson"]["mean"]
    assert "Over 3 members" in said and f"{mean:.4f} ± " in said
    assert {epoch.trial_seed for epoch in grown.epochs()} == {seeds[2]}, "only the new member"
    assert grown.manifest == three.manifest
    assert sum(grown.would_run().values()) == 0

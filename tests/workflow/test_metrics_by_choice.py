"""Metrics of each class with its name, rewards from any of them, a baseline: one real run."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from front import result_files, snakemake
from sklearn.metrics import average_precision_score

DEFINITION = '''\
"""Three classes of short DNA: letters at their middle tell which one it is."""

import random

import numpy as np
import torch
from dlutil_core import base_model, batch_generator
from torch import nn


def read(path, batch_size=None):
    with np.load(path) as file:
        loader = batch_generator.MatrixBatchGenerator(file["x"], file["y"], batch_size)
    loader.class_names = ["enhancer", "promoter", "none of them"]
    return loader


def get_train_generator(data_dir, batch_size):
    return read(data_dir + "/train.npz", batch_size)


def get_val_generator(data_dir):
    return read(data_dir + "/valid.npz")


def get_test_generator(data_dir):
    return read(data_dir + "/test.npz")


def get_config():
    return {"norm": random.choice([True, False]), "clip": random.choice([None, 1.0])}


class Model(base_model.ClassificationModel):
    def init_model(self):
        network = nn.Sequential(nn.Flatten(1), nn.Linear(80, 3))
        super().init_model(network, torch.optim.Adam(network.parameters(), lr=0.05))
'''


def write_data(folder: Path) -> None:
    folder.mkdir()
    for seed, name in enumerate(["train", "valid", "test"]):
        rng = np.random.default_rng(seed)
        letters = rng.integers(0, 4, (150, 20))
        y = rng.integers(0, 3, 150)
        told = rng.uniform(size=150) < 0.8
        letters[told, 8], letters[told, 9], letters[told, 10] = y[told], 3, y[told]
        x = np.eye(4, dtype=np.float32)[letters].transpose(0, 2, 1)[:, :, None]
        np.savez(folder / f"{name}.npz", x=x, y=y)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    write_data(folder / "data")
    (folder / "def.py").write_text(DEFINITION)
    config = {
        "definition": "def.py",
        "data": "data",
        "result": "out",
        "device": "cpu",
        "batch_size": 20,
        "search": {"max_epochs": 3},
        "title": "Three kinds",
        "baseline": True,
        "metrics": ["mcc"],
        "reward": "average_precision",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder, "--configfile", "config.yaml")
    assert done.code == 0, done.output
    lines = done.output.split("Test metrics:")[1].splitlines()
    assert any(line.split()[:1] == ["average_precision"] for line in lines)
    assert "enhancer" not in done.output.split("Test metrics:")[1]
    return folder


def test_each_class_has_its_numbers(finished: Path) -> None:
    metrics = json.loads((finished / "out" / "test" / "metrics.json").read_text())
    names = ["enhancer", "promoter", "none of them"]
    assert list(metrics)[:4] == ["loss", "accuracy", "auroc", "mcc"]
    for metric in ("auroc", "average_precision", "recall", "mcc"):
        assert {f"{metric}.{name}" for name in names} <= metrics.keys()
        if metric != "recall":
            each = [metrics[f"{metric}.{name}"] for name in names]
            assert metrics[metric] == pytest.approx(np.mean(each))
    with np.load(finished / "out" / "test" / "outputs.npz") as outputs:
        truth, scores = outputs["y_true"] == 1, outputs["y_pred"][:, 1]
    expected = average_precision_score(truth, scores)
    assert metrics["average_precision.promoter"] == pytest.approx(expected)
    page = (finished / "out" / "report.html").read_text()
    table = page.split('id="t-columns"')[1].split("</table>")[0]
    assert table.count("<tr") == 4 and all(f"<td>{name}</td>" in table for name in names)
    assert "<h1>Three kinds</h1>" in page


def test_the_search_ranks_by_the_reward(finished: Path) -> None:
    with (finished / "out" / "best" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 3
    for row in rows:
        assert row["score"] == row["reward"] == row["val_average_precision"] and row["val_mcc"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_another_choice_trains_again_and_a_title_draws_again(finished: Path) -> None:
    config = yaml.safe_load((finished / "config.yaml").read_text())
    for change, ran in (
        ({"title": "Two kinds"}, {"report", "manifest", "all"}),
        ({"reward": None, "metrics": []}, {"plan", "bracket", "evaluate"}),
    ):
        (finished / "other.yaml").write_text(yaml.safe_dump(config | change))
        done = snakemake(finished, "--configfile", "other.yaml", "--dry-run")
        assert done.code == 0 and result_files(finished / "out")
        if "title" in change:
            assert set(done.planned) | {"all"} == ran, done.output
        else:
            assert ran - {"plan"} <= set(done.planned), done.output


def test_a_baseline_stands_beside_the_network(finished: Path) -> None:
    out = finished / "out"
    about = json.loads((out / "baseline" / "about.json").read_text())
    assert about["text"].startswith("A logistic regression on counts of words of 5 letters")
    assert about["features"] == 1024 and about["records"] == 150
    found = json.loads((out / "baseline" / "metrics.json").read_text())
    test = json.loads((out / "test" / "metrics.json").read_text())
    assert set(found) == set(test) - {"loss"} and 0.5 < found["auroc"] < 1
    page = (out / "report.html").read_text()
    table = page.split('id="t-baseline"')[1].split("</table>")[0]
    assert f"{found['auroc']:.5g}" in table and f"{test['auroc']:.5g}" in table
    assert "baseline/metrics.json" in (out / "MANIFEST.sha256").read_text()


def test_a_baseline_is_the_same_for_any_cores_and_runs_for_what_it_reads(
    finished: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(finished, copied)
    (copied / "out" / "baseline" / "metrics.json").unlink()
    arguments = ["--configfile", "config.yaml", "--cores", "1"]
    done = snakemake(copied, *arguments, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    assert done.code == 0 and done.ran["baseline"] == 1 and not done.ran["bracket"], done.output
    for name in ("baseline/metrics.json", "baseline/about.json", "report.html"):
        assert (copied / "out" / name).read_bytes() == (finished / "out" / name).read_bytes()
    text = (copied / "def.py").read_text()
    edited = text.replace('read(data_dir + "/test.npz")', 'read(data_dir + "/test.npz", 10)')
    (copied / "def.py").write_text(edited)
    planned = snakemake(copied, *arguments, "--dry-run").planned
    assert {"baseline", "evaluate"} <= set(planned) and "bracket" not in planned


def test_own_loaders_sets_are_told(finished: Path) -> None:
    page = (finished / "out" / "report.html").read_text()
    table = page.split('id="t-data"')[1].split("</table>")[0]
    for name in ("training", "validation", "test"):
        row = table.split(f"<td>{name}</td>")[1].split("</tr>")[0]
        assert ">150</td>" in row and "<td>4 × 1 × 20</td>" in row and "enhancer: " in row

"""The rule `explain` on real CTCF sites: the motif that the model learns is CTCF's."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from support import REPOSITORY

from dlutil_core.explain.compare import compare
from dlutil_core.explain.motif_files import read_motifs

EXAMPLE = REPOSITORY / "examples" / "conv_seq_classifier"
MOTIF = EXAMPLE / "raw_data" / "MA0139.1.jaspar"


def snakemake(folder: Path, config: dict[str, object]) -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "config.yaml"]
    command += ["--snakefile", str(REPOSITORY / "workflow" / "Snakefile")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CTCF example with one good configuration, explained."""
    folder = tmp_path_factory.mktemp("ctcf")
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    chosen = {"learning_rate": 0.003, "dropout": 0.1, "filters": 32, "max_norm": 5.0}
    config |= {"data": "data", "result": "out", "predict": []}
    config["search"] = {"method": "fixed", "max_epochs": 20, "config": chosen}
    config["explain"] = {"enabled": True, "motifs": str(MOTIF), "examples": 3}
    done = snakemake(folder, config)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_most_influential_filters_are_the_ctcf_motif(explained: Path) -> None:
    with (explained / "out" / "explain" / "filters.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    best = max(rows[:3], key=lambda row: float(row["similarity"]))
    assert best["match"] == "MA0139.1 CTCF"
    assert float(best["pearson"]) > 0.9 and float(best["p_value"]) <= 0.001
    # The same from the motif file that is written for other tools.
    motifs = {m.name: m for m in read_motifs(explained / "out" / "explain" / "filters.meme")}
    match = compare(motifs[f"filter{best['filter']}"], read_motifs(MOTIF)[0])
    assert match.pearson == pytest.approx(float(best["pearson"]), abs=0.01)
    assert match.overlap >= 12


def test_attributions_are_whole_and_in_order(explained: Path) -> None:
    arrays = np.load(explained / "out" / "explain" / "attributions.npz")
    assert (np.diff(arrays["score"]) <= 0).all()
    count = len(arrays["record"])
    assert arrays["one_hot"].shape == arrays["integrated_gradients"].shape == (count, 4, 200)
    assert arrays["in_silico_mutagenesis"].shape == (3, 4, 200)
    assert (arrays["in_silico_mutagenesis"][arrays["one_hot"][:3] == 1] == 0).all()


def test_report_tells_what_the_model_saw(explained: Path) -> None:
    text = (explained / "out" / "report.html").read_text()
    assert "What the model saw" in text and "MA0139.1 CTCF" in text
    assert text.count("data:image/svg+xml;base64,") == 2
    manifest = (explained / "out" / "MANIFEST.sha256").read_text()
    summary = json.loads((explained / "out" / "explain" / "summary.json").read_text())
    for picture in summary["pictures"]:
        assert f"explain/{picture['file']}" in manifest


def test_bytes_do_not_change(explained: Path, tmp_path: Path) -> None:
    out = explained / "out"
    command = [sys.executable, "-P", str(REPOSITORY / "scripts" / "attribute.py")]
    command += ["--definition", str(EXAMPLE / "def.py"), "--data", str(explained / "data")]
    command += ["--seed", "1", "--device", "cpu", "--model", str(out / "best" / "model.pt")]
    command += ["--motifs", str(MOTIF), "--examples", "3", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, check=True, env=environment)
    for path in sorted((out / "explain").iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_model_without_sequences_is_a_sentence(tmp_path: Path) -> None:
    from support import Project

    project = Project.make(tmp_path / "project", explain={"enabled": True})
    project.configure(search={"method": "fixed", "max_epochs": 1, "config": CONFIGURATION})
    done = project.run()
    assert done.code != 0
    assert any("not one-hot sequences (N, 4, 1, L)" in s for s in done.sentences), done.output
    assert not (project.result / "explain" / "summary.json").exists()


CONFIGURATION = {"units": 4, "lr": 0.1, "dropout": 0.0, "momentum": 0.0}

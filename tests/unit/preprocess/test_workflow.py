"""The whole workflow from BED and a small genome: split by chromosome, negatives shuffled."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from dlutil_core.loaders.hdf5 import read_intervals, read_names

REPOSITORY = Path(__file__).resolve().parents[3]
MOTIF = "TGACTCAGGCAC"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "2"]
    command += ["--snakefile", str(REPOSITORY / "workflow" / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A genome of four chromosomes with a motif on either strand every 200 letters, its sites."""
    folder = tmp_path_factory.mktemp("bed")
    generator = random.Random(1)
    turned = MOTIF.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    genome, bed = [], []
    for number in range(1, 5):
        letters = generator.choices("ACGT", k=10_000)
        for start in range(100, 9_900, 200):
            forward = generator.random() < 0.5
            letters[start : start + len(MOTIF)] = MOTIF if forward else turned
            end = start + len(MOTIF)
            bed.append(f"chr{number}\t{start}\t{end}\tsite{len(bed)}\t0\t{'+' if forward else '-'}")
        lines = ["".join(letters[i : i + 70]) for i in range(0, len(letters), 70)]
        genome.append("\n".join([f">chr{number}", *lines]))
    (folder / "genome.fa").write_text("\n".join(genome) + "\n")
    (folder / "sites.bed").write_text("\n".join(bed) + "\n")
    config = {
        "definition": str(REPOSITORY / "examples" / "conv_seq_classifier" / "def.py"),
        "data": "data",
        "result": "results",
        "batch_size": 50,
        "search": {
            "method": "fixed",
            "config": {"learning_rate": 0.003, "dropout": 0.1, "filters": 32, "max_norm": 5.0},
            "max_epochs": 12,
        },
        "predict": ["test.h5"],
        "preprocess": {
            "positives": "sites.bed",
            "negatives": "shuffle",
            "genome": "genome.fa",
            "window": 60,
            "split": {"by": "chromosome", "valid": ["chr3"], "test": ["chr4"]},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_sites_are_found(project):
    metrics = json.loads((project / "results" / "test" / "metrics.json").read_text())
    assert metrics["auroc"] > 0.8


def test_each_prediction_has_its_name(project):
    names = read_names(project / "data" / "test.h5")
    assert names is not None and len(names) == 98
    predictions = np.load(project / "results" / "predictions" / "test.h5.npy")
    with (project / "results" / "predictions" / "test.h5.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["name"] for row in rows] == names
    assert len(predictions) == 98
    intervals = read_intervals(project / "data" / "test.h5")
    assert intervals is not None and all(i.startswith("chr4:") for i in intervals)


def test_a_second_run_has_nothing_to_do(project):
    os.utime(project / "sites.bed")
    done = snakemake(project)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_wrong_interval_stops_the_run_with_its_sentence(project):
    bed = (project / "sites.bed").read_text()
    (project / "sites.bed").write_text(bed + "chr4\t9990\t10010\tlast\t0\t+\n")
    done = snakemake(project)
    (project / "sites.bed").write_text(bed)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "sites.bed: line 197 ends at 10010, past the end of chr4 at 10000" in said
    assert "Traceback" not in said
    assert not list((project / "data").glob("*.h5")) or len(list((project / "data").iterdir())) == 7


def test_a_command_makes_the_data(tmp_path):
    (tmp_path / "make.py").write_text(
        "import pathlib, sys\npathlib.Path(sys.argv[1], 'table.csv').write_text(sys.argv[2])\n"
    )
    config = {
        "definition": str(REPOSITORY / "examples" / "conv_seq_classifier" / "def.py"),
        "data": "data with blanks",
        "result": "results",
        "seed": 5,
        "preprocess": {
            "command": {
                "run": "python make.py '{data}' {seed}",
                "inputs": ["make.py"],
                "outputs": {"train": ["table.csv"]},
            }
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(tmp_path, "data with blanks/table.csv")
    assert "Finished jobid: 0 (Rule: preprocess)" in done.stdout + done.stderr
    assert (tmp_path / "data with blanks" / "table.csv").read_text() == "5"

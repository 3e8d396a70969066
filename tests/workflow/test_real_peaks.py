"""The example's definition on other real peaks: FASTA and two columns of targets, three sets."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from support import REPOSITORY

PEAKS = REPOSITORY.parent / "shared" / "data" / "chip_seq"


@pytest.mark.skipif(not PEAKS.is_dir(), reason="the peaks are not part of the project")
def test_peaks_are_told_from_shuffled_ones(tmp_path: Path) -> None:
    sets = {
        name: {"sequences": str(PEAKS / f"{name}.fa"), "targets": str(PEAKS / f"{name}.target")}
        for name in ("train", "valid", "test")
    }
    known = {"learning_rate": 0.003, "dropout": 0.1, "filters": 32, "max_norm": 5.0}
    config = {
        "definition": str(REPOSITORY / "examples" / "conv_seq_classifier" / "def.py"),
        "data": "data",
        "result": "results",
        "search": {"method": "fixed", "max_epochs": 6, "config": known},
        "predict": ["test.h5"],
        "preprocess": sets,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    snakefile = str(REPOSITORY / "workflow" / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
    done = subprocess.run(
        [*command, "--configfile", "config.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "results" / "test" / "metrics.json").read_text())
    assert metrics["auroc"] > 0.9
    predictions = np.load(tmp_path / "results" / "predictions" / "test.h5.npy")
    headers = [line for line in (PEAKS / "test.fa").read_text().splitlines() if line[:1] == ">"]
    table = (tmp_path / "results" / "predictions" / "test.h5.tsv").read_text().splitlines()
    assert len(predictions) == len(headers)
    assert [line.split("\t")[0] for line in table[1:]] == [header[1:] for header in headers]

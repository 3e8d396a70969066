"""A published task from its files to its table, with one small configuration and two seeds."""

import re
import subprocess
import sys
from pathlib import Path

import yaml
from support import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "splice_sites"


def test_splice_sites_end_in_a_table(tmp_path: Path) -> None:
    known = {"learning_rate": 0.004, "hidden": 64, "layers": 2, "dropout": 0.1}
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text()) | {
        "definition": str(EXAMPLE / "def.py"),
        "data": str(EXAMPLE / "raw_data"),
        "result": "results",
        "search": {"method": "fixed", "max_epochs": 2, "config": known},
        "repeat": {"seeds": 2},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    snakefile = REPOSITORY / "workflow" / "Snakefile"
    for command in (
        ["-m", "snakemake", "--snakefile", snakefile, "--cores", "2", "--configfile=config.yaml"],
        [EXAMPLE / "baseline.py", "results"],
    ):
        done = subprocess.run(
            [sys.executable, *map(str, command)], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    rows = [re.findall(r"\d\.\d{3}", line) for line in done.stdout.splitlines()[2:]]
    additive, pairs, network = (float(rows[k][0]) for k in (0, 2, 3))
    assert additive < pairs < network  # after two epochs

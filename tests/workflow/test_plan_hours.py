"""`dlutil plan --hours`: an epoch is measured once, and a run compares afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from support import REPOSITORY, Project

COMMAND = "import sys; from dlutil_core.cli.commands import main; sys.exit(main())"


def plan(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dlutil plan config.yaml` in the project's folder."""
    environment = project.environ(PYTHONPATH=str(REPOSITORY), DLUTIL_EPOCH_SECONDS="0.2")
    return subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, "plan", "config.yaml", *arguments],
        cwd=project.folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_search_that_fits_is_told_and_compared(tmp_path: Path) -> None:
    search = {"method": "staged", "max_epochs": 1}
    project = Project.make(tmp_path / "project", search=search, evaluate=False, predict=[])
    done = plan(project, "--hours", "0.02", "--cores", "1000")
    assert done.returncode == 0, done.stderr
    assert len(project.epochs()) == 4, "two trials of two epochs"
    kept = json.loads((project.result / "logs" / "measured.json").read_text())
    measured = kept["part"]["measured"]
    assert measured["epoch"] >= 0.2
    told = [int(n) for n in re.findall(r"method: staged, max_epochs: (\d+), eta: 3", done.stdout)]
    assert told and told[-1] in (1, 3, 9, 27, 81), done.stdout
    # On so many cores a search takes its rungs' epochs one after the other.
    assert measured["epoch"] * told[0] <= 72

    assert plan(project, "--hours", "0.02", "--cores", "1000").stdout == done.stdout
    assert len(project.epochs()) == 4, "what was measured is kept"
    valid = project.folder / "data" / "valid.npy"
    np.save(valid, np.load(valid)[::-1])
    assert plan(project, "--hours", "0.02", "--cores", "1000").returncode == 0
    assert len(project.epochs()) == 8, "of other data, though the file is as large"

    expected = json.loads((project.result / "logs" / "expected.json").read_text())
    expected[-1]["settings"]["max_epochs"] = 1
    (project.result / "logs" / "expected.json").write_text(json.dumps(expected))
    output = project.succeed().output
    assert "dlutil plan --hours expected about" in output and "on 1000 cores" in output


def test_what_cannot_be_planned_is_a_sentence(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", evaluate=False, predict=[])
    assert "--cores is for --hours" in plan(project, "--cores", "3").stderr
    assert "must be above 0" in plan(project, "--hours", "0").stderr
    (project.folder / "data" / "valid.npy").unlink()
    assert "valid.npy" in (said := plan(project, "--hours", "1").stderr), said
    project.configure(search={"method": "fixed", "config": {"lr": 0.1}})
    assert "which searches nothing" in plan(project, "--hours", "1").stderr

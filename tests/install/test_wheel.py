"""A wheel in an empty environment runs a whole search in a folder far from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import REPOSITORY, Project

SEARCH = ("-f", "def.py", "-d", "data", "-r", "out", "-y", "-e", "-p", "new.npy", "-ep", "1")
FLAGS = (*SEARCH, "-bs", "50", "--seed", "3", "--cores", "2")


def run(
    program: Path | str, *arguments: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, without what points to the repository."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_wheel_is_what_is_imported(installed: Path, tmp_path: Path) -> None:
    code = "import dlutil_core; print(dlutil_core.__file__)"
    found = run(installed / "bin" / "python", "-c", code, folder=tmp_path).stdout.strip()
    assert Path(found).is_relative_to(installed)


def test_it_brings_the_workflow_with_profiles_and_schemas(installed: Path, tmp_path: Path) -> None:
    folder = Path(run(installed / "bin" / "dlutil", "workflow", folder=tmp_path).stdout.strip())
    assert folder.is_relative_to(installed)
    for name in ("Snakefile", "profiles/slurm/config.yaml", "schemas/config.schema.yaml"):
        assert (folder / name).read_bytes() == (REPOSITORY / "workflow" / name).read_bytes()
    assert os.access(folder / "profiles" / "cluster-generic" / "status-slurm.sh", os.X_OK)
    assert (folder.parent / "environment.yml").is_file()


@pytest.mark.slow
def test_a_search_far_from_the_repository(installed: Path, tmp_path: Path) -> None:
    here = Project.make(tmp_path / "here", env={})
    # The variable is part of the run, as def.py reads it.
    traced = {"DLUTIL_TRACE": "trace.txt"}
    run(sys.executable, str(REPOSITORY / "main.py"), *FLAGS, folder=here.folder, **traced)
    far = Project.make(tmp_path / "far" / "away", env={})
    run(installed / "bin" / "dlutil", "run", *FLAGS, folder=far.folder, **traced)
    assert far.manifest == here.manifest
    commands = (far.folder / ".snakemake" / "log").glob("*.log")
    assert not any(str(REPOSITORY) in path.read_text() for path in commands)
    far.forget_epochs()
    again = run(installed / "bin" / "dlutil", "run", *FLAGS, folder=far.folder, **traced)
    assert "nothing has changed" in again.stderr
    assert far.epochs() == []


@pytest.mark.slow
def test_the_same_project_by_wheel_and_by_checkout_runs_once(
    installed: Path, tmp_path: Path
) -> None:
    """Where dlutil lies is no reason to run anything again."""
    project = Project.make(tmp_path / "project", search={"max_epochs": 1})
    project.succeed()
    (project.folder / "all.yaml").write_text(yaml.safe_dump(project.config))
    folder = run(installed / "bin" / "dlutil", "workflow", folder=tmp_path).stdout.strip()
    again = run(
        installed / "bin" / "python",
        *("-m", "snakemake", "--snakefile", f"{folder}/Snakefile"),
        *("--configfile", "all.yaml", "--cores", "2", "--dry-run"),
        folder=project.folder,
    )
    assert "Nothing to be done" in again.stdout + again.stderr

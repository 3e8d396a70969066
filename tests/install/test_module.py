"""dlutil as a module of another workflow, and data on a storage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY, Finished, Project

OUTER = f"""
configfile: "config.yaml"


module small:
    snakefile: "{REPOSITORY}/workflow/Snakefile"
    config: config | {{{{"seed": 4}}}}
    prefix: "{{prefix}}"


use rule * from small as small_*


rule raw:
    output: "raw.txt"
    shell: "echo raw > {{{{output}}}}"


rule everything:
    default_target: True
    input: rules.small_all.input, "raw.txt"
"""

CHANGES = {"search": {"max_epochs": 1}, "predict": []}


def run_outer(project: Project, *arguments: str) -> Finished:
    """Run the other workflow, whose Snakefile lies in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=project.folder,
        env=project.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return Finished(done.returncode, done.stdout, 0)


@pytest.mark.slow
def test_a_module_with_a_prefix_and_a_changed_config(tmp_path: Path) -> None:
    plain = Project.make(tmp_path / "plain", **CHANGES, seed=4)
    plain.succeed()
    project = Project.make(tmp_path / "project", **CHANGES)
    (project.folder / "Snakefile").write_text(OUTER.format(prefix="below"))
    run_outer(project)
    assert not (project.folder / "out").exists()
    project.configure(result="below/out")
    assert project.manifest == plain.manifest
    project.configure(result="out")
    assert "Nothing to be done" in run_outer(project, "--dry-run").output


def need_rsync() -> None:
    """Snakemake's file-system plugin copies with it."""
    if shutil.which("rsync") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "rsync"]):
            subprocess.run(["apt-get", "--quiet", *words], capture_output=True, check=False)
    if shutil.which("rsync") is None:
        pytest.skip("Snakemake's file-system storage needs rsync, which is not here")


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "below"])
def test_data_on_a_storage(prefix: str, tmp_path: Path) -> None:
    need_rsync()
    plain = Project.make(tmp_path / "plain", **CHANGES)
    plain.succeed()
    remote = tmp_path / "remote"
    stored = {f"data/{p.name}": f"{remote}/{p.name}" for p in (plain.folder / "data").iterdir()}
    project = Project.make(tmp_path / "project", **CHANGES, storage=stored)
    (project.folder / "data").rename(remote)
    if prefix:
        outer = OUTER.format(prefix=prefix).replace(' | {"seed": 4}', "")
        (project.folder / "Snakefile").write_text(outer)
        run_outer(project)
        project.configure(result=f"{prefix}/out")
    else:
        project.succeed()
        assert not project.would_run()
    assert project.manifest == plain.manifest


@pytest.mark.slow
def test_a_changed_file_on_a_storage_is_fetched_again(tmp_path: Path) -> None:
    need_rsync()
    project = Project.make(tmp_path / "project", **CHANGES)
    remote = tmp_path / "remote"
    remote.mkdir()
    (project.folder / "data" / "test.npy").rename(remote / "test.npy")
    project.configure(storage={"data/test.npy": f"{remote}/test.npy"})
    project.succeed()
    shutil.copy(project.folder / "data" / "valid.npy", remote / "test.npy")
    ran = project.succeed().ran
    assert {"fetch", "evaluate"} <= set(ran)
    assert not {"plan", "bracket", "select"} & set(ran)


def test_a_storage_without_a_plugin_is_told(tmp_path: Path) -> None:
    project = Project.make(
        tmp_path / "project", **CHANGES, storage={"data/train.h5": "nowhere://x"}
    )
    done = project.run("--dry-run")
    assert done.code != 0
    assert "No storage provider found for query nowhere://x" in done.output

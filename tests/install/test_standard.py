"""The catalog's standard beyond its files: test config, profiles, container image, benchmarks."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import REPOSITORY, Project


@pytest.mark.slow
def test_the_workflow_tests_itself(tmp_path: Path) -> None:
    """`snakemake -d .test --forceall`, and `--report`, as the catalog calls it."""
    copy = tmp_path / "dlutil"
    for name in ("workflow", "scripts", "dlutil_core", "examples", ".test"):
        ignored = shutil.ignore_patterns("results", ".snakemake", "__pycache__")
        shutil.copytree(REPOSITORY / name, copy / name, ignore=ignored)
    (copy / "profiles").symlink_to("workflow/profiles")
    for words in (["--forceall"], ["--dry-run"], ["--report", "report.html"]):
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "-d", ".test", "--cores", "2", *words],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert ("Nothing to be done" in output) == (words == ["--dry-run"])
    result = copy / ".test" / "results"
    for name in ("report.html", "MANIFEST.sha256", "explain/filters.meme"):
        assert (result / name).is_file()
    assert (copy / ".test" / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_benchmarks_of_training_are_no_results(tmp_path: Path) -> None:
    project = Project.make(
        tmp_path / "project", search={"max_epochs": 3, "jobs": "trial"}, predict=[]
    )
    project.succeed()
    folder = project.result / "logs" / "benchmarks"
    found = sorted(folder.rglob("*.tsv"))
    assert {p.name for p in folder.glob("*.tsv")} == {"bracket-0.tsv", "bracket-1.tsv"}
    assert len(found) > 4, "and one of each job of a rung"
    for path in found:
        (row,) = csv.DictReader(path.read_text().splitlines(), delimiter="\t")
        assert list(row)[:3] == ["s", "h:m:s", "max_rss"]
        # A process with torch; one that only waits for a fork has some twenty.
        assert float(row["max_rss"]) > 100
        assert float(row["cpu_time"]) > 0
    assert not list(folder.rglob(".*"))
    assert "benchmarks" not in project.manifest
    for when in (0, 10**9, 2**31 - 2):
        for path in found:
            os.utime(path, (when, when))
        assert not project.would_run(), f"dated {when}"
    shutil.rmtree(folder)
    assert not project.would_run()


@pytest.mark.parametrize("profile", ["lsf", "sge", "kubernetes"])
def test_nodes_that_share_no_folder_are_refused(profile: str, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    place = str(REPOSITORY / "workflow" / "profiles" / profile)
    done = project.run("--profile", place, "--dry-run", "--shared-fs-usage", "none")
    assert done.code == 1
    [sentence] = done.sentences
    assert sentence.startswith("--shared-fs-usage: ")


@pytest.mark.parametrize("name", ["cluster-generic", "sge", "kubernetes"])
def test_status_scripts_of_profiles_are_there(name: str) -> None:
    folder = REPOSITORY / "workflow" / "profiles" / name
    profile = yaml.safe_load((folder / "config.yaml").read_text())
    assert os.access(folder / profile["cluster-generic-status-cmd"], os.X_OK)


def test_every_profile_is_named_where_clusters_are_explained() -> None:
    text = (REPOSITORY / "docs" / "cluster.md").read_text()
    for folder in (REPOSITORY / "workflow" / "profiles").iterdir():
        assert folder.name == "default" or f"workflow/profiles/{folder.name}" in text


def test_the_container_image_is_described_well(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [str(hadolint), str(REPOSITORY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")
    assert subprocess.run([str(hadolint), str(bad)], capture_output=True, check=False).returncode

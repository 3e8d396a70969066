"""What Snakemake's workflow catalog expects of a workflow that can be used as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import REPOSITORY, Project

from dlutil_core.run.config import validated

STANDARD = ("README.md", "LICENSE", "workflow/Snakefile", "config/config.yaml", "config/README.md")


@pytest.mark.parametrize("name", STANDARD)
def test_files_of_the_standard(name: str) -> None:
    assert (REPOSITORY / name).is_file()


def test_the_catalog_is_told_how_to_use_it() -> None:
    usage = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is True
    assert usage["report"] is True
    assert set(usage["mandatory-flags"]) <= {"desc", "flags"}


def test_the_guide_of_the_config_names_every_required_key() -> None:
    text = (REPOSITORY / "config" / "README.md").read_text()
    assert {"definition", "data", "result"} <= set(re.findall(r"`(\w+)", text))


def test_the_default_config_is_a_good_one() -> None:
    validated(yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text()))


@pytest.mark.parametrize("jobs", ["bracket", "trial"])
def test_lint_is_content(jobs: str, tmp_path: Path) -> None:
    project = Project.make(
        tmp_path / "project",
        search={"max_epochs": 3, "jobs": jobs},
        keep_checkpoints="best",
        storage={"data/other.h5": "other.h5"},
        explain={"enabled": True},
    )
    done = project.run("--lint")
    assert done.code == 0, done.output
    assert "your workflow is in a good condition" in done.output


@pytest.mark.parametrize("name", ["slurm", "cluster-generic", "lsf", "sge", "kubernetes"])
def test_a_profile_means_trial_jobs_unless_the_config_says_otherwise(
    name: str, tmp_path: Path
) -> None:
    profile = ("--profile", str(REPOSITORY / "workflow" / "profiles" / name), "--dry-run")
    project = Project.make(tmp_path / "project", search={"max_epochs": 9, "jobs": "auto"})
    assert "trial" not in project.would_run()
    assert project.succeed(*profile).planned["trial"] == 22
    project.configure(search={"epochs_per_job": 3})
    # Rungs of 1 epoch share jobs: 9 trials make 3, and those of 2 and more by two.
    assert project.succeed(*profile).planned["trial"] < 22
    project.configure(search={"jobs": "bracket"})
    assert "trial" not in project.succeed(*profile).planned


def test_every_job_has_a_conda_environment(tmp_path: Path) -> None:
    """`--sdm conda` finds one file for all rules."""
    code = (
        "import sys\n"
        "from snakemake.cli import main\n"
        "from snakemake.workflow import Workflow\n"
        "found = Workflow.lint\n"
        "def told(self, json=False):\n"
        "    for rule in self.rules:\n"
        "        if rule.shellcmd:\n"
        '            print("env", rule.name, rule.conda_env)\n'
        "    return False\n"
        "Workflow.lint = told\n"
        "main(sys.argv[1:])\n"
    )
    project = Project.make(tmp_path / "project", search={"max_epochs": 3, "jobs": "trial"})
    words = project.command("--lint")[3:]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    environments = dict(line.split()[1:] for line in done.stdout.splitlines() if line[:4] == "env ")
    assert len(environments) >= 10, done.stderr
    assert set(environments.values()) == {str(REPOSITORY / "workflow" / "envs" / "dlutil.yaml")}

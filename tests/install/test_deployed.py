"""dlutil as the workflow catalog deploys it: a module whose Snakefile lies in a repository.

There is no checkout, and no dlutil in the environment. What would be fetched from a hosting service
comes from a folder: git is told so by its configuration.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from install.conftest import git
from support import Finished, Project

MODULE = """
configfile: "config.yaml"


module dlutil:
    snakefile:
        {snakefile}
    config:
        config


use rule * from dlutil
"""

DEPLOY = (
    "from snakedeploy.client import main; main()",
    "deploy-workflow",
    "https://github.com/lab/dlutil",
    ".",
)

CHANGES = {"search": {"max_epochs": 1}, "predict": []}


@pytest.fixture(scope="session")
def surroundings(served: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a user whose hosting service is a folder."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GITHUB_TOKEN")}
    return kept | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{served}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.make(tmp_path_factory.mktemp("plain") / "project", **CHANGES)
    project.succeed()
    return project


class Deployed:
    """A project that names its workflow in a repository."""

    def __init__(self, project: Project, python: Path, environment: dict[str, str]) -> None:
        self.project = project
        self.python = python
        self.environment = environment

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-m", "snakemake", "--cores", "2", *arguments]

    def run(self, *arguments: str) -> Finished:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.project.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout, 0)

    def succeed(self, *arguments: str) -> Finished:
        done = self.run(*arguments)
        assert done.code == 0, done.output
        return done

    def start(self, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(),
            cwd=self.project.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def deployed(served: Path, bare: Path, surroundings: dict[str, str], tmp_path: Path) -> Deployed:
    """A project with a Snakefile that names the repository as git+file."""
    project = Project.make(tmp_path / "project", **CHANGES)
    address = f"git+file://{served}/lab/dlutil/workflow/Snakefile@main"
    (project.folder / "Snakefile").write_text(MODULE.format(snakefile=f'"{address}"'))
    return Deployed(project, bare, surroundings)


@pytest.mark.slow
def test_a_module_of_a_repository(deployed: Deployed, plain: Project, served: Path) -> None:
    project = deployed.project
    output = deployed.succeed().output
    commit = git(served / "lab" / "dlutil", "rev-parse", "main")
    unpacked = project.folder / ".snakemake" / "dlutil" / commit
    assert (unpacked / "dlutil_core").is_dir()
    assert project.manifest == plain.manifest
    assert "Results are in out/" in output, "its last words"
    log = max((project.folder / ".snakemake" / "log").glob("*.log")).read_text()
    assert str(served) not in log.replace("git+file://", ""), "it needs the unpacked files alone"
    assert "Nothing to be done" in deployed.succeed("--dry-run").output
    deployed.succeed("--report", "all.zip")
    # What another version has changed is made again by that one, in a folder of its own.
    git(served / "lab" / "dlutil", "commit", "--quiet", "--allow-empty", "--message=Nothing")
    assert "Nothing to be done" in deployed.succeed("--dry-run").output
    assert len(list(unpacked.parent.glob("?" * 40))) == 2


@pytest.mark.slow
def test_what_is_changed_meanwhile_ends_a_module_with_an_error(deployed: Deployed) -> None:
    """The last judgement: nothing false is left behind an exit code 0."""
    project = deployed.project
    falsify = """

rule falsify:
    default_target: True
    input: "out/MANIFEST.sha256"
    output: "done.txt"
    shell: "echo 0.99 >> out/test/metrics.json && touch {output}"
"""
    with open(project.folder / "Snakefile", "a") as file:
        file.write(falsify)
    done = deployed.run()
    assert done.code == 1
    assert (project.folder / "done.txt").exists(), done.output
    [sentence] = done.sentences
    assert "something was changed meanwhile" in sentence


@pytest.mark.slow
def test_two_runs_of_a_module_on_one_result_folder(deployed: Deployed) -> None:
    project = deployed.project
    first = deployed.start(DLUTIL_EPOCH_SECONDS="600")
    try:
        lock = project.result / "logs" / ".lock"
        deadline = time.monotonic() + 120
        while not (lock.is_file() and lock.read_text()):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        assert deployed.run("--dry-run").code == 0
        second = deployed.run("--nolock", "--ignore-incomplete")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert second.code == 1
    assert "another run works on this result folder" in second.sentences[0]


def test_two_versions_in_one_workflow_are_told(deployed: Deployed, served: Path) -> None:
    git(served / "lab" / "dlutil", "commit", "--quiet", "--allow-empty", "--message=Another")
    snakefile = deployed.project.folder / "Snakefile"
    text = snakefile.read_text()
    older = text.replace("module dlutil", "module older").replace("@main", "@main~1")
    older = older.replace("use rule * from dlutil", "use rule * from older as older_*")
    snakefile.write_text(text + older.replace('configfile: "config.yaml"', ""))
    done = deployed.run("--dry-run")
    assert done.code == 1
    assert "uses dlutil in two versions" in done.sentences[0]


def test_a_version_that_is_not_there_is_told(deployed: Deployed) -> None:
    snakefile = deployed.project.folder / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("@main", "@v99"))
    done = deployed.run("--dry-run")
    assert done.code == 1
    assert "v99" in done.output


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="snakedeploy wants a Python below 3.13")
def test_snakedeploy(
    bare: Path, surroundings: dict[str, str], plain: Project, tmp_path: Path
) -> None:
    """As the catalog prints it: deploy, write a config, run."""
    project = Project.make(tmp_path / "project", **CHANGES)
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    (project.folder / "config.yaml").unlink()
    deploy = [str(bare), "-c", *DEPLOY, "--branch", "main"]
    subprocess.run(deploy, cwd=project.folder, env=surroundings, check=True, capture_output=True)
    assert "github(" in (project.folder / "workflow" / "Snakefile").read_text()
    assert (project.folder / "profiles" / "default" / "config.yaml").is_file()
    deployed = Deployed(project, bare, surroundings)
    # What it brings is the example's, whose files come with the first look.
    first = deployed.run("--dry-run")
    assert first.code == 1
    assert "examples/conv_seq_classifier/def.py" in first.sentences[0]
    [examples] = (project.folder / ".snakemake" / "dlutil").glob("*/examples")
    (project.folder / "examples").symlink_to(examples)
    assert deployed.succeed("--dry-run").planned["bracket"] == 4
    # The template, filled in.
    template = yaml.safe_load((project.folder / "config" / "template.yaml").read_text())
    (project.folder / "config" / "config.yaml").write_text(yaml.safe_dump(template | config))
    output = deployed.succeed().output
    assert "Using workflow specific profile profiles/default" in output
    project.configure(result="out")
    assert project.manifest == plain.manifest
    assert "Nothing to be done" in deployed.succeed("--dry-run").output

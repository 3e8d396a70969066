"""The cluster that all tests here share, and small projects for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from slurm import Slurm, Unavailable, install
from support import REPOSITORY, Project

JOBS: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A Slurm of two nodes."""
    try:
        install()
    except Unavailable as reason:
        pytest.skip(str(reason))
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # paths of sockets must be short
    try:
        with Slurm(folder) as cluster:
            yield cluster
            JOBS.extend(cluster.table())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def example(tmp_path: Path) -> tuple[Project, Project]:
    """The example of binding sites, cut to few epochs, in two folders: one for the cluster."""
    return _example(tmp_path / "here"), _example(tmp_path / "cluster")


def _example(folder: Path) -> Project:
    name = "examples/conv_seq_classifier"
    shutil.copytree(REPOSITORY / name, folder / name)
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    config["search"] |= {"max_epochs": 3}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return Project(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if JOBS:
        terminalreporter.section("jobs of the two nodes")
        for line in JOBS:
            terminalreporter.write_line(line)

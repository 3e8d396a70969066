"""A browser and reports of real runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import DEFINITION, REPOSITORY, Project

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Browser, program

EXAMPLE = REPOSITORY / "examples" / "conv_seq_classifier"
MOTIFS = EXAMPLE / "raw_data" / "MA0139.1.jaspar"

# Some trials raise, some diverge.
FAILING = DEFINITION.replace(
    "        c = self.config\n",
    """        c = self.config
        if c["units"] == 16:
            raise ValueError("units of <16> & more are 'too many'")
        if c["lr"] == 0.3:
            c = c | {"lr": 1e30}
""",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where they cannot run, and say why."""
    why = ""
    if program() is None:
        why = "no chromium: as root, apt-get install chromium"
    try:
        import websocket  # noqa: F401
    except ImportError:
        why = "the package websocket-client is not installed"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a search with failed trials."""
    folder = tmp_path_factory.mktemp("regression") / "project"
    project = Project.make(folder, FAILING, search={"max_epochs": 27})
    project.succeed()
    return project.result / "report.html"


@pytest.fixture(scope="session")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small search on real DNA, explained."""
    folder = tmp_path_factory.mktemp("classification")
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    config |= {"data": "data", "result": "out", "predict": []}
    config["search"] = {"method": "hyperband", "max_epochs": 9}
    config["explain"] = {"enabled": True, "motifs": str(MOTIFS), "examples": 2}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "config.yaml"]
    command += ["--snakefile", str(REPOSITORY / "workflow" / "Snakefile")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out" / "report.html"

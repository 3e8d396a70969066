"""What the tests of the promises share: a finished run, and a tally that is told at the end."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest
from support import Project

TALLY: Counter[str] = Counter()

SEED = int(os.environ.get("DLUTIL_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of all random moments; `DLUTIL_SEED=…` repeats a run of the tests."""
    return SEED


@pytest.fixture(scope="session")
def tally() -> Counter[str]:
    """Counts that are told when all tests have ended."""
    return TALLY


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that ran once, with nothing done to it: copy it to change it."""
    project = Project.make(tmp_path_factory.mktemp("finished") / "project")
    project.succeed()
    return project


@pytest.fixture
def copied(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, with its results and the times of its files."""
    return finished.copy(tmp_path / "copied")


def pytest_report_header() -> str:
    return f"random moments: DLUTIL_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY:
        told = ", ".join(f"{count} {name}" for name, count in sorted(TALLY.items()))
        terminalreporter.write_line(f"promises: {told} (DLUTIL_SEED={SEED})")


def pytest_sessionfinish() -> None:
    if "DLUTIL_TALLY" in os.environ:
        Path(os.environ["DLUTIL_TALLY"]).write_text(repr(dict(TALLY)))

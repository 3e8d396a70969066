"""What the tests of the promises share: a finished run, and a tally that is told at the end."""

from __future__ import annotations

import os
import random
from collections import Counter

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


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished search of 3 epochs, without evaluation and predictions."""
    search = {"max_epochs": 3}
    folder = tmp_path_factory.mktemp("searched") / "project"
    project = Project.make(folder, search=search, evaluate=False, predict=[])
    project.succeed()
    return project


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished search of 9 epochs, without evaluation and predictions."""
    folder = tmp_path_factory.mktemp("larger") / "project"
    project = Project.make(folder, evaluate=False, predict=[])
    project.succeed()
    return project


def pytest_report_header() -> str:
    return f"random moments: DLUTIL_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY:
        told = ", ".join(f"{count} {name}" for name, count in sorted(TALLY.items()))
        terminalreporter.write_line(f"promises: {told} (DLUTIL_SEED={SEED})")

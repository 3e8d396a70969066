"""A finished project, and copies of it to falsify."""

from __future__ import annotations

from pathlib import Path

import pytest
from falsify import Falsified
from support import DEFINITION, Project

FAILING = DEFINITION.replace(
    "    def before_epoch(self):\n",
    "    def before_epoch(self):\n"
    "        c = self.config\n"
    '        if c["units"] == 16 and c["momentum"] == 0.0 and self.epoch == 3:\n'
    '            raise ValueError("a layer of 16 units without momentum")\n',
)
"""Some trials raise in their third epoch, and the largest steps diverge by themselves."""

ENVIRONMENT = {"DLUTIL_TEST_UNITS": "volts"}
"""A value that the run does not write down: who verifies has to give it."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was searched, tested, and predicted with."""
    project = Project.make(tmp_path_factory.mktemp("verified") / "project", definition=FAILING)
    project.succeed()
    project.environment = ENVIRONMENT
    return project


@pytest.fixture
def falsified(finished: Project, tmp_path: Path) -> Falsified:
    """A copy of it."""
    return Falsified(finished.copy(tmp_path / "copied"))

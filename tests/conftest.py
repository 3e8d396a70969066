"""Fixtures that all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project that has not run yet."""
    return Project.make(tmp_path / "project")

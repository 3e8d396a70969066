"""Fixtures that all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# A fork after an operation of several threads can hang, and tests fork (workers of loaders).
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project that has not run yet."""
    return Project.make(tmp_path / "project")

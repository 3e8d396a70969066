"""A finished run that several tests look at, and copies of it to change."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import front
from encoded import numbers, peaks, proteins
from support import Finished

__all__ = ["numbers", "peaks", "proteins"]

SEARCH = ("-y", "-e", "-p", "new/*.h5", "test.h5")


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A project that `main.py` searched, tested and predicted with, and what it printed."""
    folder = front.make(tmp_path_factory.mktemp("searched") / "project")
    return folder, front.run_main(folder, *SEARCH, SCALE="2")


@pytest.fixture
def copied(searched: tuple[Path, Finished], tmp_path: Path) -> Path:
    """A copy of the searched project, with its results and the times of its files."""
    return Path(shutil.copytree(searched[0], tmp_path / "copied"))


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A project that has not run."""
    return front.make(tmp_path / "project")
